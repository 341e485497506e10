/**
 * The KMS key of a trail: what its owner may name, checked as a delivery will use it, and the data keys of deliveries.
 *
 * Log files and digests are encrypted with it; without one, as their bucket encrypts by default. Receipts and public keys are not: whoever may
 * read the bucket can check that nothing is missing, also without the key (docs/decisions, "objects are encrypted where it is asked for").
 * Source: cloudtrail.md §7.2, §11.1.
 */
import { ApiError } from '../api/api-error.ts';
import type { BucketName } from '../event/types.ts';
import type { Bucket, Objects, PutOptions } from '../store/objects.ts';
import type { TrailKeys } from '../store/trail-keys.ts';
import { CORRECTED } from './corrected-policy.ts';
import { accountFolder, type Trail, type TrailId, trailArn } from './trail.ts';

interface KeyDeps {
  readonly objects: Pick<Objects, 'getBucket'>;
  readonly foreignBuckets?: ReadonlySet<BucketName>;
  readonly trailKeys: TrailKeys;
}

/**
 * The trail with the key that the call names.
 * @param given `KmsKeyId`: absent leaves the trail's key, which must fit the bucket as well; an empty one takes it away.
 * @throws ApiError KmsKeyNotFoundException, InvalidKmsKeyIdException, KmsException, InsufficientEncryptionPolicyException
 */
export async function withTrailKey(deps: KeyDeps, trail: Trail, given: string | undefined): Promise<Trail> {
  const { kmsKeyId: before, ...rest } = trail;
  const name = given ?? before ?? '';
  if (name === '') return rest;
  if (deps.foreignBuckets?.has(trail.s3BucketName)) return { ...rest, kmsKeyId: requireForeignKey(name) };
  const bucket = await deps.objects.getBucket(trail.s3BucketName);
  const place = `${trail.s3BucketName}/${accountFolder(trail.s3KeyPrefix, trail.account)}`;
  const verdict = await deps.trailKeys.check(name, bucket?.region ?? trail.homeRegion, useOf(trail, place));
  switch (verdict.kind) {
    case 'usable':
      return { ...rest, kmsKeyId: verdict.arn };
    case 'malformed':
      throw new ApiError(
        'InvalidKmsKeyIdException',
        `KMS key id is not valid: ${shown(name)}. Give a key id, a key ARN, an alias or its ARN.`,
      );
    case 'missing':
      throw new ApiError(
        'KmsKeyNotFoundException',
        `KMS key ${shown(name)} does not exist in the Region of the bucket ${trail.s3BucketName}.`,
      );
    case 'unusable':
      throw new ApiError('KmsException', `KMS key ${verdict.arn} cannot be used: ${verdict.reason}.`);
    case 'refused':
      throw new ApiError(
        'InsufficientEncryptionPolicyException',
        `Insufficient permissions to access S3 bucket ${trail.s3BucketName} or KMS key ${verdict.arn}. ${verdict.reason}${CORRECTED}${verdict.correctedPolicy}`,
      );
  }
}

/**
 * What the put of an object asks for so that it is encrypted with the trail's key, or as its bucket does by default.
 * @param bucket As it was seen last; looked at anew where it is absent.
 * @throws ObjectsError
 */
export async function sealOptions(
  deps: KeyDeps,
  trail: TrailId,
  { keyArn, bucket }: { readonly keyArn: string | undefined; readonly bucket: Bucket | undefined },
  object: { readonly bucket: BucketName; readonly key: string },
): Promise<Pick<PutOptions, 'dataKey' | 'encryption'>> {
  if (keyArn === undefined) return defaultSeal(deps, trail, bucket, object);
  const use = useOf(trail, `${object.bucket}/${object.key}`);
  // The service behind a foreign bucket asks its own KMS.
  if (deps.foreignBuckets?.has(object.bucket)) return { encryption: { algorithm: 'aws:kms', keyArn, context: use.context } };
  return { dataKey: await deps.trailKeys.make(keyArn, use) };
}

/** A foreign bucket does so itself. */
async function defaultSeal(
  { objects, foreignBuckets, trailKeys }: KeyDeps,
  trail: TrailId,
  seen: Bucket | undefined,
  { bucket, key }: { readonly bucket: BucketName; readonly key: string },
): Promise<Pick<PutOptions, 'dataKey'>> {
  if (foreignBuckets?.has(bucket)) return {};
  const { encryption, owner, region } = (seen?.name === bucket ? seen : await objects.getBucket(bucket)) ?? {};
  if (encryption === undefined || owner === undefined || region === undefined) return {};
  // The key is the bucket's, and the context is that of S3 alone, as for whoever else puts there.
  const context = { 'aws:s3:arn': `arn:aws:s3:::${bucket}${encryption.isBucketKey ? '' : `/${key}`}` };
  const use = { account: trail.account, trailArn: trailArn(trail), context };
  return { dataKey: await trailKeys.makeDefault(encryption, { account: owner, region }, use) };
}

function useOf(trail: TrailId, place: string) {
  const arn = trailArn(trail);
  return { account: trail.account, trailArn: arn, context: { 'aws:cloudtrail:arn': arn, 'aws:s3:arn': `arn:aws:s3:::${place}` } };
}

/** A key of a foreign KMS is taken as it is named: the foreign store refuses a wrong one at the first put. */
function requireForeignKey(name: string): string {
  if (/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,128}$/.test(name)) return name;
  throw new ApiError(
    'InvalidKmsKeyIdException',
    `KMS key id is not valid: ${shown(name)}. For a bucket at another S3 give the full ARN of the key.`,
  );
}

function shown(name: string): string {
  return name.slice(0, 256).replace(/[^\x20-\x7e]/g, '?');
}
