/**
 * Reads a policy: untrusted JSON in IAM's policy language, within limits, in the form that its kind has.
 *
 * A policy that is refused here never reaches an evaluation, so that nobody relies on a statement that means nothing: a
 * misspelt effect, an unknown operator, an action without its service, a principal that can't be matched.
 * Source: IAM User Guide, "Grammar of the IAM JSON policy language", "IAM and STS quotas"; S3 User Guide, "Bucket policies";
 * Organizations User Guide, "SCP syntax"; reliability.md A16.
 */
import { findRepeatedMember } from '../event/find-repeated-member.ts';
import { compileCondition, type PolicyCondition } from './match-condition.ts';
import { arnParts } from './policy-pattern.ts';

/**
 * `identity`: attached to a user, group, role, given as a boundary or for a session. `resource`: on a bucket, key, topic.
 * `trust`: of a role. `service-control`: of an organization.
 */
export type PolicyForm = 'identity' | 'resource' | 'trust' | 'service-control';

/** Who a statement is about. */
export type PolicyPrincipals =
  /** Whoever the policy is attached to: only resource and trust policies name principals. */
  | { readonly kind: 'holder' }
  | { readonly kind: 'everyone' }
  /** Lists by type of principal. */
  | {
      readonly kind: 'listed';
      readonly aws: readonly string[];
      readonly service: readonly string[];
      readonly federated: readonly string[];
    };

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
  /** Of a trust policy: `*`, which stands for the role that it belongs to. */
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

/** Largest policy of each form, in characters; white space counts where the service counts it. Inline policies are shorter still. */
const LENGTH_MAX: Readonly<Record<PolicyForm, { readonly characters: number; readonly isWhiteSpaceCounted: boolean }>> = {
  identity: { characters: 10_240, isWhiteSpaceCounted: false },
  // That of a KMS key; S3 and SNS take less and say so themselves.
  resource: { characters: 32_768, isWhiteSpaceCounted: true },
  trust: { characters: 4_096, isWhiteSpaceCounted: false },
  'service-control': { characters: 10_240, isWhiteSpaceCounted: true },
};
/** Where white space does not count. */
const RAW_LENGTH_MAX = 131_072;
const VALUE_LENGTH_MAX = 2_048;

/** Reads an untrusted policy. Member names count with their case, as IAM has it. */
export function parsePolicy(text: string, form: PolicyForm = 'resource'): ParsedPolicy {
  try {
    checkLength(text, form);
    return { kind: 'policy', policy: readPolicy(readJson(text), form) };
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

function checkLength(text: string, form: PolicyForm): void {
  const { characters, isWhiteSpaceCounted } = LENGTH_MAX[form];
  if (text.length > RAW_LENGTH_MAX) throw new Malformed(`a policy has at most ${RAW_LENGTH_MAX} characters, not ${text.length}`);
  const length = isWhiteSpaceCounted ? text.length : text.replace(/\s/g, '').length;
  if (length > characters) throw new Malformed(`a policy has at most ${characters} characters, not ${length}`);
}

function readJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Malformed('the policy is not JSON');
  }
  const repeated = findRepeatedMember(text);
  if (repeated !== undefined) throw new Malformed(`the member \`${repeated.slice(0, 128)}\` is there twice`);
  return value;
}

function readPolicy(value: unknown, form: PolicyForm): Policy {
  const root = membersOf(value, 'the policy', ['Version', 'Id', 'Statement']);
  const version = root.get('Version') ?? '2008-10-17';
  if (version !== '2008-10-17' && version !== '2012-10-17') throw new Malformed('`Version` is `2012-10-17` or `2008-10-17`');
  const id = root.get('Id');
  if (id !== undefined && typeof id !== 'string') throw new Malformed('`Id` is not text');
  const statement = root.get('Statement');
  const list = Array.isArray(statement) ? statement : [statement];
  if (list.length === 0) throw new Malformed('`Statement` is empty');
  const statements = list.map((each, index) => readStatement(each, { index, form, hasVariables: version === '2012-10-17' }));
  refuseRepeatedSids(statements);
  return { version, statements };
}

/** A decision is told by the statement's `Sid`: it must say which one. */
function refuseRepeatedSids(statements: readonly PolicyStatement[]): void {
  const seen = new Set<string>();
  for (const { sid } of statements) {
    if (sid === undefined || sid === '') continue;
    if (seen.has(sid)) throw new Malformed(`\`Sid\` \`${sid}\` is there twice; each statement has its own`);
    seen.add(sid);
  }
}

interface Place {
  readonly index: number;
  readonly form: PolicyForm;
  readonly hasVariables: boolean;
}

const STATEMENT_MEMBERS = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];

function readStatement(value: unknown, { index, form, hasVariables }: Place): PolicyStatement {
  const where = `Statement[${index}]`;
  const members = membersOf(value, where, STATEMENT_MEMBERS);
  const sid = members.get('Sid');
  if (sid !== undefined && typeof sid !== 'string') throw new Malformed(`\`${where}.Sid\` is not text`);
  if (sid !== undefined && form !== 'resource' && !/^[A-Za-z0-9]*$/.test(sid))
    throw new Malformed(`\`${where}.Sid\` has letters and digits only`);
  const effect = members.get('Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw new Malformed(`\`${where}.Effect\` is \`Allow\` or \`Deny\``);
  const action = readEither(members, where, 'Action');
  return {
    index,
    ...(sid === undefined ? {} : { sid }),
    effect,
    ...principalsOf(members, where, form),
    actions: readActions(action.value, `${where}.${action.name}`, form),
    isActionNegated: action.isNegated,
    ...resourcesOf(members, where, form, hasVariables),
    conditions: readConditions(members.get('Condition'), `${where}.Condition`, hasVariables),
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

function refuseEither(members: Members, where: string, name: string, why: string): void {
  for (const member of [name, `Not${name}`]) if (members.has(member)) throw new Malformed(`\`${where}\` has \`${member}\`: ${why}`);
}

function principalsOf(members: Members, where: string, form: PolicyForm): Pick<PolicyStatement, 'principals' | 'isPrincipalNegated'> {
  if (form === 'identity' || form === 'service-control') {
    refuseEither(members, where, 'Principal', 'it is about whoever the policy is attached to');
    return { principals: { kind: 'holder' }, isPrincipalNegated: false };
  }
  const principal = readEither(members, where, 'Principal');
  return { principals: readPrincipals(principal.value, `${where}.${principal.name}`), isPrincipalNegated: principal.isNegated };
}

const PRINCIPAL_FORMS: ReadonlyMap<string, readonly [form: RegExp, words: string]> = new Map([
  [
    'AWS',
    [
      /^(?:\*|[0-9]{12}|arn:aws[a-z-]*:iam::[0-9]{12}:(?:root|(?:user|role)\/[\x21-\x29\x2b-\x3e\x40-\x7e]{1,576})|arn:aws[a-z-]*:sts::[0-9]{12}:(?:assumed-role\/[\w+=,.@-]{1,64}\/[\w+=,.@-]{2,64}|federated-user\/[\w+=,.@-]{2,32}))$/,
      '`*`, an account, or the ARN of a root, user, role or session, without wildcards in it',
    ],
  ],
  ['Service', [/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, 'a name such as `cloudtrail.amazonaws.com`']],
  ['Federated', [/^[\x21-\x29\x2b-\x3e\x40-\x7e]+$/, 'an issuer, or the ARN of an identity provider']],
]);

function readPrincipals(value: unknown, where: string): PolicyPrincipals {
  if (value === '*') return { kind: 'everyone' };
  const members = membersOf(value, where, ['AWS', 'Service', 'Federated', 'CanonicalUser']);
  if (members.size === 0) throw new Malformed(`\`${where}\` names nobody`);
  // It would have to be looked up, and S3 itself turns it into an account's ARN.
  if (members.has('CanonicalUser')) throw new Malformed(`\`${where}.CanonicalUser\` is not known here; name the account as \`AWS\``);
  const lists = new Map(
    [...members].map(([type, names]) => {
      const list = readTexts(names, `${where}.${type}`);
      const [form, words] = PRINCIPAL_FORMS.get(type)!;
      const other = list.find((name) => !form.test(name));
      if (other !== undefined) throw new Malformed(`\`${where}.${type}\` holds \`${other.slice(0, 128)}\`, which is not ${words}`);
      return [type, list];
    }),
  );
  return { kind: 'listed', aws: lists.get('AWS') ?? [], service: lists.get('Service') ?? [], federated: lists.get('Federated') ?? [] };
}

const TRUST_ACTION = /^sts:(?:\*|AssumeRole\w*\*?|TagSession|SetSourceIdentity|SetContext)$/i;

function readActions(value: unknown, where: string, form: PolicyForm): readonly string[] {
  const actions = readTexts(value, where);
  for (const action of actions) {
    // A service is named whole, or is any.
    if (action !== '*' && !/^(?:[A-Za-z0-9-]+|\*):[A-Za-z0-9*?]+$/.test(action))
      throw new Malformed(`\`${where}\` holds \`${action.slice(0, 128)}\`, which is no action such as \`s3:GetObject\``);
    if (form === 'trust' && !TRUST_ACTION.test(action))
      throw new Malformed(`\`${where}\` holds \`${action.slice(0, 128)}\`; a trust policy is about \`sts:AssumeRole\` and its like`);
  }
  return actions;
}

function resourcesOf(
  members: Members,
  where: string,
  form: PolicyForm,
  hasVariables: boolean,
): Pick<PolicyStatement, 'resources' | 'isResourceNegated'> {
  if (form === 'trust') {
    refuseEither(members, where, 'Resource', 'a trust policy is about its own role');
    return { resources: ['*'], isResourceNegated: false };
  }
  const { name, value, isNegated } = readEither(members, where, 'Resource');
  const resources = readTexts(value, `${where}.${name}`);
  const other = resources.find((text) => text !== '*' && !(text.startsWith('arn:') && arnParts(text, hasVariables) !== undefined));
  if (other !== undefined) throw new Malformed(`\`${where}.${name}\` holds \`${other.slice(0, 128)}\`, which is neither an ARN nor \`*\``);
  return { resources, isResourceNegated: isNegated };
}

function readConditions(value: unknown, where: string, hasVariables: boolean): readonly PolicyCondition[] {
  if (value === undefined) return [];
  return [...membersOf(value, where)].flatMap(([operator, keys]) =>
    [...membersOf(keys, `${where}.${operator}`)].map(([key, values]) => {
      const condition: PolicyCondition = {
        operator,
        key: key.toLowerCase(),
        values: readTexts(values, `${where}.${operator}.${key}`, { isCondition: true }),
      };
      const compiled = compileCondition(condition, hasVariables);
      if (typeof compiled === 'string') throw new Malformed(`\`${where}\`: ${compiled.slice(0, 256)}`);
      return condition;
    }),
  );
}

/** One text or a list of them. Conditions may write booleans and numbers without quotes, and empty texts. */
function readTexts(value: unknown, where: string, options: { readonly isCondition?: boolean } = {}): readonly string[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new Malformed(`\`${where}\` is empty`);
  return list.map((item) => {
    const text = options.isCondition && (typeof item === 'boolean' || typeof item === 'number') ? `${item}` : item;
    if (typeof text !== 'string' || (text === '' && !options.isCondition))
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
