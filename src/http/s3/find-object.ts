/**
 * The object or version that a call names.
 */
import type { Bucket, ObjectInfo } from '../../store/objects.ts';
import { s3Error } from './errors.ts';
import type { S3Call } from './s3-call.ts';

/** @throws ApiError NoSuchKey, NoSuchVersion, AccessDenied in their place, MethodNotAllowed for a delete marker */
export async function findObject(call: S3Call, bucket: Bucket): Promise<ObjectInfo> {
  const versionId = call.param('versionId');
  if (versionId === '') throw emptyVersionId();
  const info = await call.objects.head(bucket.name, call.key, versionId);
  if (info === undefined) await call.requireListing(bucket);
  if (info === undefined)
    throw s3Error(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion', {
      details: { Key: call.key, ...(versionId === undefined ? {} : { VersionId: versionId }) },
    });
  if (info.isDeleteMarker)
    throw s3Error('MethodNotAllowed', { details: { Method: call.request.parts.method, ResourceType: 'DeleteMarker' } });
  return info;
}

export function emptyVersionId(): Error {
  return s3Error('InvalidArgument', { message: 'Version id cannot be the empty string' });
}
