/**
 * How long to wait before something is tried again: doubled with each failure, and by chance less, so that many do not come at once.
 */
import type { Chance } from './clock.ts';

/**
 * @param failures In a row, from 1; more than ten wait no longer.
 * @returns Milliseconds from `minMs` to the doubled `minMs`, to `maxMs` at most.
 */
export function backOffMs(
  { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number },
  failures: number,
  chance: Pick<Chance, 'fraction'>,
): number {
  const longestMs = Math.min(maxMs, minMs * 2 ** Math.min(failures, 10));
  return minMs + Math.floor((longestMs - minMs) * chance.fraction());
}
