/**
 * What a caller must be allowed to work on the trail that it names.
 *
 * The ARN is that of the trail itself where the caller can see one of the name, so that a policy about its home Region's ARN
 * decides in every Region; else the ARN that a trail of the name would have here. Either way the answer tells nothing of others.
 * Source: cloudtrail.md §14; Service Authorization Reference, "AWS CloudTrail".
 */
import type { AccessRequest } from '../api/access.ts';
import type { Call } from '../api/operation.ts';
import { resourceTagContext } from '../api/tags.ts';
import type { Catalog } from '../store/catalog.ts';
import { findSeenTrail, referenceArn } from './find-trail.ts';
import { trailArn } from './trail.ts';
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
  if (found !== undefined) {
    const context = resourceTagContext(await tagsOf(catalog, found.value));
    return [{ action, resource: trailArn(found.value), context }];
  }
  return [{ action, resource: referenceArn(reference, call) }];
}
