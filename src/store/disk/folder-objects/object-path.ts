/**
 * Where an object's bytes lie: under its own key where that is a safe path, else under a hash of it.
 *
 * A key comes from a stranger and never becomes a path outside of its bucket's folder (A60).
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { BucketName, ObjectKey } from '../../../event/types.ts';

/** Our own folder beside the buckets' keys; a key that begins with it is escaped. */
export const RESERVED_FOLDER = '.snowtrail';

const SEGMENT_BYTES_MAX = 200;
const PATH_BYTES_MAX = 1_000;

/** True when each segment is an ordinary file name: not empty, `.`, `..`, ours, too long, and without control characters or backslashes. */
export function isSafePath(key: ObjectKey): boolean {
  if (Buffer.byteLength(key, 'utf8') > PATH_BYTES_MAX) return false;
  return key.split('/').every((segment, index) => {
    if (segment === '' || segment === '.' || segment === '..' || Buffer.byteLength(segment, 'utf8') > SEGMENT_BYTES_MAX) return false;
    if (index === 0 && segment === RESERVED_FOLDER) return false;
    return !/[\u0000-\u001f\u007f\\\p{Surrogate}]/u.test(segment);
  });
}

/** The file of the newest version of a key. */
export function newestPath(folder: string, bucket: BucketName, key: ObjectKey, place: 'path' | 'escaped'): string {
  if (place === 'path') return join(folder, bucket, ...key.split('/'));
  return join(folder, bucket, RESERVED_FOLDER, 'escaped', createHash('sha256').update(key, 'utf8').digest('hex'));
}

/** The file of one version where versioning was ever on. */
export function versionPath(folder: string, bucket: BucketName, bodyId: string): string {
  return join(folder, bucket, RESERVED_FOLDER, 'versions', bodyId);
}
