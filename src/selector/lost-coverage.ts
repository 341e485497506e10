/**
 * Says what a trail takes no more once its selectors are changed.
 *
 * Exact for management events: they fall into a few kinds, and each is tried. Of data and network activity events, a selector's half of
 * reads or writes counts as kept when one new selector takes all of it, which is seen condition by condition; what is split over several
 * new selectors may be told as lost though it is not. Never the other way round.
 */
import { compileSelectors, type EventField } from './compile-selectors.ts';
import { type NormalSelector, normalize } from './normalize.ts';
import { type FieldSelector, OPERATORS, type Selectors } from './selectors.ts';

/** Most sentences, and their length: what they say goes into one entry of the journal. */
const LOST_MAX = 100;
const LENGTH_MAX = 1_000;

/** The sources that selectors can tell apart in management events; the last stands for all others. */
const SOURCES = ['kms.amazonaws.com', 'rdsdata.amazonaws.com', undefined];
const READ_OR_WRITE = ['true', 'false', undefined];

/** One sentence for each kind of event that `before` takes and `after` does not; empty when nothing got smaller. */
export function lostCoverage(before: Selectors, after: Selectors): readonly string[] {
  const lost = [...lostManagement(before, after), ...lostResources(before, after)];
  if (lost.length > LOST_MAX) return [...lost.slice(0, LOST_MAX), `and ${lost.length - LOST_MAX} more`];
  return lost;
}

function lostManagement(before: Selectors, after: Selectors): readonly string[] {
  const [took, takes] = [compileSelectors(before), compileSelectors(after)];
  return READ_OR_WRITE.flatMap((readOnly) =>
    SOURCES.flatMap((source) => {
      const texts: { readonly [Field in EventField]?: string | undefined } = { readOnly, eventSource: source ?? 'other' };
      const event = { category: 'Management' as const, text: (field: EventField) => texts[field], resources: () => [] };
      if (!took(event) || takes(event)) return [];
      const kind = readOnly === undefined ? 'management events that do not say whether they read' : `${kindOf(readOnly)} management events`;
      return [`${kind} of ${source ?? 'all other sources'}`];
    }),
  );
}

function lostResources(before: Selectors, after: Selectors): readonly string[] {
  const now = normalize(after);
  const isTaken = (selector: NormalSelector) => now.some((other) => takesAllOf(other, selector));
  return normalize(before)
    .filter((selector) => selector.category !== 'Management' && !isTaken(selector))
    .flatMap((selector) => {
      if (selector.category !== 'Data' || selector.fields.some(({ Field }) => Field === 'readOnly')) return [describe(selector)];
      const halves = ['true', 'false'].map((value) => ({
        ...selector,
        fields: [{ Field: 'readOnly', Equals: [value] }, ...selector.fields],
      }));
      const lost = halves.filter((half) => !isTaken(half));
      if (lost.length === 0) return [`${describe(selector)}, where the record does not say whether it reads`];
      return lost.length === 2 ? [describe(selector)] : lost.map(describe);
    });
}

/** True when each of the wider one's conditions follows from one of the narrower one's. */
function takesAllOf(wider: NormalSelector, narrower: NormalSelector): boolean {
  if (wider.category !== narrower.category || wider.resource?.type !== narrower.resource?.type) return false;
  const follow = (conclusions: readonly FieldSelector[], premises: readonly FieldSelector[]) =>
    conclusions.every((conclusion) => premises.some((premise) => premise.Field === conclusion.Field && implies(premise, conclusion)));
  return follow(wider.fields, narrower.fields) && follow(wider.resource?.arn ?? [], narrower.resource?.arn ?? []);
}

function implies(premise: FieldSelector, conclusion: FieldSelector): boolean {
  const has = (field: FieldSelector, negated: boolean) =>
    OPERATORS.some((operator) => operator.startsWith('Not') === negated && field[operator] !== undefined);
  const isWithin = (inner: FieldSelector, outer: FieldSelector, negated: boolean) =>
    OPERATORS.filter((operator) => operator.startsWith('Not') === negated).every((operator) =>
      (inner[operator] ?? []).every((value) => outer[operator]?.includes(value)),
    );
  const selects = !has(conclusion, false) || (has(premise, false) && isWithin(premise, conclusion, false));
  return selects && isWithin(conclusion, premise, true);
}

function describe({ category, fields, resource }: NormalSelector): string {
  const conditions = [...fields.filter(({ Field }) => Field !== 'readOnly'), ...(resource?.arn ?? [])];
  const readOnly = fields.find(({ Field }) => Field === 'readOnly')?.Equals?.[0];
  const kind = category === 'Data' ? `data events of ${resource?.type}` : 'network activity events';
  const where = conditions.flatMap(({ Field, ...operators }) =>
    Object.entries(operators).map(([operator, values]) => `${Field} ${operator} ${values.join(', ')}`),
  );
  const text = [`${readOnly === undefined ? '' : `${kindOf(readOnly)} `}${kind}`, ...where].join(' and ');
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}…` : text;
}

function kindOf(readOnly: string): string {
  return readOnly === 'true' ? 'read' : 'write';
}
