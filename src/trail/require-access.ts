/**
 * Whether a trail may still write to its bucket, as the bucket's policy says now.
 */
import type { Bucket, Objects } from '../store/objects.ts';
import { faultOfPolicy } from './check-bucket.ts';
import { DeliveryFailed, type PutDeps, untilAnswered } from './put-object.ts';
import { accountFolder, type TrailId } from './trail.ts';
import type { TrailTarget } from './trail-state.ts';

/** @returns The bucket as it is now. @throws DeliveryFailed with `NoSuchBucket` or `AccessDenied`, or because the bucket does not answer. */
export async function requireAccess(
  deps: Pick<PutDeps, 'clock' | 'putTimeoutMs' | 'stop'> & { readonly objects: Pick<Objects, 'getBucket'> },
  trail: TrailId,
  target: TrailTarget,
): Promise<Bucket> {
  const bucket = await untilAnswered(deps, `reading the bucket \`${target.bucket}\``, deps.objects.getBucket(target.bucket));
  if (bucket === undefined) throw new DeliveryFailed('NoSuchBucket', `bucket \`${target.bucket}\` does not exist`);
  const { bucket: s3BucketName, prefix, organizationId } = target;
  const place = {
    ...{ ...trail, s3BucketName },
    ...(prefix === null ? {} : { s3KeyPrefix: prefix }),
    ...(organizationId === undefined ? {} : { organizationId }),
  };
  const fault = faultOfPolicy(bucket, place);
  if (fault !== undefined)
    throw new DeliveryFailed(
      'AccessDenied',
      `\`${target.bucket}/${accountFolder(target.prefix ?? undefined, trail.account)}\` is closed: ${fault}`,
    );
  return bucket;
}
