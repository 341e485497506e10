/**
 * Checks that a trail may write to a bucket, before it is accepted and at each flush.
 *
 * For a bucket of the built-in store its policy decides, evaluated for `cloudtrail.amazonaws.com` with the headers and the
 * source that a delivery has; a bucket of another account is no different: its owner's policy names this very trail or
 * account, or nothing is written. For a foreign bucket whose policy can't be read, a put of the probe object decides.
 * Refuses to guess: a policy that cannot be read as a policy allows nothing.
 * Source: cloudtrail.md §2.2, §7.1, §7.2, §11.2.
 */
import { ApiError } from '../api/api-error.ts';
import type { ObjectKey } from '../event/types.ts';
import { statementName } from '../policy/evaluate-policy.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { type Bucket, ObjectConflict, type Objects, ObjectsError } from '../store/objects.ts';
import { type BucketTarget, correctedPolicy, foldersOf, judge, type NeededAccess, neededAccess } from './bucket-policy.ts';
import { CORRECTED } from './corrected-policy.ts';
import { accountFolder, evidenceFolder, trailArn } from './trail.ts';

const PREFIX_LENGTH_MAX = 200;

/**
 * Checks the form of a bucket's name.
 * @throws ApiError InvalidS3BucketNameException
 */
export function requireBucketName(name: string): void {
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !/^[0-9]+(\.[0-9]+){3}$/.test(name);
  if (!isName) {
    const rule = '3 to 63 lower-case letters, digits, periods and hyphens, beginning and ending with a letter or digit';
    throw new ApiError('InvalidS3BucketNameException', `Bucket name is not valid: ${name.slice(0, 100)}. It has ${rule}.`);
  }
}

/**
 * Checks the form of a key prefix.
 * @throws ApiError InvalidS3PrefixException
 */
export function requirePrefix(prefix: string): void {
  if (prefix.length > PREFIX_LENGTH_MAX)
    throw new ApiError('InvalidS3PrefixException', `The prefix has ${prefix.length} characters; at most ${PREFIX_LENGTH_MAX} are allowed.`);
  if (/[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(prefix) || prefix.startsWith('/') || prefix.split('/').includes('..'))
    throw new ApiError('InvalidS3PrefixException', 'The prefix must not begin with a slash or hold control characters or `..`.');
}

/**
 * Checks that the bucket is there and takes what the trail will write.
 *
 * @param receiptsMade Receipts that this trail has made so far; a trail without any refuses a folder that has some.
 * @throws ApiError S3BucketDoesNotExistException, InsufficientS3BucketPolicyException, InvalidS3PrefixException
 */
export async function requireWritableBucket(objects: Objects, target: BucketTarget, receiptsMade: number): Promise<void> {
  const { s3BucketName: name } = target;
  const bucket = await objects.getBucket(name);
  if (bucket === undefined) throw new ApiError('S3BucketDoesNotExistException', `S3 bucket ${name} does not exist!`);
  const fault = isDecidedByProbe(bucket) ? await probe(objects, target) : faultOfPolicy(bucket, target);
  if (fault !== undefined)
    throw new ApiError(
      'InsufficientS3BucketPolicyException',
      `Incorrect S3 bucket policy is detected for bucket: ${name}. ${fault}${correction(bucket, target)}`,
    );
  if (receiptsMade === 0) await refuseForeignEvidence(objects, target);
}

/** The policy that would do, for the message. */
function correction(bucket: Bucket, target: BucketTarget): string {
  const corrected = isDecidedByProbe(bucket) ? undefined : correctedPolicy(bucket, target);
  return corrected === undefined ? '' : `${CORRECTED}${corrected}`;
}

/** Puts the empty object that shows that the trail can write; it stays, as the service leaves it. */
export async function putProbe(objects: Objects, target: BucketTarget): Promise<void> {
  for (const folder of foldersOf(target))
    try {
      await objects.put(target.s3BucketName, folder as ObjectKey, new Uint8Array(), {
        ifNoneMatch: true,
        acl: 'bucket-owner-full-control',
      });
    } catch (error) {
      // Something else lies there; that we may write was decided before.
      if (!(error instanceof ObjectConflict)) throw error;
    }
}

/**
 * Whether the policy of the bucket, as it is now, lets the trail write.
 * @returns `undefined` when it does; else what is missing, in sentences, and what to do.
 */
export function faultOfPolicy(bucket: Bucket, target: BucketTarget): string | undefined {
  if (isDecidedByProbe(bucket)) return undefined;
  const arn = trailArn(target);
  const needed = neededAccess(target);
  const add = ({ sid, on }: NeededAccess) =>
    `Add the statement ${sid} of the documented CloudTrail bucket policy, with the resource ` +
    `arn:aws:s3:::${on} and, if it names aws:SourceArn, ${arn}.`;
  if (bucket.policy === undefined) {
    const statements = new Map(needed.map((each) => [each.sid, add(each)]));
    return `The bucket has no policy. ${[...statements.values()].join(' ')}`;
  }
  const parsed = parsePolicy(bucket.policy);
  if (parsed.kind === 'malformed') return `Its policy cannot be read: ${parsed.reason}. ${add(needed[0]!)}`;
  for (const each of needed) {
    const { action, resource } = each;
    const verdict = judge(parsed.policy, target, each);
    if (verdict.kind === 'denied')
      return `Statement ${statementName(verdict.statement)} denies ${action} on ${resource} to the trail ${arn}.`;
    if (verdict.kind === 'not-allowed') return `No statement allows ${action} on ${resource} to cloudtrail.amazonaws.com. ${add(each)}`;
  }
  return undefined;
}

/** A foreign bucket that shows no policy: the service behind it decides at each put. */
function isDecidedByProbe(bucket: Bucket): boolean {
  return bucket.owner === undefined && bucket.policy === undefined;
}

async function probe(objects: Objects, target: BucketTarget): Promise<string | undefined> {
  try {
    await putProbe(objects, target);
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectsError)) throw error;
    const key = accountFolder(target.s3KeyPrefix, target.account);
    return `Putting ${key} failed with ${error.reason}: allow s3:PutObject on it to the credentials that Snowtrail has for this bucket.`;
  }
}

/** Receipts of another installation's trail of the same name: ours would contradict them. */
async function refuseForeignEvidence(objects: Objects, target: BucketTarget): Promise<void> {
  const folder = evidenceFolder(target, target.s3KeyPrefix);
  try {
    if ((await objects.head(target.s3BucketName, `${folder}receipts/000000000001.note` as ObjectKey)) === undefined) return;
  } catch (error) {
    // A bucket that lets us write and not look is fine: a put never overwrites.
    if (error instanceof ObjectsError) return;
    throw error;
  }
  const message = `The bucket holds evidence of another trail of this name at ${folder}; choose another S3KeyPrefix or trail name.`;
  throw new ApiError('InvalidS3PrefixException', message);
}
