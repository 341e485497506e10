/**
 * Look-ups are refused, not answered in part, while entries that were found before are not in the index (F38).
 */
import { ApiError } from '../api/api-error.ts';
import type { HistoryFollower } from './index-events.ts';

/** @throws ApiError with status 503, which clients repeat by themselves. */
export function refuseWhileCatchingUp(follower: Pick<HistoryFollower, 'catchingUp'>): void {
  const behind = follower.catchingUp();
  if (behind === undefined) return;
  throw new ApiError(
    'ServiceUnavailable',
    `event history is being rebuilt from the journal: ${behind.coveredTo} of ${behind.target} entries; ask again later`,
    { status: 503 },
  );
}
