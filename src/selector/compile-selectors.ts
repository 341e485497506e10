/**
 * Makes one predicate of a trail's selectors: an event is taken when any selector matches, a selector when all its fields do.
 *
 * Within a field, the selecting operators (Equals, StartsWith, EndsWith) are alternatives; of the deselecting ones none may hit. An absent
 * field meets no selecting operator and every deselecting one. Texts are compared exactly, by case. The cost of a field does not depend on
 * how many values it has: hash sets and tries.
 * Source: cloudtrail.md §4.3, "Evaluation".
 */
import type { EventCategory } from '../event/types.ts';
import { type NormalSelector, normalize, type SelectableCategory } from './normalize.ts';
import type { FieldSelector, Selectors } from './selectors.ts';
import { beginsWithOneOf, endsWithOneOf } from './text-set.ts';

/** The fields of an event that selectors ask for, beside its category and its resources. */
export type EventField =
  | 'eventName'
  | 'eventSource'
  | 'readOnly'
  | 'eventType'
  | 'errorCode'
  | 'vpcEndpointId'
  | 'sessionCredentialFromConsole'
  | 'userIdentity.arn';

/** A resource that an event touched. */
export interface SelectableResource {
  readonly type: string | undefined;
  /** Or the beginning that all of its ARNs have. */
  readonly arn: string | undefined;
}

/** An event as selectors see it. What is not asked for need not be read. */
export interface SelectableEvent {
  readonly category: EventCategory;
  /** Truth values as `true` and `false`; `undefined` when the record lacks it. */
  readonly text: (field: EventField) => string | undefined;
  readonly resources: () => readonly SelectableResource[];
}

/** Fields in the order in which they are looked at: what can be read fast decides first. */
const FAST_FIRST: readonly string[] = ['eventSource', 'eventName', 'readOnly'];

type Meets = (text: string | undefined) => boolean;
type Matches = (event: SelectableEvent) => boolean;

/** @param selectors As `read-selectors.ts` took them. */
export function compileSelectors(selectors: Selectors): Matches {
  const all = normalize(selectors);
  const of = (category: SelectableCategory) => all.filter((selector) => selector.category === category).map(compileSelector);
  const management = of('Management');
  const data = of('Data');
  const network = of('NetworkActivity');
  return (event) => {
    switch (event.category) {
      case 'Management':
        return anyMatches(management, event);
      case 'Data':
        return anyMatches(data, event);
      case 'NetworkActivity':
        return anyMatches(network, event);
      default:
        return false;
    }
  };
}

function anyMatches(matchers: readonly Matches[], event: SelectableEvent): boolean {
  for (const matches of matchers) if (matches(event)) return true;
  return false;
}

function compileSelector({ fields, resource }: NormalSelector): Matches {
  const speed = ({ Field }: FieldSelector) => (FAST_FIRST.includes(Field) ? 0 : 1);
  const conditions = [...fields]
    .sort((one, other) => speed(one) - speed(other))
    .map((field) => ({ name: field.Field as EventField, meets: compileField(field) }));
  const type = resource?.type;
  const arn = (resource?.arn ?? []).map(compileField);
  return (event) => {
    for (const { name, meets } of conditions) if (!meets(event.text(name))) return false;
    return type === undefined || event.resources().some((each) => each.type === type && arn.every((meets) => meets(each.arn)));
  };
}

function compileField(field: FieldSelector): Meets {
  const selects = compileTexts(field.Equals, field.StartsWith, field.EndsWith);
  const deselects = compileTexts(field.NotEquals, field.NotStartsWith, field.NotEndsWith);
  return (text) => {
    if (text === undefined) return selects === undefined;
    return (selects === undefined || selects(text)) && !(deselects?.(text) ?? false);
  };
}

/** Whether a text is one of `whole`, or begins or ends with one of the others; `undefined` when there are none. */
function compileTexts(
  whole: readonly string[] | undefined,
  beginnings: readonly string[] | undefined,
  endings: readonly string[] | undefined,
): ((text: string) => boolean) | undefined {
  if (whole === undefined && beginnings === undefined && endings === undefined) return undefined;
  const texts = new Set(whole);
  const begins = beginnings && beginsWithOneOf(beginnings);
  const ends = endings && endsWithOneOf(endings);
  return (text) => texts.has(text) || (begins?.(text) ?? false) || (ends?.(text) ?? false);
}
