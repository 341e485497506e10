/**
 * Numbers and dates of conditions, compared exactly.
 *
 * Numbers are compared as decimals of any length, not as floating point: 9007199254740993 is more than 9007199254740992.
 * Source: IAM User Guide, "Numeric condition operators", "Date condition operators" (W3C date formats, or seconds since 1970).
 */
import { parseEventTime } from '../event/times.ts';

/** A decimal number as a whole one and how many of its digits are behind the point. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

/** Digits that a number may have: more say nothing. */
const DIGITS_MAX = 100;

/** `undefined` for what is no number. */
export function parseDecimal(text: string): Decimal | undefined {
  const [matched, sign = '', whole = '', fraction = ''] = /^([+-]?)([0-9]+)(?:\.([0-9]+))?$/.exec(text) ?? [];
  if (matched === undefined || matched.length > DIGITS_MAX) return undefined;
  const digits = BigInt(whole + fraction);
  return { digits: sign === '-' ? -digits : digits, scale: fraction.length };
}

/** Below 0, 0 or above 0, as `a` is less than, equal to or more than `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const left = a.digits * 10n ** BigInt(scale - a.scale);
  const right = b.digits * 10n ** BigInt(scale - b.scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Milliseconds since 1970: a date of the W3C's profile of ISO 8601, or seconds. `undefined` for what is no date. */
export function parseDate(text: string): Decimal | undefined {
  const seconds = parseDecimal(text);
  // Four digits alone are a year.
  if (seconds !== undefined && !/^[0-9]{4}$/.test(text)) return { digits: seconds.digits * 1000n, scale: seconds.scale };
  const [, year, month = '01', day = '01', time] = /^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T(.*))?)?)?$/.exec(text) ?? [];
  if (year === undefined) return undefined;
  // A time without seconds is allowed there.
  const clock = time === undefined ? '00:00:00Z' : time.replace(/^([0-9]{2}:[0-9]{2})(?=[Z+-])/, '$1:00');
  const timeMs = parseEventTime(`${year}-${month}-${day}T${clock}`);
  return timeMs === undefined ? undefined : { digits: BigInt(timeMs), scale: 0 };
}
