/**
 * Reads what callers name a trail by: a name, or an ARN. Untrusted text.
 *
 * Texts of refusals are those that CloudTrail clients know, in moto's spelling; rules that moto does not check have our words.
 * Source: CloudTrail User Guide, "Naming requirements for trails"; cloudtrail.md §7.1.
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId, Region } from '../event/types.ts';
import { isAccountId, isRegion } from '../event/values.ts';

const NAME_LENGTH_MIN = 3;
const NAME_LENGTH_MAX = 128;

/**
 * Checks a name for a trail.
 * @throws ApiError InvalidTrailNameException
 */
export function requireTrailName(name: string): void {
  const fault = faultOfName(name);
  if (fault !== undefined) throw new ApiError('InvalidTrailNameException', fault);
}

function faultOfName(name: string): string | undefined {
  if (name.length < NAME_LENGTH_MIN)
    return `Trail name too short. Minimum allowed length: ${NAME_LENGTH_MIN} characters. Specified name length: ${name.length} characters.`;
  if (name.length > NAME_LENGTH_MAX)
    return `Trail name too long. Maximum allowed length: ${NAME_LENGTH_MAX} characters. Specified name length: ${name.length} characters.`;
  if (!/^[0-9A-Za-z]/.test(name)) return 'Trail name must starts with a letter or number.';
  if (!/[0-9A-Za-z]$/.test(name)) return 'Trail name must ends with a letter or number.';
  if (!/^[0-9A-Za-z._-]+$/.test(name))
    return 'Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).';
  if (/[._-]{2}/.test(name)) return 'Trail name must not have adjacent periods, hyphens or underscores.';
  if (/^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(name)) return 'Trail name must not be in the form of an IP address.';
  return undefined;
}

/** What a caller wrote where a trail is to be named. */
export type TrailReference =
  | { readonly kind: 'name'; readonly name: string }
  /** `arn` is compared whole, so that another partition is another trail. */
  | { readonly kind: 'arn'; readonly arn: string; readonly account: AccountId; readonly region: Region; readonly name: string };

/**
 * @throws ApiError CloudTrailARNInvalidException for a malformed ARN, InvalidTrailNameException for a malformed name.
 */
export function parseTrailReference(text: string): TrailReference {
  if (!text.startsWith('arn:')) {
    requireTrailName(text);
    return { kind: 'name', name: text };
  }
  const [, region, account, name] = /^arn:[a-z0-9-]*:cloudtrail:([^:]*):([^:]*):trail\/(.*)$/s.exec(text) ?? [];
  const isTrail = region !== undefined && isRegion(region) && isAccountId(account!) && faultOfName(name!) === undefined;
  if (!isTrail) {
    const form = 'arn:aws:cloudtrail:us-east-2:123456789012:trail/MyTrail';
    throw new ApiError('CloudTrailARNInvalidException', `The specified trail ARN is not valid: it has the form ${form}.`);
  }
  return { kind: 'arn', arn: text, account: account as AccountId, region, name: name! };
}
