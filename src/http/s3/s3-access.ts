/**
 * What the caller of an S3 operation must be allowed: its IAM actions, the bucket or object, and S3's own condition keys.
 *
 * What a bucket itself decides is found by `bucketAccess` alone, for calls as for those who ask what would become of one.
 * Source: Service Authorization Reference, "Amazon S3"; S3 User Guide, "Required permissions for Amazon S3 API operations".
 */
import type { IncomingMessage } from 'node:http';
import type { AccessRequest, ResourceAccess } from '../../api/access.ts';
import type { ResourceQuestion } from '../../api/find-resource.ts';
import type { Call, Principal } from '../../api/operation.ts';
import { resourceTagContext } from '../../api/tags.ts';
import type { AccountId } from '../../event/types.ts';
import type { Clock } from '../../store/clock.ts';
import type { Bucket } from '../../store/objects.ts';
import { bucketArn, objectArn } from './names.ts';
import { isRestricted } from './public-policy.ts';

/** Actions that are not called as their operation is. */
const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['ListBuckets', 'ListAllMyBuckets'],
  ['HeadBucket', 'ListBucket'],
  ['ListObjects', 'ListBucket'],
  ['ListObjectVersions', 'ListBucketVersions'],
  ['ListMultipartUploads', 'ListBucketMultipartUploads'],
  ['ListParts', 'ListMultipartUploadParts'],
  ['HeadObject', 'GetObject'],
  ['CopyObject', 'PutObject'],
  ['CreateMultipartUpload', 'PutObject'],
  ['UploadPart', 'PutObject'],
  ['UploadPartCopy', 'PutObject'],
  ['CompleteMultipartUpload', 'PutObject'],
  ['PostObject', 'PutObject'],
  ['GetBucketLifecycle', 'GetLifecycleConfiguration'],
  ['PutBucketLifecycle', 'PutLifecycleConfiguration'],
  ['DeleteBucketLifecycle', 'PutLifecycleConfiguration'],
  ['GetBucketEncryption', 'GetEncryptionConfiguration'],
  ['PutBucketEncryption', 'PutEncryptionConfiguration'],
  ['DeleteBucketEncryption', 'PutEncryptionConfiguration'],
  ['GetBucketReplication', 'GetReplicationConfiguration'],
  ['PutBucketReplication', 'PutReplicationConfiguration'],
  ['DeleteBucketReplication', 'PutReplicationConfiguration'],
  ['DeleteBucketCors', 'PutBucketCORS'],
  ['DeleteBucketTagging', 'PutBucketTagging'],
  ['DeleteBucketPublicAccessBlock', 'PutBucketPublicAccessBlock'],
  ['DeleteBucketOwnershipControls', 'PutBucketOwnershipControls'],
]);

/** Those that have an own right for a version that is named. */
const OF_VERSIONS: ReadonlyMap<string, string> = new Map([
  ['GetObject', 'GetObjectVersion'],
  ['GetObjectAcl', 'GetObjectVersionAcl'],
  ['GetObjectAttributes', 'GetObjectVersionAttributes'],
  ['GetObjectTagging', 'GetObjectVersionTagging'],
  ['PutObjectAcl', 'PutObjectVersionAcl'],
  ['PutObjectTagging', 'PutObjectVersionTagging'],
  ['DeleteObject', 'DeleteObjectVersion'],
  ['DeleteObjectTagging', 'DeleteObjectVersionTagging'],
]);

/** What a header needs besides. */
const OF_HEADERS: readonly (readonly [header: RegExp, action: string])[] = [
  [/^x-amz-bypass-governance-retention$/, 'BypassGovernanceRetention'],
  [/^x-amz-object-lock-(?:mode|retain-until-date)$/, 'PutObjectRetention'],
  [/^x-amz-object-lock-legal-hold$/, 'PutObjectLegalHold'],
  [/^x-amz-bucket-object-lock-enabled$/, 'PutBucketObjectLockConfiguration'],
  [/^x-amz-object-ownership$/, 'PutBucketOwnershipControls'],
];

/** What is read of a call: an `S3Call`. */
export interface AskingCall {
  readonly bucketName: string | undefined;
  readonly objectKey: string | undefined;
  readonly request: {
    readonly call: Call;
    readonly form: 'header' | 'query';
    readonly request: Pick<IncomingMessage, 'headers'>;
    readonly clock: Pick<Clock, 'nowMs'>;
  };
  param(name: string): string | undefined;
  header(name: string): string | undefined;
  headerNames(): ReadonlySet<string>;
}

/** One object that a call is about. */
export interface S3Target {
  readonly key?: string;
  readonly versionId?: string;
}

/** The operation that the call names, on its bucket or object. DeleteObjects asks for each object: `deletionRequests`. */
export function operationRequests(call: AskingCall, eventName: string, bucket: Bucket | undefined): readonly AccessRequest[] {
  if (eventName === 'DeleteObjects') return [];
  const key = call.objectKey;
  const versionId = call.param('versionId');
  const target = { ...(key === undefined ? {} : { key }), ...(versionId === undefined ? {} : { versionId }) };
  return requests(call, bucket, target, [ACTIONS.get(eventName) ?? eventName, ...headerActions(call)]);
}

/** One of the objects of a DeleteObjects call. */
export function deletionRequests(call: AskingCall, bucket: Bucket, target: S3Target): readonly AccessRequest[] {
  return requests(call, bucket, target, ['DeleteObject', ...headerActions(call)]);
}

/** The object that a copy reads from. */
export function sourceRequests(call: AskingCall, bucket: Bucket, target: S3Target): readonly AccessRequest[] {
  return requests(call, bucket, target, ['GetObject']);
}

/** Whoever may list a bucket is told that an object is not there; others are not told either way. */
export function listingRequests(call: AskingCall, bucket: Bucket): readonly AccessRequest[] {
  return requests(call, bucket, {}, ['ListBucket']);
}

function headerActions(call: AskingCall): readonly string[] {
  const names = [...call.headerNames()].filter((name) => call.header(name)?.toLowerCase() !== 'false');
  return OF_HEADERS.flatMap(([header, action]) => (names.some((name) => header.test(name)) ? [action] : []));
}

function requests(call: AskingCall, bucket: Bucket | undefined, { key, versionId }: S3Target, actions: readonly string[]): AccessRequest[] {
  const name = bucket?.name ?? call.bucketName ?? '*';
  const context = s3Context(call, versionId);
  const resource = key === undefined ? bucketArn(name) : objectArn(name, key);
  return actions.map((written) => {
    const action = `s3:${(versionId === undefined ? undefined : OF_VERSIONS.get(written)) ?? written}`;
    return { action, resource, context, found: bucketAccess(bucket, { call: call.request.call, action, resource }) };
  });
}

/** Whose a bucket at another S3 is for those who did not configure it: nobody's, so that nothing opens it. */
const OTHERS = '' as AccountId;

/**
 * What of a bucket decides about an action on it or on its objects.
 *
 * The bucket's policy is the resource's policy, for the owner's users as for other accounts. The root of the owner may always
 * read and change that policy, so that nobody is locked out of a bucket for good. A bucket at another S3 belongs to those who configured
 * it, and its service asks its policy itself.
 * @param bucket Absent where there is none, or where the action is about buckets that are not there yet.
 */
export function bucketAccess(
  bucket: Bucket | undefined,
  { call: { principal, account }, action, resource }: ResourceQuestion,
): ResourceAccess {
  if (resource === '*' && OF_ALL_BUCKETS.test(action)) return { arn: bucketArn('*') };
  if (bucket === undefined || NOT_OF_A_BUCKET.test(action)) return {};
  if (bucket.owner === undefined) return { owner: isOfOperator(principal) ? account : OTHERS };
  const { tags = [] } = bucket;
  const isRoot = principal.type === 'Root' && bucket.owner === account;
  const isOpen = bucket.owner === account || !isRestricted(bucket);
  const isAsked = bucket.policy !== undefined && isOpen && !(isRoot && OF_POLICY.test(action));
  return {
    owner: bucket.owner,
    ...(isAsked ? { policy: bucket.policy } : {}),
    // Under S3's own name, too.
    context: resourceTagContext(
      tags.map(([Key, Value]) => ({ Key, Value })),
      's3:buckettag',
    ),
  };
}

/** Whether the caller is of the account that buckets at another S3 belong to here. */
export function isOfOperator({ isAdministrator, isOfFirstAccount }: Principal): boolean {
  return isAdministrator || isOfFirstAccount === true;
}

const OF_ALL_BUCKETS = /^s3:ListAllMyBuckets$/i;
const NOT_OF_A_BUCKET = /^s3:(?:CreateBucket|ListAllMyBuckets)$/i;
const OF_POLICY = /^s3:(?:Get|Put|Delete)BucketPolicy$/i;

/** Headers and parameters that are condition keys under their own name. */
const HEADER_KEYS = [
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-storage-class',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-object-ownership',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
];
const PARAMETER_KEYS = ['prefix', 'delimiter', 'max-keys'];
const LOCK_KEYS = ['object-lock-mode', 'object-lock-retain-until-date', 'object-lock-legal-hold'];

function s3Context(call: AskingCall, versionId: string | undefined): ReadonlyMap<string, readonly string[]> {
  const { form, request } = call.request;
  const context = new Map<string, readonly string[]>([
    ['s3:signatureversion', ['AWS4-HMAC-SHA256']],
    ['s3:authtype', [form === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING']],
  ]);
  const add = (key: string, value: string | undefined) => value !== undefined && context.set(key, [value]);
  for (const name of HEADER_KEYS) add(`s3:${name}`, call.header(name));
  for (const name of PARAMETER_KEYS) add(`s3:${name}`, call.param(name));
  for (const name of LOCK_KEYS) add(`s3:${name}`, call.header(`x-amz-${name}`));
  add('s3:versionid', versionId);
  add('aws:referer', request.headers.referer);
  const untilMs = Date.parse(call.header('x-amz-object-lock-retain-until-date') ?? '');
  if (!Number.isNaN(untilMs))
    add('s3:object-lock-remaining-retention-days', `${Math.ceil((untilMs - call.request.clock.nowMs()) / 86_400_000)}`);
  return context;
}
