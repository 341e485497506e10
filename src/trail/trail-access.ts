/**
 * What a caller must be allowed to work on the trail that it names.
 *
 * The ARN is that of the trail itself where the caller can see one of the name, so that a policy about its home Region's ARN
 * decides in every Region; else the ARN that a trail of the name would have here. Either way the answer tells nothing of others.
 * Source: cloudtrail.md §14; Service Authorization Reference, "AWS CloudTrail".
 */
import type { AccessRequest, ResourceAccess } from '../api/access.ts';
import type { FindResource } from '../api/find-resource.ts';
import type { Call } from '../api/operation.ts';
import { resourceTagContext } from '../api/tags.ts';
import type { Catalog } from '../store/catalog.ts';
import { findSeenTrail, referenceArn, seenTrails } from './find-trail.ts';
import { type Trail, trailArn } from './trail.ts';
import { parseTrailReference } from './trail-name.ts';
import { tagsOf } from './trail-tags.ts';

/** @throws ApiError InvalidTrailNameException, CloudTrailARNInvalidException */
export async function trailAccess(
  catalog: Pick<Catalog, 'get' | 'list'>,
  call: Call,
  { action, nameOrArn }: { readonly action: string; readonly nameOrArn: string | undefined },
): Promise<readonly AccessRequest[]> {
  const reference = parseTrailReference(nameOrArn ?? '');
  const found = await findSeenTrail(catalog, call, reference);
  if (found === undefined) return [{ action, resource: referenceArn(reference, call), found: {} }];
  return [{ action, resource: trailArn(found.value), found: await accessOf(catalog, found.value) }];
}

/** Trails that are named as a resource. Of what names none, such as `*`, nothing is read. */
export function trailResource(catalog: Pick<Catalog, 'get' | 'list'>): FindResource {
  return async ({ call, action, resource }) => {
    if (!resource.includes(':trail/') || /^cloudtrail:CreateTrail$/i.test(action)) return undefined;
    const found = (await seenTrails(catalog, call.account)).find(({ value }) => trailArn(value) === resource);
    return found === undefined ? undefined : accessOf(catalog, found.value);
  };
}

/** What a trail decides itself. It has no policy: who sees one of an organization needs rights of its own account alone. */
async function accessOf(catalog: Pick<Catalog, 'get'>, trail: Trail): Promise<ResourceAccess> {
  return { context: new Map([['aws:resourceaccount', [trail.account]], ...resourceTagContext(await tagsOf(catalog, trail))]) };
}
