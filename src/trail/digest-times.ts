/**
 * When digests begin and end.
 *
 * Regular ends are the multiples of the interval since 1970, so that they are found again after any stop. A chain begins
 * wherever logging begins, ends wherever logging ends, and in between its intervals neither overlap nor leave a gap.
 * Ends are whole seconds and strictly grow, whatever the clock does: two digests of one second would be one object.
 * Source: cloudtrail.md §3.4; reliability.md P11, F28, F29, F33.
 */
import type { EpochMs } from '../event/types.ts';

const SECOND_MS = 1_000;

/** Start of a chain that begins at `atMs`: never before the end of an earlier digest. */
export function chainStart(atMs: EpochMs, earliestMs: EpochMs): EpochMs {
  return Math.max(Math.floor(atMs / SECOND_MS) * SECOND_MS, earliestMs);
}

/** End of the regular digest that starts at `startMs`: the next multiple of the interval. */
export function regularEnd(startMs: EpochMs, intervalMs: number): EpochMs {
  return (Math.floor(startMs / intervalMs) + 1) * intervalMs;
}

/** End of the last digest of a chain that starts at `startMs` and covers everything up to `atMs`. */
export function finalEnd(startMs: EpochMs, atMs: EpochMs): EpochMs {
  return Math.max(startMs + SECOND_MS, Math.ceil(atMs / SECOND_MS) * SECOND_MS);
}

/**
 * Whether a digest is made too late for the standard chain: the interval after it has closed as well.
 * It goes into the backfill chain then, and the standard chain links over the hole.
 */
export function isTooLate(endMs: EpochMs, nowMs: EpochMs, intervalMs: number): boolean {
  return nowMs >= endMs + intervalMs;
}
