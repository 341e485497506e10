/**
 * Names of buckets and objects: which ones exist, and how they are read from a path.
 *
 * A key is never folded: `..`, `//` and `%2f` are what the client wrote, and storage never makes a path of them (A60).
 * Source: S3 User Guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects".
 */
import type { BucketName, ObjectKey } from '../../event/types.ts';
import { percentDecode } from '../canonical-request.ts';
import { s3Error } from './errors.ts';

/** Where a path-style request points. */
export interface Place {
  readonly bucket?: BucketName;
  readonly key?: ObjectKey;
}

const KEY_BYTES_MAX = 1_024;

/**
 * @param path As it was on the wire, percent-encoded, beginning with a slash.
 * @throws ApiError InvalidURI, InvalidBucketName, KeyTooLongError
 */
export function readPlace(path: string): Place {
  const slash = path.indexOf('/', 1);
  const name = decode(slash < 0 ? path.slice(1) : path.slice(1, slash));
  if (name === '') {
    if (slash >= 0) throw s3Error('InvalidBucketName', { details: { BucketName: '' } });
    return {};
  }
  // A malformed name can be asked about (it is not there); only creating it is refused by the rules.
  if (name.length > 255 || /[\u0000-\u0020\u007f/]/.test(name))
    throw s3Error('InvalidBucketName', { details: { BucketName: name.slice(0, 255) } });
  const bucket = name as BucketName;
  const key = slash < 0 ? '' : decode(path.slice(slash + 1));
  return key === '' ? { bucket } : { bucket, key: readKey(key) };
}

/** @throws ApiError KeyTooLongError, InvalidArgument */
export function readKey(key: string): ObjectKey {
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > KEY_BYTES_MAX) throw s3Error('KeyTooLongError', { details: { Size: `${bytes}`, MaxSizeAllowed: `${KEY_BYTES_MAX}` } });
  if (bytes === 0) throw s3Error('InvalidArgument', { message: 'The key must not be empty' });
  return key as ObjectKey;
}

/** Whether a bucket of this name may be made. */
export function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/.test(name) &&
    !name.includes('..') &&
    !/^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name) &&
    !/^(?:xn--|sthree-)/.test(name) &&
    !/(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(name)
  );
}

export function bucketArn(bucket: string): string {
  return `arn:aws:s3:::${bucket}`;
}

export function objectArn(bucket: string, key: string): string {
  return `arn:aws:s3:::${bucket}/${key}`;
}

function decode(text: string): string {
  try {
    return percentDecode(text);
  } catch (cause) {
    throw s3Error('InvalidURI', { cause });
  }
}
