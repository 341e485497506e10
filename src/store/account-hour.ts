/**
 * The unit of accounting: what an account's events of one hour of receipt are counted under.
 */
import type { EpochMs } from '../event/types.ts';

const HOUR_MS = 3_600_000;

/** Whole hours since 1970. */
export function hourOf(ms: EpochMs): number {
  return Math.floor(ms / HOUR_MS);
}

/** When an hour begins, ISO 8601 in UTC. */
export function startOfHour(hour: number): string {
  return new Date(hour * HOUR_MS).toISOString();
}

/** The name of an account's hour in maps. */
export function accountHourKey({ account, hour }: { readonly account: string; readonly hour: number }): string {
  return `${account}/${hour}`;
}
