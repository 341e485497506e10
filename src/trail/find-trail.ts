/**
 * Finds the trails that a caller may see, and the one that it names.
 *
 * A multi-Region trail is seen in every Region (its shadows); only its home Region may change it. A trail of another
 * account looks as if it were not there: the same error, whether it exists or not.
 * Source: cloudtrail.md §2.3, §7.4, §7.5.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { AccountId, Region } from '../event/types.ts';
import type { Catalog, CatalogDocument } from '../store/catalog.ts';
import { type Trail, trailArn } from './trail.ts';
import { parseTrailReference, type TrailReference } from './trail-name.ts';

/** All trails of an account, by home Region and name. */
export async function listTrails(catalog: Pick<Catalog, 'list'>, account: AccountId): Promise<readonly CatalogDocument<Trail>[]> {
  return catalog.list<Trail>(['trail', account]);
}

/** All trails of all accounts: for the administrator alone. */
export async function listAllTrails(catalog: Pick<Catalog, 'list'>): Promise<readonly CatalogDocument<Trail>[]> {
  return catalog.list<Trail>(['trail']);
}

/** True when the trail is in the Region: homed there, or as a shadow. */
export function isSeenIn(trail: Trail, region: Region): boolean {
  return trail.homeRegion === region || trail.isMultiRegionTrail;
}

/** The trail that `reference` names for the caller, of those given; `undefined` when there is none. */
export function matchTrail<T extends { readonly value: Trail }>(
  trails: readonly T[],
  reference: TrailReference,
  call: Call,
): T | undefined {
  if (reference.kind === 'arn') return trails.find(({ value }) => trailArn(value) === reference.arn);
  const named = trails.filter(({ value }) => value.name === reference.name && isSeenIn(value, call.region));
  return named.find(({ value }) => value.homeRegion === call.region) ?? named[0];
}

/**
 * The trail that the caller names, to be read.
 * @throws ApiError TrailNotFoundException, CloudTrailARNInvalidException, InvalidTrailNameException
 */
export async function findTrail(catalog: Pick<Catalog, 'list'>, call: Call, nameOrArn: string): Promise<CatalogDocument<Trail>> {
  const reference = parseTrailReference(nameOrArn);
  const found = matchTrail(await listTrails(catalog, call.account), reference, call);
  if (found === undefined) throw new ApiError('TrailNotFoundException', `Unknown trail: ${nameOrArn} for the user: ${call.account}`);
  return found;
}

/**
 * The trail that the caller names, to be changed.
 * @throws ApiError as `findTrail`, and InvalidHomeRegionException
 */
export async function findTrailAtHome(catalog: Pick<Catalog, 'list'>, call: Call, nameOrArn: string): Promise<CatalogDocument<Trail>> {
  const found = await findTrail(catalog, call, nameOrArn);
  const { homeRegion } = found.value;
  if (homeRegion !== call.region) {
    const message = `The trail ${trailArn(found.value)} can be changed only in its home Region ${homeRegion}; the call is in ${call.region}.`;
    throw new ApiError('InvalidHomeRegionException', message);
  }
  return found;
}
