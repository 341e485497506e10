/**
 * S3's deletions: of one object, or of many in one call.
 *
 * A condition of a deletion is refused: one that is passed over would delete what must stay.
 * Source: S3 API Reference, DeleteObject, DeleteObjects.
 */
import type { BucketName, ObjectKey } from '../../event/types.ts';
import { requireDeletable } from '../../store/object-lock.ts';
import { publicError } from '../respond.ts';
import { parseXml, type XmlFields, xmlDocument, xmlExactText, xmlText } from '../xml.ts';
import { notImplemented } from './buckets.ts';
import { s3Error } from './errors.ts';
import { emptyVersionId } from './find-object.ts';
import { readKey } from './names.ts';
import { isBypassing } from './object-lock.ts';
import { receiveDocument } from './receive-body.ts';
import { empty, type Opened, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const DELETE_KEYS_MAX = 1_000;

export async function deleteObject(call: S3Call): Promise<S3Decision> {
  const { name } = await call.openBucket();
  for (const condition of ['if-match', 'x-amz-if-match-last-modified-time', 'x-amz-if-match-size'])
    if (call.header(condition) !== undefined) throw notImplemented(condition);
  const versionId = call.param('versionId');
  if (versionId === '') throw emptyVersionId();
  if (versionId !== undefined) await refuseProtected(call, name, { key: call.key, versionId });
  return {
    bytesOut: 0,
    apply: async () => {
      const { markerId } = await deleteOne(call, name, { key: call.key, ...(versionId === undefined ? {} : { versionId }) });
      const deleted = versionId ?? markerId;
      return empty(204, {
        ...(deleted === undefined ? {} : { 'x-amz-version-id': deleted }),
        ...(markerId === undefined ? {} : { 'x-amz-delete-marker': 'true' }),
      });
    },
  };
}

/** So that the record of the call says that it was refused; the store refuses it as well. @throws ObjectLocked */
async function refuseProtected(call: S3Call, bucket: BucketName, { key, versionId }: Required<Doomed>): Promise<void> {
  const info = await call.objects.head(bucket, key, versionId);
  if (info !== undefined) requireDeletable(info, isBypassing(call), call.request.lockTime);
}

/** The keys that a DeleteObjects call names. */
interface Doomed {
  readonly key: ObjectKey;
  readonly versionId?: string;
}

/** @returns the id of the delete marker that was placed, or that was the version deleted. */
async function deleteOne(call: S3Call, bucket: BucketName, { key, versionId }: Doomed): Promise<{ readonly markerId: string | undefined }> {
  const before = versionId === undefined ? undefined : await call.objects.head(bucket, key, versionId);
  const { deleteMarkerVersionId } = await call.objects.delete(bucket, key, versionId, { bypassGovernance: isBypassing(call) });
  return { markerId: before?.isDeleteMarker ? versionId : deleteMarkerVersionId };
}

/** @param recordEach Records the deletion of each object, or that it is refused, before any is deleted. */
export async function deleteObjects(call: S3Call, recordEach: (doomed: readonly Opened<Doomed>[]) => Promise<void>): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const asked = await readAsked(call).catch((error: unknown) => {
    // Who has no right at all learns nothing of a bucket by what is wrong with the call.
    throw call.bucketOwner === undefined ? s3Error('AccessDenied', { cause: error }) : error;
  });
  const allowed = await call.openEach(bucket, asked.doomed);
  const opened = bucket.objectLock === undefined ? allowed : await withProtected(call, bucket.name, allowed);
  return {
    bytesIn: asked.bytes,
    apply: async () => {
      await recordEach(opened);
      const deleted: XmlFields[] = [];
      const failed: XmlFields[] = [];
      for (const { target, refusal } of opened) {
        const { key, versionId } = target;
        try {
          if (refusal !== undefined) throw refusal;
          const { markerId } = await deleteOne(call, bucket.name, { key, ...(versionId === undefined ? {} : { versionId }) });
          const marker = markerId === undefined ? {} : { DeleteMarker: true, DeleteMarkerVersionId: markerId };
          deleted.push({ Key: key, VersionId: versionId, ...marker });
        } catch (error) {
          const { code, message } = publicError(error, 's3');
          failed.push({ Key: key, VersionId: versionId, Code: code, Message: message });
        }
      }
      const text = xmlDocument('DeleteResult', { Deleted: asked.isQuiet ? [] : deleted, Error: failed }, S3_NAMESPACE);
      return { status: 200, headers: { 'content-type': 'application/xml' }, text };
    },
  };
}

/** What Object Lock protects is refused before it is recorded, as one deletion is. */
async function withProtected(call: S3Call, bucket: BucketName, opened: readonly Opened<Doomed>[]): Promise<readonly Opened<Doomed>[]> {
  const decided: Opened<Doomed>[] = [];
  for (const each of opened) {
    const { key, versionId } = each.target;
    try {
      if (each.refusal === undefined && versionId !== undefined) await refuseProtected(call, bucket, { key, versionId });
      decided.push(each);
    } catch (error) {
      decided.push({ ...each, refusal: publicError(error, 's3') });
    }
  }
  return decided;
}

/** @throws ApiError MalformedXML, NotImplemented */
async function readAsked(call: S3Call): Promise<{ readonly doomed: readonly Doomed[]; readonly isQuiet: boolean; readonly bytes: number }> {
  const document = await receiveDocument(call);
  const root = parseXml(document);
  const isQuiet = xmlText(root, 'Quiet') === 'true';
  const doomed = root.children
    .filter((child) => child.name === 'Object')
    .map((child): Doomed => {
      // What must hold for the object to be deleted: a condition that is passed over would delete one that must stay.
      const condition = child.children.find(({ name: member }) => member !== 'Key' && member !== 'VersionId');
      if (condition !== undefined) throw notImplemented(condition.name);
      const key = xmlExactText(child, 'Key');
      const versionId = xmlText(child, 'VersionId');
      if (key === undefined || key === '') throw s3Error('MalformedXML');
      return { key: readKey(key), ...(versionId === undefined || versionId === '' ? {} : { versionId }) };
    });
  if (root.name !== 'Delete' || doomed.length === 0 || doomed.length > DELETE_KEYS_MAX) throw s3Error('MalformedXML');
  return { doomed, isQuiet, bytes: document.length };
}
