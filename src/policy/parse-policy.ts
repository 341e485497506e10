/**
 * Reads a resource policy: untrusted JSON in IAM's policy language, within limits.
 *
 * A policy that is refused here never reaches an evaluation, so that nobody relies on a statement that means nothing.
 * What this engine does not know yet (condition operators of numbers, dates, addresses) is kept: the evaluation takes
 * it against the caller.
 * Source: IAM User Guide, "Grammar of the IAM JSON policy language"; S3 User Guide, "Bucket policies" (20 KB).
 */

/** Largest policy, in characters. */
const POLICY_LENGTH_MAX = 20_480;
const VALUE_LENGTH_MAX = 2_048;

/** Who a statement is about. */
export type PolicyPrincipals =
  | { readonly kind: 'everyone' }
  /** Lists by type of principal: `AWS`, `Service`, `Federated`, `CanonicalUser`. */
  | { readonly kind: 'listed'; readonly aws: readonly string[]; readonly service: readonly string[] };

/** One line of a condition block: operator, key and the values of which one must fit. */
export interface PolicyCondition {
  /** As written, such as `StringEquals`, `ArnLikeIfExists`, `ForAnyValue:StringLike`. */
  readonly operator: string;
  /** In lower case: names of context keys have no case. */
  readonly key: string;
  readonly values: readonly string[];
}

export interface PolicyStatement {
  /** Counts from 0. */
  readonly index: number;
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  readonly principals: PolicyPrincipals;
  /** `NotPrincipal`: all but those listed. */
  readonly isPrincipalNegated: boolean;
  readonly actions: readonly string[];
  readonly isActionNegated: boolean;
  readonly resources: readonly string[];
  readonly isResourceNegated: boolean;
  readonly conditions: readonly PolicyCondition[];
}

export interface Policy {
  /** `2008-10-17` knows no variables: `${aws:username}` is text there. */
  readonly version: '2008-10-17' | '2012-10-17';
  readonly statements: readonly PolicyStatement[];
}

export type ParsedPolicy = { readonly kind: 'policy'; readonly policy: Policy } | { readonly kind: 'malformed'; readonly reason: string };

/** Reads an untrusted policy. Member names count with their case, as IAM has it. */
export function parsePolicy(text: string): ParsedPolicy {
  try {
    if (text.length > POLICY_LENGTH_MAX) throw new Malformed(`a policy has at most ${POLICY_LENGTH_MAX} characters, not ${text.length}`);
    return { kind: 'policy', policy: readPolicy(readJson(text)) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}

/** Thrown by the readers below and turned into an outcome above. */
class Malformed extends Error {
  override readonly name = 'Malformed';
}

type Members = ReadonlyMap<string, unknown>;

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Malformed('the policy is not JSON');
  }
}

function readPolicy(value: unknown): Policy {
  const root = membersOf(value, 'the policy', ['Version', 'Id', 'Statement']);
  const version = root.get('Version') ?? '2008-10-17';
  if (version !== '2008-10-17' && version !== '2012-10-17') throw new Malformed('`Version` is `2012-10-17` or `2008-10-17`');
  const statement = root.get('Statement');
  const list = Array.isArray(statement) ? statement : [statement];
  if (list.length === 0) throw new Malformed('`Statement` is empty');
  return { version, statements: list.map(readStatement) };
}

const STATEMENT_MEMBERS = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];

function readStatement(value: unknown, index: number): PolicyStatement {
  const where = `Statement[${index}]`;
  const members = membersOf(value, where, STATEMENT_MEMBERS);
  const sid = members.get('Sid');
  if (sid !== undefined && typeof sid !== 'string') throw new Malformed(`\`${where}.Sid\` is not text`);
  const effect = members.get('Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw new Malformed(`\`${where}.Effect\` is \`Allow\` or \`Deny\``);
  const principal = readEither(members, where, 'Principal');
  const action = readEither(members, where, 'Action');
  const resource = readEither(members, where, 'Resource');
  return {
    index,
    ...(sid === undefined ? {} : { sid }),
    effect,
    principals: readPrincipals(principal.value, `${where}.${principal.name}`),
    isPrincipalNegated: principal.isNegated,
    actions: readTexts(action.value, `${where}.${action.name}`),
    isActionNegated: action.isNegated,
    resources: readTexts(resource.value, `${where}.${resource.name}`),
    isResourceNegated: resource.isNegated,
    conditions: readConditions(members.get('Condition'), `${where}.Condition`),
  };
}

/** Exactly one of `Name` and `NotName`. */
function readEither(members: Members, where: string, name: string): { name: string; value: unknown; isNegated: boolean } {
  const negated = `Not${name}`;
  if (members.has(name) === members.has(negated)) throw new Malformed(`\`${where}\` has one of \`${name}\` and \`${negated}\``);
  return members.has(name)
    ? { name, value: members.get(name), isNegated: false }
    : { name: negated, value: members.get(negated), isNegated: true };
}

function readPrincipals(value: unknown, where: string): PolicyPrincipals {
  if (value === '*') return { kind: 'everyone' };
  const members = membersOf(value, where, ['AWS', 'Service', 'Federated', 'CanonicalUser']);
  if (members.size === 0) throw new Malformed(`\`${where}\` names nobody`);
  const lists = new Map([...members].map(([type, names]) => [type, readTexts(names, `${where}.${type}`)]));
  return { kind: 'listed', aws: lists.get('AWS') ?? [], service: lists.get('Service') ?? [] };
}

function readConditions(value: unknown, where: string): readonly PolicyCondition[] {
  if (value === undefined) return [];
  return [...membersOf(value, where)].flatMap(([operator, keys]) =>
    [...membersOf(keys, `${where}.${operator}`)].map(([key, values]) => ({
      operator,
      key: key.toLowerCase(),
      values: readTexts(values, `${where}.${operator}.${key}`, { mayBeEmpty: true }),
    })),
  );
}

/** One text or a list of them. Conditions may write booleans and numbers without quotes. */
function readTexts(value: unknown, where: string, options: { readonly mayBeEmpty?: boolean } = {}): readonly string[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new Malformed(`\`${where}\` is empty`);
  return list.map((item) => {
    const text = options.mayBeEmpty && (typeof item === 'boolean' || typeof item === 'number') ? `${item}` : item;
    if (typeof text !== 'string' || (text === '' && !options.mayBeEmpty))
      throw new Malformed(`\`${where}\` holds something that is no text`);
    if (text.length > VALUE_LENGTH_MAX) throw new Malformed(`\`${where}\` holds a text of more than ${VALUE_LENGTH_MAX} characters`);
    return text;
  });
}

/** An object's own members as a map, so that `__proto__` is just a name; with `known`, no others may be there. */
function membersOf(value: unknown, where: string, known?: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed(`\`${where}\` is not an object`);
  const members = new Map(Object.entries(value));
  const other = known && [...members.keys()].find((name) => !known.includes(name));
  if (other !== undefined) throw new Malformed(`\`${where}\` has a member \`${other}\`, which policies don't have`);
  return members;
}
