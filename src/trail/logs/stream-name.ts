/**
 * Names of the log streams that a trail writes to.
 *
 * Source: cloudtrail.md §10.1.
 */
import type { TrailId } from '../trail.ts';

/**
 * @param of.account Whose events it takes; of an organization's trail, each account has its own.
 * @param lane From 0: streams after the first have a number, from `_2` on. They are used under load.
 */
export function logStreamName(
  { account, homeRegion, organizationId }: Pick<TrailId, 'account' | 'homeRegion'> & { readonly organizationId?: string },
  lane = 0,
): string {
  return `${organizationId === undefined ? '' : `${organizationId}_`}${account}_CloudTrail_${homeRegion}${lane === 0 ? '' : `_${lane + 1}`}`;
}
