/**
 * Changes of buckets: what is saved, and what the facts of it say.
 *
 * Each setting is a part of its own: clients set several of them at once, and none of these calls is to stand in another's way.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigurationChange } from '../../api/configuration-change.ts';
import type { Bucket, BucketUpdate } from '../../store/objects.ts';
import { changedBucket } from '../../store/objects-rules.ts';
import { bucketArn } from './names.ts';
import { empty, type S3Call, type S3Decision } from './s3-call.ts';

const PARTS: Readonly<Record<keyof BucketUpdate, true>> = {
  policy: true,
  versioning: true,
  objectLock: true,
  encryption: true,
  ownership: true,
  publicAccessBlock: true,
  tags: true,
  lifecycle: true,
};

/**
 * @param answer Status and headers of the answer.
 * @throws ObjectsError InvalidBucketState
 */
export function changeBucket(
  call: S3Call,
  bucket: Bucket,
  update: BucketUpdate,
  ...answer: Parameters<typeof empty>
): Pick<S3Decision, 'apply' | 'changes'> {
  return {
    changes: bucketChanges(call, bucket, changedBucket(bucket, update)),
    apply: async () => {
      await call.objects.updateBucket(bucket.name, update, bucket);
      return empty(...answer);
    },
  };
}

/** What of a bucket is another one: the bucket itself, and each of its settings. `undefined`: there is none. */
export function bucketChanges(call: S3Call, before: Bucket | undefined, after: Bucket | undefined): readonly ConfigurationChange[] {
  const place = bucketPlace(call, (after ?? before)!);
  const itself = { ...place, before: before && withoutParts(before), after: after && withoutParts(after) };
  const parts = (Object.keys(PARTS) as (keyof BucketUpdate)[]).map((part) => ({
    ...place,
    part,
    before: partOf(before, part),
    after: partOf(after, part),
  }));
  return [itself, ...parts].filter((change) => !isDeepStrictEqual(change.before, change.after));
}

/** What facts call the bucket. Whose one at another S3 is, is not known here: the fact is of who changes it. */
export function bucketPlace(call: S3Call, { name, owner, region }: Bucket) {
  return { resource: bucketArn(name), account: owner ?? call.request.call.account, region };
}

function partOf(bucket: Bucket | undefined, part: keyof BucketUpdate): object | undefined {
  return bucket?.[part] === undefined ? undefined : { [part]: bucket[part] };
}

function withoutParts(bucket: Bucket): object {
  return Object.fromEntries(Object.entries(bucket).filter(([name]) => !Object.hasOwn(PARTS, name)));
}
