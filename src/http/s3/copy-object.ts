/**
 * S3's CopyObject, and the source of any copy.
 *
 * Source: S3 API Reference, CopyObject, UploadPartCopy.
 */
import type { BucketName } from '../../event/types.ts';
import type { ObjectInfo, PutOptions } from '../../store/objects.ts';
import { parseQuery, percentDecode } from '../canonical-request.ts';
import { xmlDocument } from '../xml.ts';
import { ALGORITHMS, Checksummer, parseAlgorithm } from './checksums.ts';
import { checkConditions } from './conditions.ts';
import { asksForEncryption, encryptionHeaders, openKeyFor, readEncryption } from './encryption.ts';
import { s3Error } from './errors.ts';
import { objectArn, readKey } from './names.ts';
import { checksumElements, versionHeader } from './object-headers.ts';
import { readLockHeaders } from './object-lock.ts';
import { checkIfNoneMatch, commitObject, readPutOptions, refuseUnkept } from './put-object.ts';
import { leave } from './read-object.ts';
import { S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

export async function copyObject(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name } = bucket;
  const { key } = call;
  refuseUnkept(call, bucket);
  const source = await findCopySource(call);
  const directive = call.header('x-amz-metadata-directive') ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') throw s3Error('InvalidArgument', { message: 'Unknown metadata directive.' });
  const isSame = source.bucket === name && source.info.key === key && source.versionId === undefined;
  if (isSame && directive === 'COPY' && !asksForEncryption(call)) {
    throw s3Error('InvalidRequest', {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    });
  }
  const mustBeFree = await checkIfNoneMatch(call, name, key);
  const options =
    directive === 'REPLACE' ? readPutOptions(call, bucket) : { ...keptOptions(source.info), ...readLockHeaders(call, bucket) };
  const wanted = call.header('x-amz-checksum-algorithm');
  const algorithm =
    wanted === undefined ? ALGORITHMS.find((known) => source.info.checksums?.[known] !== undefined) : parseAlgorithm(wanted);
  const summer = algorithm === undefined ? undefined : new Checksummer(algorithm);
  const seal = await readEncryption(call, bucket);
  const staged = await call.objects.stage(tap(await openCopySource(call, source), summer), seal.dataKey);
  const checksums = summer === undefined ? {} : { checksums: { [summer.algorithm]: summer.digest() } };
  return {
    bytesIn: 0,
    requestParameters: {},
    resources: [{ type: 'AWS::S3::Object', name: objectArn(source.bucket, source.info.key) }],
    discard: () => staged.discard(),
    apply: async () => {
      const info = await commitObject(call, staged, { ...options, ...seal, ...checksums, ...(mustBeFree ? { mustBeFree } : {}) });
      const text = xmlDocument(
        'CopyObjectResult',
        { LastModified: new Date(info.modifiedAtMs).toISOString(), ETag: `"${info.etag}"`, ...checksumElements(info) },
        S3_NAMESPACE,
      );
      const headers = {
        'content-type': 'application/xml',
        ...encryptionHeaders(info),
        ...versionHeader(info),
        ...(source.info.versionId === null ? {} : { 'x-amz-copy-source-version-id': source.info.versionId }),
      };
      return { status: 200, headers, text };
    },
  };
}

/** An object that a copy reads from. */
export interface CopySource {
  readonly bucket: BucketName;
  readonly info: ObjectInfo;
  readonly versionId?: string;
}

/** @throws ApiError InvalidArgument, NoSuchKey, NoSuchBucket, AccessDenied */
export async function findCopySource(call: S3Call): Promise<CopySource> {
  const raw = call.rawHeader('x-amz-copy-source') ?? '';
  const mark = raw.indexOf('?');
  const [path, query] = mark < 0 ? [raw, ''] : [raw.slice(0, mark), raw.slice(mark + 1)];
  let plain: string;
  let versionId: string | undefined;
  try {
    plain = percentDecode(path.replace(/^\//, ''));
    versionId = parseQuery(query).find(([name]) => name === 'versionId')?.[1];
  } catch (cause) {
    throw s3Error('InvalidArgument', { message: 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey', cause });
  }
  const slash = plain.indexOf('/');
  if (slash < 1)
    throw s3Error('InvalidArgument', { message: 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey' });
  const bucket = plain.slice(0, slash) as BucketName;
  const key = readKey(plain.slice(slash + 1));
  const source = await call.openSource(bucket, { key, ...(versionId === undefined ? {} : { versionId }) });
  const info = await call.objects.head(bucket, key, versionId);
  if (info === undefined || info.isDeleteMarker) await call.requireListing(source);
  if (info === undefined || info.isDeleteMarker)
    throw s3Error(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion', { details: { Key: key } });
  if (checkConditions(call, info, 'x-amz-copy-source-'))
    throw s3Error('PreconditionFailed', { details: { Condition: 'x-amz-copy-source-If-None-Match' } });
  return { bucket, info, ...(versionId === undefined ? {} : { versionId }) };
}

/** Opens what `findCopySource` found. @throws ApiError NoSuchKey when it went away or changed meanwhile. */
export async function openCopySource(
  call: S3Call,
  { bucket, info, versionId }: CopySource,
  range?: readonly [number, number],
): Promise<AsyncIterable<Uint8Array>> {
  const found = await call.objects.get(bucket, info.key, {
    ...(versionId === undefined ? {} : { versionId }),
    ...(range === undefined ? {} : { range }),
    openKey: openKeyFor(call),
  });
  if (found?.info.etag === info.etag) return found.body;
  if (found !== undefined) await leave(found.body);
  throw s3Error('NoSuchKey', { details: { Key: info.key } });
}

export async function* tap(
  source: AsyncIterable<Uint8Array>,
  summer: Checksummer | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source) {
    summer?.update(piece);
    yield piece;
  }
}

function keptOptions(info: ObjectInfo): PutOptions {
  const { metadata, contentType, contentEncoding, headers } = info;
  return {
    metadata,
    ...(contentType === undefined ? {} : { contentType }),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(headers === undefined ? {} : { headers }),
  };
}
