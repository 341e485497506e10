/**
 * Decides one condition of a policy statement against the context of a request.
 *
 * All operators that IAM names. An absent key fails each of them but the negated ones, `…IfExists`, `ForAllValues:` and `Null`.
 * Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys".
 */
import { compareDecimals, type Decimal, parseDate, parseDecimal } from './compare-values.ts';
import { isInRange, parseIpAddress, parseIpRange } from './ip-range.ts';
import { compileArn, compilePattern, compileText, type Matcher, type PolicyContext } from './policy-pattern.ts';

/** One line of a condition block: operator, key and the values of which one must fit. */
export interface PolicyCondition {
  /** As written, such as `StringEquals`, `ArnLikeIfExists`, `ForAnyValue:StringLike`. */
  readonly operator: string;
  /** In lower case: names of context keys have no case. */
  readonly key: string;
  readonly values: readonly string[];
}

/** Whether the request meets a condition. */
export type ConditionTest = (context: PolicyContext) => boolean;

/** What an operator does with one value of the policy. */
interface Operator {
  /** `undefined` for a value that the operator cannot take. */
  readonly compile: (wanted: string, hasVariables: boolean) => Matcher | undefined;
  /** `…Not…`: met when none of the values fits, and when the key is absent. */
  readonly isNegated: boolean;
}

const lowerCase = (text: string): string => text.toLowerCase();

/** Compares parsed values: what the request has must be one, too. Variables have no meaning there. */
function ordered(parse: (text: string) => Decimal | undefined, holds: (order: number) => boolean): (wanted: string) => Matcher | undefined {
  return (wanted) => {
    const limit = parse(wanted);
    if (limit === undefined) return undefined;
    return (actual) => {
      const value = parse(actual);
      return value !== undefined && holds(compareDecimals(value, limit));
    };
  };
}

function bool(wanted: string): Matcher | undefined {
  const folded = wanted.toLowerCase();
  return folded === 'true' || folded === 'false' ? (actual) => actual.toLowerCase() === folded : undefined;
}

function binary(wanted: string): Matcher | undefined {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(wanted);
  return isBase64 ? (actual) => actual === wanted : undefined;
}

function address(wanted: string): Matcher | undefined {
  const range = parseIpRange(wanted);
  if (range === undefined) return undefined;
  return (actual) => {
    const value = parseIpAddress(actual);
    return value !== undefined && isInRange(value, range);
  };
}

const positive = (compile: Operator['compile']): Operator => ({ compile, isNegated: false });
const negated = (compile: Operator['compile']): Operator => ({ compile, isNegated: true });
const ignoreCase: Operator['compile'] = (wanted, hasVariables) => compileText(wanted, hasVariables, lowerCase);
const equals: Operator['compile'] = (wanted, hasVariables) => compileText(wanted, hasVariables);

const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ['stringequals', positive(equals)],
  ['stringnotequals', negated(equals)],
  ['stringequalsignorecase', positive(ignoreCase)],
  ['stringnotequalsignorecase', negated(ignoreCase)],
  ['stringlike', positive(compilePattern)],
  ['stringnotlike', negated(compilePattern)],
  // Both forms compare part by part, with wildcards; IAM says that they behave alike.
  ['arnequals', positive(compileArn)],
  ['arnlike', positive(compileArn)],
  ['arnnotequals', negated(compileArn)],
  ['arnnotlike', negated(compileArn)],
  ...(['numeric', 'date'] as const).flatMap((type): (readonly [string, Operator])[] => {
    const parse = type === 'date' ? parseDate : parseDecimal;
    return [
      [`${type}equals`, positive(ordered(parse, (order) => order === 0))],
      [`${type}notequals`, negated(ordered(parse, (order) => order === 0))],
      [`${type}lessthan`, positive(ordered(parse, (order) => order < 0))],
      [`${type}lessthanequals`, positive(ordered(parse, (order) => order <= 0))],
      [`${type}greaterthan`, positive(ordered(parse, (order) => order > 0))],
      [`${type}greaterthanequals`, positive(ordered(parse, (order) => order >= 0))],
    ];
  }),
  ['bool', positive(bool)],
  ['binaryequals', positive(binary)],
  ['ipaddress', positive(address)],
  ['notipaddress', negated(address)],
]);

const IF_EXISTS = 'ifexists';

/**
 * Makes a condition ready for many requests.
 * @returns the reason in words when the operator is none, or does not take one of the values.
 */
export function compileCondition({ operator: written, key, values }: PolicyCondition, hasVariables: boolean): ConditionTest | string {
  const [, quantifier = '', name = ''] = /^(?:(forallvalues|foranyvalue):)?(.*)$/s.exec(written.toLowerCase()) ?? [];
  if (name === 'null') return quantifier === '' ? compileNull(key, values) : `\`${written}\` is no condition operator`;
  const isIfExists = name.endsWith(IF_EXISTS);
  const operator = OPERATORS.get(isIfExists ? name.slice(0, -IF_EXISTS.length) : name);
  if (operator === undefined) return `\`${written}\` is no condition operator`;
  const matchers: Matcher[] = [];
  for (const value of values) {
    const matcher = operator.compile(value, hasVariables);
    if (matcher === undefined) return `\`${written}\` does not take the value \`${value}\``;
    matchers.push(matcher);
  }
  const { isNegated } = operator;
  const whenAbsent = isIfExists || quantifier === 'forallvalues' || (isNegated && quantifier === '');
  // Without a quantifier: a negated operator is met when no value fits, any other when one does.
  const isEach = quantifier === 'forallvalues' || (quantifier === '' && isNegated);
  return (context) => {
    const actual = context.get(key);
    // With a quantifier, nothing but empty texts is an empty set.
    const isAbsent = actual === undefined || (quantifier === '' ? actual.length === 0 : actual.every((value) => value === ''));
    if (isAbsent) return whenAbsent;
    const isMet = (value: string) => matchers.some((matches) => matches(value, context)) !== isNegated;
    return isEach ? actual.every(isMet) : actual.some(isMet);
  };
}

function compileNull(key: string, values: readonly string[]): ConditionTest | string {
  const matchers = values.map(bool);
  const unknown = matchers.indexOf(undefined);
  if (unknown >= 0) return `\`Null\` does not take the value \`${values[unknown]}\``;
  return (context) => {
    const isAbsent = context.get(key) === undefined;
    return matchers.some((matches) => matches!(`${isAbsent}`, context));
  };
}
