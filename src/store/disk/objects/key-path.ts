/**
 * Where in a bucket's folder the file of a key lies.
 *
 * A key's parts between slashes are names of folders and of the file, as they are. A part that cannot be a name, or that
 * could lead elsewhere, is escaped: `%`, then the part with its odd bytes written `%XX`. One that is too long becomes
 * `%~` and the SHA-256 of the part. No part that is kept as it is begins with `%`, so that two keys never share a path,
 * and no key leads out of the bucket's folder (A60).
 *
 * Where a path is not free, because another object's file has the name of a folder on it or the other way round, the
 * file lies *aside*: `%=` and the SHA-256 of the whole key, directly in the bucket's folder. So does the file of a key
 * whose path would be too long. Source: docs/formats/objects.md.
 */
import { hash } from 'node:crypto';
import type { ObjectKey } from '../../../event/types.ts';

/** The longest name that Linux file systems take. */
const NAME_BYTES_MAX = 255;
/** Well below the 4,096 bytes of a path that Linux takes, so that the data directory may lie deep. */
const PATH_BYTES_MAX = 2_048;

/** The path below the bucket's folder; `undefined` when it would be too long. */
export function pathOfKey(key: ObjectKey): string | undefined {
  const path = key.split('/').map(nameOfPart).join('/');
  return Buffer.byteLength(path) > PATH_BYTES_MAX ? undefined : path;
}

/** The name directly below the bucket's folder for a file whose path is not free. */
export function asideName(key: ObjectKey): string {
  return `%=${hash('sha256', key)}`;
}

function nameOfPart(part: string): string {
  const isPlain =
    /^[^%]/.test(part) && !/[\u0000-\u001f\u007f\\]/.test(part) && part !== '.' && part !== '..' && !part.startsWith('.snowtrail');
  const name = isPlain ? part : `%${part.replace(/[\u0000-\u001f\u007f\\%~=]/g, escapeByte)}`;
  return Buffer.byteLength(name) > NAME_BYTES_MAX ? `%~${hash('sha256', part)}` : name;
}

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
