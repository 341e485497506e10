/**
 * S3's PutObject, and what every way to an object shares: what is kept with it, and what is refused.
 *
 * A body is staged and checked first; it becomes the object only after the record of the call is durable. What the
 * store does not keep (encryption, tags, storage classes) is refused, never ignored.
 * Source: S3 API Reference, PutObject.
 */
import type { BucketName, ObjectKey } from '../../event/types.ts';
import type { Bucket, ObjectInfo, PutOptions, StagedObject } from '../../store/objects.ts';
import { notImplemented } from './buckets.ts';
import { encryptionHeaders, readEncryption } from './encryption.ts';
import { s3Error } from './errors.ts';
import { checksumHeaders, versionHeader } from './object-headers.ts';
import { readLockHeaders } from './object-lock.ts';
import { requireNoGrants } from './ownership.ts';
import { receiveObject } from './receive-body.ts';
import { empty, type S3Call, type S3Decision } from './s3-call.ts';

const METADATA_BYTES_MAX = 2_048;

/** Headers that S3 keeps with an object, besides type and encoding. */
const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'expires'];

export async function putObject(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const { key } = call;
  refuseUnkept(call, bucket);
  const options = readPutOptions(call, bucket);
  const mustBeFree = await checkIfNoneMatch(call, name, key);
  const seal = await readEncryption(call, bucket);
  const { staged, checksum } = await receiveObject(call, seal);
  return {
    bytesIn: staged.sizeBytes,
    bytesOut: 0,
    discard: () => staged.discard(),
    apply: async () => {
      const checksums = checksum === undefined ? {} : { checksums: { [checksum.algorithm]: checksum.value } };
      const info = await commitObject(call, staged, { ...options, ...seal, ...checksums, ...(mustBeFree ? { mustBeFree } : {}) });
      return empty(200, { etag: `"${info.etag}"`, ...encryptionHeaders(info), ...checksumHeaders(info), ...versionHeader(info) });
    },
  };
}

/**
 * Makes a staged body the object. Whose the bucket is, is asked again: while the body came, however slowly, it may have
 * been deleted and made by another account.
 */
export async function commitObject(call: S3Call, staged: StagedObject, options: PutOptions): Promise<ObjectInfo> {
  const { name } = await call.openBucket();
  const info = await staged.commit(name, call.key, options);
  await staged.discard();
  return info;
}

/**
 * `If-None-Match: *`: the key must be free. Checked before the body comes and again when it is committed.
 * @throws ApiError PreconditionFailed, NotImplemented for other conditions of writing
 */
export async function checkIfNoneMatch(call: S3Call, bucket: BucketName, key: ObjectKey): Promise<boolean> {
  if (call.header('if-match') !== undefined) throw notImplemented('If-Match');
  const condition = call.header('if-none-match');
  if (condition === undefined) return false;
  if (condition !== '*') throw notImplemented('If-None-Match');
  const found = await call.objects.head(bucket, key);
  if (found !== undefined) throw s3Error('PreconditionFailed', { details: { Condition: 'If-None-Match' } });
  return true;
}

/** What of a request is kept with the object. @throws ApiError MetadataTooLarge, InvalidArgument */
export function readPutOptions(call: S3Call, bucket: Bucket): PutOptions {
  const metadata: [string, string][] = [];
  let metadataBytes = 0;
  for (const name of call.headerNames()) {
    if (!name.startsWith('x-amz-meta-')) continue;
    const value = call.header(name) ?? '';
    metadata.push([name.slice('x-amz-meta-'.length), value]);
    metadataBytes += name.length - 'x-amz-meta-'.length + Buffer.byteLength(value);
  }
  if (metadataBytes > METADATA_BYTES_MAX)
    throw s3Error('MetadataTooLarge', { details: { Size: `${metadataBytes}`, MaxSizeAllowed: `${METADATA_BYTES_MAX}` } });
  const contentEncoding = (call.header('content-encoding') ?? '')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked')
    .join(',');
  const headers = Object.fromEntries(KEPT_HEADERS.flatMap((name) => (call.header(name) === undefined ? [] : [[name, call.header(name)!]])));
  const contentType = call.header('content-type');
  return {
    // `fromEntries` makes an own member of any name, `__proto__` as well.
    metadata: Object.fromEntries(metadata),
    contentType: contentType === undefined || contentType === '' ? 'binary/octet-stream' : contentType,
    ...(contentEncoding === '' ? {} : { contentEncoding }),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...readLockHeaders(call, bucket),
  };
}

/**
 * Refuses what would be dropped in silence: encryption with the client's key, tags, redirects, other storage classes, ACLs.
 * @throws ApiError NotImplemented, AccessControlListNotSupported
 */
export function refuseUnkept(call: S3Call, bucket: Bucket): void {
  requireNoGrants(call, bucket);
  for (const name of call.headerNames()) {
    if (
      /^x-amz-(?:server-side-encryption-customer|tagging$|website-redirect-location$|copy-source-server-side-encryption|write-offset-bytes$)/.test(
        name,
      )
    ) {
      throw notImplemented(name);
    }
  }
  if ((call.header('x-amz-storage-class') ?? 'STANDARD') !== 'STANDARD') throw notImplemented('x-amz-storage-class');
  const tagging = call.header('x-amz-tagging-directive') ?? 'COPY';
  if (tagging !== 'COPY') throw notImplemented('x-amz-tagging-directive');
}
