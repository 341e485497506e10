/**
 * Finds the trails that a caller may see, and the one that it names.
 *
 * A trail of an organization is seen by every member, and changed by its management account and by delegated administrators alone.
 * A multi-Region trail is seen in every Region (its shadows); only its home Region may change it. A trail of another
 * account looks as if it were not there: the same error, whether it exists or not.
 * Source: cloudtrail.md §2.3, §7.4, §7.5.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { AccountId, Region } from '../event/types.ts';
import type { Catalog, CatalogDocument } from '../store/catalog.ts';
import { CLOUDTRAIL_PRINCIPAL, isDelegatedTo, type Membership, membershipKey, type Organization } from '../store/organization.ts';
import { type Trail, trailArn, trailKey } from './trail.ts';
import { parseTrailReference, type TrailReference } from './trail-name.ts';

/** All trails of an account, by home Region and name. */
export async function listTrails(catalog: Pick<Catalog, 'list'>, account: AccountId): Promise<readonly CatalogDocument<Trail>[]> {
  return catalog.list<Trail>(['trail', account]);
}

/** The trails that an account may read: its own first, then those of the organization that it belongs to (its shadows there). */
export async function seenTrails(catalog: Pick<Catalog, 'get' | 'list'>, account: AccountId): Promise<readonly CatalogDocument<Trail>[]> {
  const own = await listTrails(catalog, account);
  const membership = (await catalog.get<Membership>(membershipKey(account)))?.value;
  if (membership === undefined || membership.management === account) return own;
  const { organizationId, management } = membership;
  return [...own, ...(await organizationTrails(catalog, { id: organizationId, management }))];
}

/** The trails of an organization. */
export async function organizationTrails(
  catalog: Pick<Catalog, 'list'>,
  { id, management }: Pick<Organization, 'id' | 'management'>,
): Promise<readonly CatalogDocument<Trail>[]> {
  return (await listTrails(catalog, management)).filter(({ value }) => value.organizationId === id);
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
  const own = named.filter(({ value }) => value.account === call.account);
  const chosen = own.length > 0 ? own : named;
  return chosen.find(({ value }) => value.homeRegion === call.region) ?? chosen[0];
}

/** The trail that `reference` names for the caller, of those that it may read; `undefined` when there is none. */
export async function findSeenTrail(
  catalog: Pick<Catalog, 'get' | 'list'>,
  call: Call,
  reference: TrailReference,
): Promise<CatalogDocument<Trail> | undefined> {
  // Most calls name an own trail by its ARN or at its home: nothing comes before that one, so no other is looked at.
  const { account, region } = call;
  const isArn = reference.kind === 'arn';
  if (!isArn || reference.account === account) {
    const found = await catalog.get<Trail>(trailKey({ account, homeRegion: isArn ? reference.region : region, name: reference.name }));
    if (found !== undefined && matchTrail([found], reference, call) !== undefined) return found;
  }
  return matchTrail(await seenTrails(catalog, account), reference, call);
}

/** The ARN that is given, or that a trail of the name has or would have where the call is. */
export function referenceArn(reference: TrailReference, { account, region }: Pick<Call, 'account' | 'region'>): string {
  return reference.kind === 'arn' ? reference.arn : trailArn({ account, homeRegion: region, name: reference.name });
}

/**
 * The trail that the caller names, to be read. A refusal says what was given, or the ARN that it means.
 * @throws ApiError TrailNotFoundException, CloudTrailARNInvalidException, InvalidTrailNameException
 */
export async function findTrail(
  catalog: Pick<Catalog, 'get' | 'list'>,
  call: Call,
  nameOrArn: string,
  refuseAs: 'given' | 'arn' = 'given',
): Promise<CatalogDocument<Trail>> {
  const reference = parseTrailReference(nameOrArn);
  const found = await findSeenTrail(catalog, call, reference);
  if (found === undefined) throw unknownTrail(call, refuseAs === 'arn' ? referenceArn(reference, call) : nameOrArn);
  return found;
}

/** The caller's own trail: what its objects say of other accounts of an organization is for its owner. @throws ApiError as `findTrail` */
export async function findOwnTrail(catalog: Pick<Catalog, 'list'>, call: Call, nameOrArn: string): Promise<CatalogDocument<Trail>> {
  const found = matchTrail(await listTrails(catalog, call.account), parseTrailReference(nameOrArn), call);
  if (found === undefined) throw unknownTrail(call, nameOrArn);
  return found;
}

/**
 * The trail that the caller names, to be changed.
 * @throws ApiError as `findTrail`, NotOrganizationMasterAccountException, InvalidHomeRegionException
 */
export async function findTrailAtHome(
  catalog: Pick<Catalog, 'get' | 'list'>,
  call: Call,
  nameOrArn: string,
): Promise<CatalogDocument<Trail>> {
  const found = await findTrail(catalog, call, nameOrArn);
  await requireOwnerOrDelegate(catalog, call, found.value);
  const { homeRegion } = found.value;
  if (homeRegion !== call.region) {
    const message = `The trail ${trailArn(found.value)} can be changed only in its home Region ${homeRegion}; the call is in ${call.region}.`;
    throw new ApiError('InvalidHomeRegionException', message);
  }
  return found;
}

/** Members see an organization's trail and change nothing of it (A15). @throws ApiError NotOrganizationMasterAccountException */
export async function requireOwnerOrDelegate(catalog: Pick<Catalog, 'get'>, call: Call, trail: Trail): Promise<void> {
  if (trail.account === call.account) return;
  const membership = (await catalog.get<Membership>(membershipKey(call.account)))?.value;
  if (membership !== undefined && isDelegatedTo(membership, CLOUDTRAIL_PRINCIPAL)) return;
  const message = `The trail ${trailArn(trail)} is of the organization: only its management account and delegated administrators can change it.`;
  throw new ApiError('NotOrganizationMasterAccountException', message);
}

function unknownTrail(call: Call, nameOrArn: string): ApiError {
  return new ApiError('TrailNotFoundException', `Unknown trail: ${nameOrArn} for the user: ${call.account}`);
}
