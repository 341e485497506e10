/**
 * Look-ups are refused, not answered in part, while entries that were found before are not in the index (F38). Where the
 * journal is damaged at the next of them, history does not pass over it by itself, and the refusal says so (P8).
 */
import { ApiError } from '../api/api-error.ts';
import type { Journal } from '../store/journal.ts';
import type { HistoryFollower } from './index-events.ts';

/** @throws ApiError with status 503, which clients repeat by themselves. */
export function refuseWhileCatchingUp(deps: {
  readonly follower: Pick<HistoryFollower, 'catchingUp'>;
  readonly journal: Pick<Journal, 'damage'>;
}): void {
  const behind = deps.follower.catchingUp();
  if (behind === undefined) return;
  const next = behind.coveredTo + 1n;
  const damage = deps.journal.damage().find(({ from, to }) => from <= next && next <= to);
  if (damage !== undefined) {
    throw new ApiError(
      'ServiceUnavailable',
      `event history has stopped at entry ${next} of ${behind.target}, because journal entries ${damage.from} to ${damage.to} ` +
        'are damaged; it does not go on by itself: see `snowtrail doctor`',
      { status: 503 },
    );
  }
  throw new ApiError(
    'ServiceUnavailable',
    `event history is being rebuilt from the journal: ${behind.coveredTo} of ${behind.target} entries; ask again later`,
    { status: 503 },
  );
}
