/**
 * What a change of a bucket takes from the trails that deliver to it: what another person may have to approve (A22).
 *
 * Trails of all accounts count, for a bucket may be a central one; who changes its own bucket learns of them what its policy says
 * anyway: the name of the trail that it lets in.
 */
import type { BucketChange } from '../store/bucket-change.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Objects } from '../store/objects.ts';
import { faultOfPolicy } from './check-bucket.ts';
import { listAllTrails } from './find-trail.ts';
import { type Trail, trailArn } from './trail.ts';

/** As a clause; `undefined` when no trail that delivers to the bucket loses anything. */
export async function narrowsBucket(
  deps: { readonly catalog: Pick<Catalog, 'list'>; readonly objects: Pick<Objects, 'getBucket'> },
  change: BucketChange,
): Promise<string | undefined> {
  const trails = (await listAllTrails(deps.catalog)).map(({ value }) => value).filter(({ s3BucketName }) => s3BucketName === change.bucket);
  if (trails.length === 0) return undefined;
  const bucket = await deps.objects.getBucket(change.bucket);
  const losing = trails.filter((trail) => bucket !== undefined && isNarrowed(bucket, trail, change));
  if (losing.length === 0) return undefined;
  return `${CLAUSES[change.kind]} the bucket ${change.bucket}, which ${losing.map(trailArn).join(' and ')} delivers to`;
}

const CLAUSES: Readonly<Record<BucketChange['kind'], string>> = {
  policy: 'delivery is taken from',
  removal: 'it removes',
  versioning: 'versions are no longer kept in',
  lifecycle: 'objects are to expire in',
  lock: 'objects are locked for a shorter time, or less strictly, in',
  encryption: 'another key encrypts by default in',
};

function isNarrowed(bucket: Parameters<typeof faultOfPolicy>[0], trail: Trail, change: BucketChange): boolean {
  // A trail with a key of its own does not ask for the bucket's.
  if (change.kind === 'encryption') return trail.kmsKeyId === undefined;
  if (change.kind !== 'policy') return true;
  const { policy: _, ...rest } = bucket;
  const after = change.policy === null ? rest : { ...rest, policy: change.policy };
  return faultOfPolicy(bucket, trail) === undefined && faultOfPolicy(after, trail) !== undefined;
}
