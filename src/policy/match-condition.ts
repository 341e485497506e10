/**
 * Decides one condition of a policy statement against the context of a request.
 *
 * An operator that is not known here, such as those of numbers, dates and addresses, is `unknown`: the evaluation lets
 * no allowing statement rely on it, and applies a denying one.
 * Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys".
 */
import { type GlobToken, globOf, literalGlob, matchGlob } from './match-glob.ts';
import type { PolicyCondition } from './parse-policy.ts';

/** Values of the request by context key in lower case. A key that is not there is absent; one value is the usual case. */
export type PolicyContext = ReadonlyMap<string, readonly string[]>;

export type ConditionVerdict = 'met' | 'not-met' | 'unknown';

/** What an operator does with one value of the request and one of the policy. */
interface Operator {
  readonly fits: (actual: string, wanted: string, scope: PatternScope) => boolean;
  /** `…Not…`: met when none of the values fits, and when the key is absent. */
  readonly isNegated: boolean;
}

/** How a pattern's variables are read. */
export interface PatternScope {
  readonly context: PolicyContext;
  readonly hasVariables: boolean;
}

const equals: Operator['fits'] = (actual, wanted, scope) => actual === expand(wanted, scope);
const equalsIgnoreCase: Operator['fits'] = (actual, wanted, scope) => actual.toLowerCase() === expand(wanted, scope)?.toLowerCase();
const like: Operator['fits'] = (actual, wanted, scope) => matchPattern(wanted, actual, scope);
const equalsBoolean: Operator['fits'] = (actual, wanted) => actual.toLowerCase() === wanted.toLowerCase();

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ['stringequals', { fits: equals, isNegated: false }],
  ['stringnotequals', { fits: equals, isNegated: true }],
  ['stringequalsignorecase', { fits: equalsIgnoreCase, isNegated: false }],
  ['stringnotequalsignorecase', { fits: equalsIgnoreCase, isNegated: true }],
  ['stringlike', { fits: like, isNegated: false }],
  ['stringnotlike', { fits: like, isNegated: true }],
  // Both forms compare part by part, with wildcards; IAM says that they behave alike.
  ['arnequals', { fits: likeArn, isNegated: false }],
  ['arnlike', { fits: likeArn, isNegated: false }],
  ['arnnotequals', { fits: likeArn, isNegated: true }],
  ['arnnotlike', { fits: likeArn, isNegated: true }],
  ['bool', { fits: equalsBoolean, isNegated: false }],
]);

const IF_EXISTS = 'ifexists';

export function matchCondition(condition: PolicyCondition, scope: PatternScope): ConditionVerdict {
  const [, quantifier = '', written] = /^(?:(forallvalues|foranyvalue):)?(.*)$/s.exec(condition.operator.toLowerCase()) ?? [];
  const actual = scope.context.get(condition.key);
  if (written === 'null') return verdict(condition.values.some((value) => equalsBoolean(`${actual === undefined}`, value, scope)));

  const isIfExists = written!.endsWith(IF_EXISTS);
  const operator = OPERATORS.get(isIfExists ? written!.slice(0, -IF_EXISTS.length) : written!);
  if (operator === undefined) return 'unknown';
  if (actual === undefined || actual.length === 0) {
    return verdict(isIfExists || quantifier === 'forallvalues' || (operator.isNegated && quantifier === ''));
  }
  const isMet = (value: string) => condition.values.some((wanted) => operator.fits(value, wanted, scope)) !== operator.isNegated;
  // Without a quantifier: a negated operator is met when no value fits, any other when one does.
  const isEach = quantifier === 'forallvalues' || (quantifier === '' && operator.isNegated);
  return verdict(isEach ? actual.every(isMet) : actual.some(isMet));
}

/** Whether `text` matches a pattern with wildcards and, where the policy's version has them, variables. */
export function matchPattern(pattern: string, text: string, scope: PatternScope): boolean {
  const glob = patternGlob(pattern, scope);
  return glob !== undefined && matchGlob(glob, text);
}

/** Six parts between colons, each with wildcards; a `*` does not reach over a colon but in the last part. */
function likeArn(actual: string, wanted: string, scope: PatternScope): boolean {
  const expected = arnParts(wanted);
  const parts = arnParts(actual);
  if (expected === undefined || parts === undefined) return wanted === '*';
  return parts.every((part, index) => matchPattern(expected[index]!, part, scope));
}

function arnParts(text: string): readonly string[] | undefined {
  // Colons inside of a variable, as in `${aws:username}`, don't separate.
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length && parts.length < 5; at++) {
    if (text.startsWith('${', at)) at = Math.max(at, text.indexOf('}', at));
    if (text[at] !== ':') continue;
    parts.push(text.slice(from, at));
    from = at + 1;
  }
  parts.push(text.slice(from));
  return parts.length === 6 ? parts : undefined;
}

/** The text with its variables filled in; `undefined` when one of them has no single value: then nothing matches. */
function expand(text: string, scope: PatternScope): string | undefined {
  const pieces = readPieces(text, scope);
  return pieces?.map((piece) => piece.text).join('');
}

function patternGlob(pattern: string, scope: PatternScope): readonly GlobToken[] | undefined {
  const pieces = readPieces(pattern, scope);
  // What a variable brings in is text: a user named `*` is no wildcard.
  return pieces?.flatMap((piece) => (piece.isVariable ? literalGlob(piece.text) : globOf(piece.text)));
}

function readPieces(text: string, scope: PatternScope): readonly { readonly text: string; readonly isVariable: boolean }[] | undefined {
  if (!scope.hasVariables || !text.includes('${')) return [{ text, isVariable: false }];
  const pieces: { text: string; isVariable: boolean }[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('${', at);
    const close = open < 0 ? -1 : text.indexOf('}', open);
    if (close < 0) break;
    pieces.push({ text: text.slice(at, open), isVariable: false });
    const value = variableValue(text.slice(open + 2, close), scope.context);
    if (value === undefined) return undefined;
    pieces.push({ text: value, isVariable: true });
    at = close + 1;
  }
  pieces.push({ text: text.slice(at), isVariable: false });
  return pieces;
}

/** `${*}`, `${?}` and `${$}` stand for the character; `${key, 'default'}` has a value for an absent key. */
function variableValue(name: string, context: PolicyContext): string | undefined {
  if (name === '*' || name === '?' || name === '$') return name;
  const [, key, fallback] = /^([^,]*)(?:,\s*'([^']*)')?$/.exec(name) ?? [];
  const values = context.get(key?.trim().toLowerCase() ?? '');
  return values?.length === 1 ? values[0] : fallback;
}

function verdict(isMet: boolean): ConditionVerdict {
  return isMet ? 'met' : 'not-met';
}
