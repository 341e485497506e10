/**
 * Names of the log streams that a trail writes to.
 *
 * Source: cloudtrail.md §10.1.
 */
import type { TrailId } from '../trail.ts';

/** @param lane From 0: streams after the first have a number, from `_2` on. They are used under load. */
export function logStreamName({ account, homeRegion }: Pick<TrailId, 'account' | 'homeRegion'>, lane = 0): string {
  return `${account}_CloudTrail_${homeRegion}${lane === 0 ? '' : `_${lane + 1}`}`;
}
