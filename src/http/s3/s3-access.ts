/**
 * What the caller of an S3 operation must be allowed: its IAM actions, the bucket or object, and S3's own condition keys.
 *
 * The bucket's policy is the resource's policy, for the owner's users as for other accounts. The root of the owner may always
 * read and change that policy, so that nobody is locked out of a bucket for good.
 * Source: Service Authorization Reference, "Amazon S3"; S3 User Guide, "Required permissions for Amazon S3 API operations".
 */
import type { IncomingMessage } from 'node:http';
import type { AccessRequest } from '../../api/access.ts';
import type { Call } from '../../api/operation.ts';
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
  const { principal, account } = call.request.call;
  // Whose a foreign bucket is, nobody here knows: it belongs to those who configured it, and its service asks its policy itself.
  const owner = bucket === undefined || bucket.owner === undefined ? account : (bucket.owner as AccountId);
  const context = s3Context(call, versionId);
  const isOpen = owner === account || !isRestricted(bucket);
  return actions.map((written) => {
    const action = (versionId === undefined ? undefined : OF_VERSIONS.get(written)) ?? written;
    const isOfPolicy = /^(?:Get|Put|Delete)BucketPolicy$/.test(action) && principal.type === 'Root' && owner === account;
    const policy = isOfPolicy || bucket?.owner === undefined || !isOpen ? undefined : bucket.policy;
    return {
      action: `s3:${action}`,
      resource: key === undefined ? bucketArn(name) : objectArn(name, key),
      owner,
      ...(policy === undefined ? {} : { resourcePolicy: policy }),
      context,
    };
  });
}

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
