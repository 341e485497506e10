/**
 * Reads a time as people type it. All times are UTC.
 *
 * `now`, `-7d` and `7d` (before now; s, m, h, d, w), `14:00` (today), `today`, `yesterday`, `2026-11-20`, `2026-11-20 14:00`,
 * RFC 3339, seconds or milliseconds since 1970 (10 or 13 digits). Source: experience.md §6 "Global flags".
 */
import { parseEventTime } from '../event/times.ts';
import { UsageError } from './exit.ts';
import { safeText } from './safe-text.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** @returns milliseconds since 1970. @throws UsageError naming the flag and the forms that are read. */
export function parseTime(text: string, flag: string, nowMs: number): number {
  const timeMs = read(text.trim(), nowMs);
  if (timeMs !== undefined) return timeMs;
  throw new UsageError(
    `\`${flag} ${safeText(text)}\` is not a time; expected one such as -7d, 14:00, yesterday, 2026-11-20, 2026-11-20T14:00:00Z or 1795356000`,
  );
}

function read(text: string, nowMs: number): number | undefined {
  const today = new Date(nowMs).toISOString().slice(0, 10);
  if (text === 'now') return nowMs;
  if (text === 'today') return parseEventTime(`${today}T00:00:00Z`);
  if (text === 'yesterday') return parseEventTime(`${today}T00:00:00Z`)! - UNIT_MS.d;
  const [, count, unit] = /^-?([0-9]{1,7})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (/^[0-9]{10}$/.test(text)) return Number(text) * 1000;
  if (/^[0-9]{13}$/.test(text)) return Number(text);
  const [, date, clock] =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2})?(?:(?:^|[T ])([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?))?Z?$/.exec(text) ?? [];
  if (date === undefined && clock === undefined) return parseEventTime(text);
  const seconds = clock?.length === 5 ? `${clock}:00` : (clock ?? '00:00:00');
  return parseEventTime(`${date ?? today}T${seconds}Z`);
}
