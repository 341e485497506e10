/**
 * Look-ups are refused, not answered in part, while entries that were found before are not in the index (F38).
 */
import { ApiError } from '../api/api-error.ts';
import type { HistoryDeps } from './history-deps.ts';

/** @throws ApiError with status 503, which clients repeat by themselves. */
export function refuseWhileCatchingUp(deps: Pick<HistoryDeps, 'follower'>): void {
  const behind = deps.follower.catchingUp();
  if (behind === undefined) return;
  throw new ApiError(
    'ServiceUnavailable',
    `event history is being rebuilt from the journal: ${behind.coveredTo} of ${behind.target} entries; ask again later`,
    { status: 503 },
  );
}
