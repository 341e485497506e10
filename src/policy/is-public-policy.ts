/**
 * Whether a resource policy opens a resource to everybody.
 *
 * A statement does when it allows something to everyone and no condition binds it to somebody: an account, an organization,
 * a source, an address range, by values that are written out. A range that takes in a large part of all addresses binds to nobody.
 * Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of public".
 */
import type { PolicyCondition } from './match-condition.ts';
import type { Policy, PolicyStatement } from './parse-policy.ts';

/** Keys whose fixed values say for whom a statement is. */
const BINDING_KEYS: ReadonlySet<string> = new Set([
  'aws:principalorgid',
  'aws:principalorgpaths',
  'aws:principalaccount',
  'aws:principalarn',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:sourceip',
  'aws:sourceowner',
  'aws:sourceorgid',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:userid',
  's3:dataaccesspointaccount',
  's3:dataaccesspointarn',
]);

/** The largest ranges that S3 does not take for everybody. */
const IPV4_BITS_MIN = 8;
const IPV6_BITS_MIN = 32;

export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(isPublic);
}

function isPublic({ effect, principals, isPrincipalNegated, conditions }: PolicyStatement): boolean {
  if (effect === 'Deny') return false;
  const isEveryone = isPrincipalNegated || principals.kind === 'everyone' || (principals.kind === 'listed' && principals.aws.includes('*'));
  return isEveryone && !conditions.some(isBinding);
}

function isBinding({ operator, key, values }: PolicyCondition): boolean {
  if (!BINDING_KEYS.has(key) || values.length === 0) return false;
  // A negation, an absent key that passes, or a set that may be empty binds to nobody.
  if (/not|ifexists$|^forallvalues:/i.test(operator) || !/^(?:foranyvalue:)?(?:string|arn|ipaddress)/i.test(operator)) return false;
  return values.every((value) => (key === 'aws:sourceip' ? isNarrow(value) : isFixed(key, value)));
}

function isNarrow(range: string): boolean {
  const bits = /\/(\d{1,3})$/.exec(range)?.[1];
  return bits === undefined || Number(bits) >= (range.includes(':') ? IPV6_BITS_MIN : IPV4_BITS_MIN);
}

/** An ARN may leave open which resource of an account it is, and not which account. */
function isFixed(key: string, value: string): boolean {
  if (value.includes('${')) return false;
  if (!/[*?]/.test(value)) return true;
  const account = key.endsWith('arn') ? (value.split(':')[4] ?? '') : '';
  return /^\d{12}$/.test(account);
}
