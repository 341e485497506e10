/**
 * Event times as text: written in the one form that CloudTrail writes, read as strict RFC 3339.
 *
 * `Date.parse` turns the 30th of February into March and accepts a dozen other forms; an audit record must not mean
 * two instants to two readers. Refused here: dates that do not exist, hour 24, missing zone, lower-case `t` and `z`,
 * years of more than four digits, epoch numbers.
 * Source: RFC 3339 §5.6; CloudTrail User Guide, "CloudTrail record contents"; reliability.md A55.
 */
import type { EpochMs } from './types.ts';

const DAY_MS = 86_400_000;
/** 9999-12-31T23:59:59.999Z. */
const LAST_MS = 253_402_300_799_999;
/** 0000-01-01T00:00:00Z. */
const FIRST_MS = -62_167_219_200_000;

/**
 * A time as records and digests write it: `YYYY-MM-DDTHH:MM:SSZ`. Milliseconds are cut off, towards the past.
 * @throws RangeError outside the years 0000 to 9999.
 */
export function formatEventTime(timeMs: EpochMs): string {
  if (!(timeMs >= FIRST_MS && timeMs <= LAST_MS))
    throw new RangeError(`a time of the years 0000 to 9999 is expected, not \`${timeMs}\` ms`);
  return `${new Date(Math.floor(timeMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

const RFC_3339 = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/;

/**
 * The instant that an untrusted text names; `undefined` when it is not an RFC 3339 date-time, or when its offset leads out of the years
 * 0000 to 9999: it could not be written again.
 *
 * A fraction is cut to milliseconds. Second 60 is a leap second: it is taken only at the end of a month in UTC, and
 * means the same millisecond as the midnight after it, as POSIX time has no other place for it.
 */
export function parseEventTime(text: string): EpochMs | undefined {
  const parts = RFC_3339.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = parts;
  const date = { year: Number(year), month: Number(month), day: Number(day) };
  if (!isDate(date) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  if (sign !== undefined && (Number(offsetHour) > 23 || Number(offsetMinute) > 59)) return undefined;

  const offsetMinutes = sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(offsetHour) * 60 + Number(offsetMinute));
  const minuteMs = daysSince1970(date) * DAY_MS + (Number(hour) * 60 + Number(minute) - offsetMinutes) * 60_000;
  if (second === '60' && !isLastMinuteOfMonth(minuteMs)) return undefined;
  const fractionMs = fraction === undefined || second === '60' ? 0 : Number(fraction.padEnd(3, '0').slice(0, 3));
  const timeMs = minuteMs + Number(second) * 1000 + fractionMs;
  return timeMs >= FIRST_MS && timeMs <= LAST_MS ? timeMs : undefined;
}

interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function isDate({ year, month, day }: CivilDate): boolean {
  const isLeapYear = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeapYear ? 29 : (MONTH_DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar. `Date.UTC` would read years below 100 as 19xx. */
function daysSince1970({ year, month, day }: CivilDate): number {
  // Years begin in March here, so that the leap day is the last day of a year.
  const marchYear = month <= 2 ? year - 1 : year;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 1 - 719_468;
}

function isLastMinuteOfMonth(minuteMs: EpochMs): boolean {
  const next = new Date(minuteMs + 60_000);
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0;
}
