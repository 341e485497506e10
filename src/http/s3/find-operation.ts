/**
 * Finds the S3 operation that method, path and sub-resource name.
 *
 * The names are those that S3's events carry (ListObjectsV2 is recorded as ListObjects), and the categories those of
 * CloudTrail's table of data events: a call on an object is `Data`, a call on a bucket `Management`.
 * Source: S3 API Reference, "Actions"; S3 User Guide, "Amazon S3 CloudTrail events".
 */
import * as tagging from './bucket-tagging.ts';
import * as buckets from './buckets.ts';
import { copyObject } from './copy-object.ts';
import { deleteObject, deleteObjects } from './delete-objects.ts';
import * as sse from './encryption.ts';
import { s3Error } from './errors.ts';
import * as lifecycle from './lifecycle.ts';
import { listObjects, listObjectVersions } from './list-objects.ts';
import * as multipart from './multipart.ts';
import * as lock from './object-lock.ts';
import * as ownership from './ownership.ts';
import * as publicAccess from './public-access.ts';
import { putObject } from './put-object.ts';
import { getObject, getObjectTagging, headObject } from './read-object.ts';
import type { S3Call, S3Decision, S3Operation } from './s3-call.ts';

type Decide = (call: S3Call) => Promise<S3Decision>;

/** Records the deletion of each object of a DeleteObjects call. */
export type RecordDeletions = Parameters<typeof deleteObjects>[1];

/** @throws ApiError MethodNotAllowed */
export function findOperation(call: S3Call, recordDeletions: RecordDeletions): S3Operation {
  const { method } = call.request.parts;
  const found =
    call.bucketName === undefined
      ? onService(method)
      : call.objectKey === undefined
        ? onBucket(call, method, recordDeletions)
        : onObject(call, method);
  if (found === undefined) throw s3Error('MethodNotAllowed', { details: { Method: method } });
  return found;
}

function read(eventName: string, category: S3Operation['category'], decide: Decide): S3Operation {
  return { eventName, isReadOnly: true, category, decide };
}

function write(eventName: string, category: S3Operation['category'], decide: Decide): S3Operation {
  return { eventName, isReadOnly: false, category, decide };
}

function onService(method: string): S3Operation | undefined {
  return method === 'GET' ? read('ListBuckets', 'Management', buckets.listBuckets) : undefined;
}

/** Name of its events, and what its calls do; an absent one is refused as not implemented. */
type Setting = readonly [name: string, get: Decide, put?: Decide, remove?: Decide];

/** Settings of a bucket by sub-resource. */
export const SETTINGS: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  ['object-lock', ['BucketObjectLockConfiguration', lock.getObjectLockConfiguration, lock.putObjectLockConfiguration]],
  ['tagging', ['BucketTagging', tagging.getBucketTagging, tagging.putBucketTagging, tagging.deleteBucketTagging]],
  ['lifecycle', ['BucketLifecycle', lifecycle.getBucketLifecycle, lifecycle.putBucketLifecycle, lifecycle.deleteBucketLifecycle]],
  ['cors', ['BucketCors', buckets.notConfigured('NoSuchCORSConfiguration')]],
  ['website', ['BucketWebsite', buckets.notConfigured('NoSuchWebsiteConfiguration')]],
  ['encryption', ['BucketEncryption', sse.getBucketEncryption, sse.putBucketEncryption, sse.deleteBucketEncryption]],
  ['replication', ['BucketReplication', buckets.notConfigured('ReplicationConfigurationNotFoundError')]],
  [
    'publicAccessBlock',
    ['BucketPublicAccessBlock', publicAccess.getPublicAccessBlock, publicAccess.putPublicAccessBlock, publicAccess.deletePublicAccessBlock],
  ],
  [
    'ownershipControls',
    [
      'BucketOwnershipControls',
      ownership.getBucketOwnershipControls,
      ownership.putBucketOwnershipControls,
      ownership.deleteBucketOwnershipControls,
    ],
  ],
  ['policyStatus', ['BucketPolicyStatus', publicAccess.getBucketPolicyStatus]],
  ['logging', ['BucketLogging', buckets.emptySetting('BucketLoggingStatus')]],
  ['notification', ['BucketNotification', buckets.emptySetting('NotificationConfiguration')]],
  ['accelerate', ['AccelerateConfiguration', buckets.emptySetting('AccelerateConfiguration')]],
  ['requestPayment', ['BucketRequestPayment', buckets.emptySetting('RequestPaymentConfiguration', { Payer: 'BucketOwner' })]],
  ...['analytics', 'inventory', 'metrics', 'intelligent-tiering', 'session', 'metadataTable', 'metadataConfiguration', 'abac'].map(
    (name): [string, Setting] => [
      name,
      [`Bucket${name.slice(0, 1).toUpperCase()}${name.slice(1)}`, buckets.unsupported(`The sub-resource ${name}`)],
    ],
  ),
]);

function onBucket(call: S3Call, method: string, recordDeletions: RecordDeletions): S3Operation | undefined {
  const setting = [...SETTINGS].find(([name]) => call.hasParam(name));
  if (setting !== undefined) {
    const [name, [eventName, get, put = buckets.unsupported(`Setting ${name}`), remove = buckets.unsupported(`Deleting ${name}`)]] =
      setting;
    if (method === 'GET') return read(`Get${eventName}`, 'Management', get);
    if (method === 'PUT') return write(`Put${eventName}`, 'Management', put);
    return method === 'DELETE' ? write(`Delete${eventName}`, 'Management', remove) : undefined;
  }
  switch (method) {
    case 'GET':
      if (call.hasParam('location')) return read('GetBucketLocation', 'Management', buckets.getBucketLocation);
      if (call.hasParam('policy')) return read('GetBucketPolicy', 'Management', buckets.getBucketPolicy);
      if (call.hasParam('acl')) return read('GetBucketAcl', 'Management', ownership.getBucketAcl);
      if (call.hasParam('versioning')) return read('GetBucketVersioning', 'Management', buckets.getBucketVersioning);
      if (call.hasParam('versions')) return read('ListObjectVersions', 'Data', listObjectVersions);
      if (call.hasParam('uploads')) return read('ListMultipartUploads', 'Data', multipart.listMultipartUploads);
      return read('ListObjects', 'Data', listObjects);
    case 'HEAD':
      return read('HeadBucket', 'Data', buckets.headBucket);
    case 'PUT':
      if (call.hasParam('policy')) return write('PutBucketPolicy', 'Management', buckets.putBucketPolicy);
      if (call.hasParam('versioning')) return write('PutBucketVersioning', 'Management', buckets.putBucketVersioning);
      if (call.hasParam('acl')) return write('PutBucketAcl', 'Management', ownership.putBucketAcl);
      return write('CreateBucket', 'Management', buckets.createBucket);
    case 'DELETE':
      if (call.hasParam('policy')) return write('DeleteBucketPolicy', 'Management', buckets.deleteBucketPolicy);
      return write('DeleteBucket', 'Management', buckets.deleteBucket);
    case 'POST':
      if (call.hasParam('delete')) return write('DeleteObjects', 'Data', (each) => deleteObjects(each, recordDeletions));
      return write('PostObject', 'Data', buckets.unsupported('Uploading by a form'));
    default:
      return undefined;
  }
}

/** What can be asked of an object besides the object, and is not kept here. */
const UNSUPPORTED_OF_OBJECT: ReadonlyMap<string, string> = new Map([
  ['attributes', 'ObjectAttributes'],
  ['torrent', 'ObjectTorrent'],
  ['restore', 'RestoreObject'],
  ['select', 'SelectObjectContent'],
  ['renameObject', 'RenameObject'],
  ['encryption', 'ObjectEncryption'],
]);

function onObject(call: S3Call, method: string): S3Operation | undefined {
  const isCopy = call.rawHeader('x-amz-copy-source') !== undefined;
  const other = [...UNSUPPORTED_OF_OBJECT].find(([name]) => call.hasParam(name));
  if (other !== undefined) {
    const [name, noun] = other;
    const decide = buckets.unsupported(`The sub-resource ${name}`);
    if (method === 'GET') return read(`Get${noun}`, 'Data', decide);
    if (method === 'PUT') return write(`Put${noun}`, 'Data', decide);
    return method === 'POST' ? write(noun, 'Data', decide) : undefined;
  }
  switch (method) {
    case 'GET':
      if (call.hasParam('uploadId')) return read('ListParts', 'Data', multipart.listParts);
      if (call.hasParam('acl')) return read('GetObjectAcl', 'Data', ownership.getObjectAcl);
      if (call.hasParam('retention')) return read('GetObjectRetention', 'Data', lock.getObjectRetention);
      if (call.hasParam('legal-hold')) return read('GetObjectLegalHold', 'Data', lock.getObjectLegalHold);
      if (call.hasParam('tagging')) return read('GetObjectTagging', 'Data', getObjectTagging);
      return read('GetObject', 'Data', getObject);
    case 'HEAD':
      return read('HeadObject', 'Data', headObject);
    case 'PUT':
      if (call.hasParam('uploadId') || call.hasParam('partNumber')) {
        return isCopy ? write('UploadPartCopy', 'Data', multipart.uploadPartCopy) : write('UploadPart', 'Data', multipart.uploadPart);
      }
      if (call.hasParam('retention')) return write('PutObjectRetention', 'Data', lock.putObjectRetention);
      if (call.hasParam('legal-hold')) return write('PutObjectLegalHold', 'Data', lock.putObjectLegalHold);
      if (call.hasParam('acl')) return write('PutObjectAcl', 'Data', ownership.putObjectAcl);
      if (call.hasParam('tagging')) return write('PutObjectTagging', 'Data', buckets.unsupported('Tagging objects'));
      return isCopy ? write('CopyObject', 'Data', copyObject) : write('PutObject', 'Data', putObject);
    case 'DELETE':
      if (call.hasParam('uploadId')) return write('AbortMultipartUpload', 'Data', multipart.abortMultipartUpload);
      if (call.hasParam('tagging')) return write('DeleteObjectTagging', 'Data', buckets.unsupported('Tagging objects'));
      return write('DeleteObject', 'Data', deleteObject);
    case 'POST':
      if (call.hasParam('uploads')) return write('CreateMultipartUpload', 'Data', multipart.createMultipartUpload);
      if (call.hasParam('uploadId')) return write('CompleteMultipartUpload', 'Data', multipart.completeMultipartUpload);
      return undefined;
    default:
      return undefined;
  }
}
