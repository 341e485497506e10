/**
 * S3's listings: ListObjects in both versions, and ListObjectVersions.
 *
 * Keys come in the order of their UTF-8 bytes. With `encoding-type=url` keys and prefixes are percent-encoded, so that
 * control characters survive XML 1.0; the AWS CLI always asks for it.
 * Source: S3 API Reference, ListObjects, ListObjectsV2, ListObjectVersions.
 */
import type { ListOptions, ObjectInfo } from '../../store/objects.ts';
import { percentEncode } from '../canonical-request.ts';
import { type XmlFields, xmlDocument } from '../xml.ts';
import { ALGORITHMS, typeOfStored } from './checksums.ts';
import { s3Error } from './errors.ts';
import { answerXml, canonicalId, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

const KEYS_MAX = 1_000;

export async function listObjects(call: S3Call): Promise<S3Decision> {
  return call.param('list-type') === '2' ? listVersion2(call) : listVersion1(call);
}

async function listVersion1(call: S3Call): Promise<S3Decision> {
  const page = await readPage(call, call.param('marker') ?? '');
  const { write, limit, prefix, delimiter } = page;
  return answerXml(
    xmlDocument(
      'ListBucketResult',
      {
        Name: call.bucket,
        Prefix: write(prefix),
        Marker: write(call.param('marker') ?? ''),
        NextMarker: page.next === undefined || delimiter === '' ? undefined : write(page.next),
        MaxKeys: limit,
        Delimiter: delimiter === '' ? undefined : write(delimiter),
        IsTruncated: page.next !== undefined,
        EncodingType: page.encodingType,
        Contents: page.objects.map((info) => contents(info, write, call.owner)),
        CommonPrefixes: page.commonPrefixes.map((common) => ({ Prefix: write(common) })),
      },
      S3_NAMESPACE,
    ),
  );
}

async function listVersion2(call: S3Call): Promise<S3Decision> {
  const token = call.param('continuation-token');
  const startAfter = call.param('start-after');
  const page = await readPage(call, token === undefined ? (startAfter ?? '') : decodeToken(token));
  const { write, limit, prefix, delimiter } = page;
  const owner = call.param('fetch-owner') === 'true' ? call.owner : undefined;
  return answerXml(
    xmlDocument(
      'ListBucketResult',
      {
        Name: call.bucket,
        Prefix: write(prefix),
        KeyCount: page.objects.length + page.commonPrefixes.length,
        MaxKeys: limit,
        Delimiter: delimiter === '' ? undefined : write(delimiter),
        IsTruncated: page.next !== undefined,
        ContinuationToken: token,
        NextContinuationToken: page.next === undefined ? undefined : Buffer.from(page.next, 'utf8').toString('base64url'),
        StartAfter: startAfter === undefined ? undefined : write(startAfter),
        EncodingType: page.encodingType,
        Contents: page.objects.map((info) => contents(info, write, owner)),
        CommonPrefixes: page.commonPrefixes.map((common) => ({ Prefix: write(common) })),
      },
      S3_NAMESPACE,
    ),
  );
}

export async function listObjectVersions(call: S3Call): Promise<S3Decision> {
  const { name } = await call.openBucket();
  const { write, limit, prefix, delimiter, encodingType } = listParameters(call);
  const keyMarker = call.param('key-marker') ?? '';
  const versionMarker = call.param('version-id-marker') ?? '';
  if (versionMarker !== '' && keyMarker === '')
    throw s3Error('InvalidArgument', { message: 'A version-id marker cannot be specified without a key marker.' });
  const options: ListOptions & { afterVersionId?: string } = {
    prefix,
    limit: Math.max(1, limit),
    ...(delimiter === '' ? {} : { delimiter }),
    ...(keyMarker === '' ? {} : { after: keyMarker }),
    ...(versionMarker === '' ? {} : { afterVersionId: versionMarker }),
  };
  const page = limit === 0 ? { versions: [], commonPrefixes: [] } : await call.objects.listVersions(name, options);
  const next = 'next' in page ? page.next : undefined;
  const owner = { ID: canonicalId(call.owner) };
  const entry = (info: ObjectInfo): XmlFields => ({
    Key: write(info.key),
    VersionId: info.versionId ?? 'null',
    IsLatest: info.isLatest,
    LastModified: new Date(info.modifiedAtMs).toISOString(),
    ...(info.isDeleteMarker ? {} : { ETag: `"${info.etag}"`, ...checksumFields(info), Size: info.sizeBytes, StorageClass: 'STANDARD' }),
    Owner: owner,
  });
  return answerXml(
    xmlDocument(
      'ListVersionsResult',
      {
        Name: name,
        Prefix: write(prefix),
        KeyMarker: write(keyMarker),
        VersionIdMarker: versionMarker,
        NextKeyMarker: next === undefined ? undefined : write(next.key),
        NextVersionIdMarker: next === undefined || next.versionId === '' ? undefined : next.versionId,
        MaxKeys: limit,
        Delimiter: delimiter === '' ? undefined : write(delimiter),
        IsTruncated: next !== undefined,
        EncodingType: encodingType,
        Version: page.versions.filter((info) => !info.isDeleteMarker).map(entry),
        DeleteMarker: page.versions.filter((info) => info.isDeleteMarker).map(entry),
        CommonPrefixes: page.commonPrefixes.map((common) => ({ Prefix: write(common) })),
      },
      S3_NAMESPACE,
    ),
  );
}

interface ListParameters {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
  readonly encodingType: 'url' | undefined;
  /** Writes a key or prefix as the client asked. */
  readonly write: (key: string) => string;
}

/** Parameters that all listings share. @throws ApiError InvalidArgument */
export function listParameters(call: S3Call, limitName = 'max-keys'): ListParameters {
  const encodingType = call.param('encoding-type');
  if (encodingType !== undefined && encodingType !== 'url')
    throw s3Error('InvalidArgument', { message: 'Invalid Encoding Method specified in Request' });
  return {
    prefix: call.param('prefix') ?? '',
    delimiter: call.param('delimiter') ?? '',
    limit: call.whole(limitName, { fallback: KEYS_MAX, max: KEYS_MAX }),
    encodingType,
    write: encodingType === 'url' ? (key) => percentEncode(key, '/') : (key) => key,
  };
}

type Page = ListParameters & {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  readonly next?: string;
};

async function readPage(call: S3Call, after: string): Promise<Page> {
  const { name } = await call.openBucket();
  const parameters = listParameters(call);
  const { prefix, delimiter, limit } = parameters;
  if (limit === 0) return { ...parameters, objects: [], commonPrefixes: [] };
  const options = { prefix, limit, ...(delimiter === '' ? {} : { delimiter }), ...(after === '' ? {} : { after }) };
  return { ...parameters, ...(await call.objects.list(name, options)) };
}

/** The key after which to go on. The token is only that key, so a made-up one does no harm. */
function decodeToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString('utf8');
  if (token === '' || Buffer.from(key, 'utf8').toString('base64url') !== token)
    throw s3Error('InvalidArgument', { message: 'The continuation token provided is incorrect' });
  return key;
}

function contents(info: ObjectInfo, write: (key: string) => string, owner: string | undefined): XmlFields {
  return {
    Key: write(info.key),
    LastModified: new Date(info.modifiedAtMs).toISOString(),
    ETag: `"${info.etag}"`,
    ...checksumFields(info),
    Size: info.sizeBytes,
    Owner: owner === undefined ? undefined : { ID: canonicalId(owner) },
    StorageClass: 'STANDARD',
  };
}

function checksumFields({ checksums }: ObjectInfo): XmlFields {
  const algorithm = ALGORITHMS.find((name) => checksums?.[name] !== undefined);
  return algorithm === undefined ? {} : { ChecksumAlgorithm: algorithm, ChecksumType: typeOfStored(checksums![algorithm]!) };
}
