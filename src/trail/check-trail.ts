/**
 * Checks that a trail and those that are there can stand beside each other: names and numbers in each Region.
 *
 * A multi-Region trail is in every Region, so its name must be free, and its place left, wherever the account has trails.
 * Source: cloudtrail.md §7.2, §7.8.
 */
import { ApiError } from '../api/api-error.ts';
import type { Region } from '../event/types.ts';
import { isSeenIn } from './find-trail.ts';
import { TRAILS_PER_REGION_MAX, type Trail, trailArn } from './trail.ts';

/** @throws ApiError MaximumNumberOfTrailsExceededException, with the Region in which there is no place. */
export function requirePlace(trail: Trail, others: readonly Trail[]): void {
  for (const region of regionsOf(trail, others)) {
    const count = others.filter((other) => isSeenIn(other, region)).length;
    if (count >= TRAILS_PER_REGION_MAX) {
      const message = `User: ${trail.account} already has ${count} trails in ${region}.`;
      throw new ApiError('MaximumNumberOfTrailsExceededException', message);
    }
  }
}

/** @throws ApiError TrailAlreadyExistsException */
export function requireFreeName(trail: Trail, others: readonly Trail[]): void {
  const regions = regionsOf(trail, others);
  const other = others.find(({ name, ...rest }) => name === trail.name && regions.some((region) => isSeenIn({ name, ...rest }, region)));
  if (other === undefined) return;
  const where = other.homeRegion === trail.homeRegion ? '' : `, as ${trailArn(other)}`;
  throw new ApiError('TrailAlreadyExistsException', `Trail ${trail.name} already exists for customer: ${trail.account}${where}`);
}

/** @throws ApiError InvalidParameterCombinationException */
export function requireGlobalEvents(trail: Trail): void {
  if (trail.isMultiRegionTrail && !trail.includeGlobalServiceEvents)
    throw new ApiError('InvalidParameterCombinationException', 'Multi-Region trail must include global service events.');
}

/** The Regions in which the trail meets others. */
function regionsOf(trail: Trail, others: readonly Trail[]): readonly Region[] {
  const homes = trail.isMultiRegionTrail ? others.map((other) => other.homeRegion) : [];
  return [...new Set([trail.homeRegion, ...homes])];
}
