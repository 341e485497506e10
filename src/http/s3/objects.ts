/**
 * S3's calls on objects: put, get, head, delete one or many, copy.
 *
 * A body is staged and checked first; it becomes the object only after the record of the call is durable. What the
 * store does not keep (encryption, locks, tags, storage classes) is refused, never ignored.
 * Source: S3 API Reference, PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, CopyObject.
 */
import type { BucketName, ObjectKey } from '../../event/types.ts';
import type { ObjectInfo, PutOptions, StagedObject } from '../../store/objects.ts';
import { parseQuery, percentDecode } from '../canonical-request.ts';
import { parseXml, type XmlFields, xmlDocument, xmlExactText, xmlText } from '../xml.ts';
import { aclDocument, notImplemented, refuseAcls } from './buckets.ts';
import { ALGORITHMS, Checksummer, checksumElement, checksumHeader, parseAlgorithm, typeOfStored } from './checksums.ts';
import { s3Error } from './errors.ts';
import { objectArn, readKey } from './names.ts';
import { receiveDocument, receiveObject } from './receive-body.ts';
import { answerXml, empty, S3_NAMESPACE, type S3Call, type S3Decision, toHeader } from './s3-call.ts';

const METADATA_BYTES_MAX = 2_048;
const DELETE_KEYS_MAX = 1_000;

/** Headers that S3 keeps with an object, besides type and encoding. */
const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-language', 'expires'];

export async function putObject(call: S3Call): Promise<S3Decision> {
  const { name } = await call.ownBucket();
  const { key } = call;
  refuseUnkept(call);
  const options = readPutOptions(call);
  const mustBeFree = await checkIfNoneMatch(call, name, key);
  const { staged, checksum } = await receiveObject(call);
  return {
    bytesIn: staged.sizeBytes,
    bytesOut: 0,
    discard: () => staged.discard(),
    apply: async () => {
      const checksums = checksum === undefined ? {} : { checksums: { [checksum.algorithm]: checksum.value } };
      const info = await commitObject(call, staged, { ...options, ...checksums, ...(mustBeFree ? { mustBeFree } : {}) });
      return empty(200, { etag: `"${info.etag}"`, ...checksumHeaders(info), ...versionHeader(info) });
    },
  };
}

/**
 * Makes a staged body the object. Whose the bucket is, is asked again: while the body came, however slowly, it may have
 * been deleted and made by another account.
 */
export async function commitObject(call: S3Call, staged: StagedObject, options: PutOptions): Promise<ObjectInfo> {
  const { name } = await call.ownBucket();
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

export async function getObject(call: S3Call): Promise<S3Decision> {
  const { name, versioning } = await call.ownBucket();
  if (call.hasParam('partNumber')) throw notImplemented('partNumber');
  const whole = await getWhole(call, name, versioning !== 'Off');
  if (whole !== undefined) return whole;
  const info = await findObject(call, name);
  const isVersioned = versioning !== 'Off' || info.versionId !== null;
  const unchanged = checkConditions(call, info);
  if (unchanged) return unmodified(info, isVersioned);
  const range = parseRange(rangeOf(call, info), info.sizeBytes);
  const headers = {
    ...objectHeaders(call, info, isVersioned, range === undefined),
    ...overrideHeaders(call),
    ...rangeHeaders(range, info),
  };
  const bodyBytes = range === undefined ? info.sizeBytes : range[1] - range[0] + 1;
  const versionId = call.param('versionId');
  // The version that was looked at, where it has an id: another one may be the newest by now.
  const pinned = versionId ?? info.versionId ?? undefined;
  const found = await call.objects.get(name, call.key, {
    ...(pinned === undefined ? {} : { versionId: pinned }),
    ...(range === undefined ? {} : { range }),
  });
  if (found === undefined) return getObject(call);
  if (found.info.etag !== info.etag || found.info.sizeBytes !== info.sizeBytes) {
    await leave(found.body);
    return getObject(call);
  }
  return { bytesOut: bodyBytes, apply: () => ({ status: range === undefined ? 200 : 206, headers, body: found.body, bodyBytes }) };
}

/** Headers that make an answer depend on what the object is. */
const CONDITIONS = ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

/** The object in one look, where nothing is asked but all of it; `undefined` where more must be known, or there is none. */
async function getWhole(call: S3Call, bucket: BucketName, isVersioned: boolean): Promise<S3Decision | undefined> {
  const versionId = call.param('versionId');
  if (versionId === '' || CONDITIONS.some((name) => call.header(name) !== undefined)) return undefined;
  // Looked at before the body is opened: one that is opened is read to its end, or its file stays open.
  const overrides = overrideHeaders(call);
  const found = await call.objects.get(bucket, call.key, versionId === undefined ? {} : { versionId });
  if (found === undefined) return undefined;
  const { info, body } = found;
  const headers = { ...objectHeaders(call, info, isVersioned || info.versionId !== null, true), ...overrides };
  return { bytesOut: info.sizeBytes, apply: () => ({ status: 200, headers, body, bodyBytes: info.sizeBytes }) };
}

export async function headObject(call: S3Call): Promise<S3Decision> {
  const { name, versioning } = await call.ownBucket();
  if (call.hasParam('partNumber')) throw notImplemented('partNumber');
  const info = await findObject(call, name);
  const isVersioned = versioning !== 'Off' || info.versionId !== null;
  if (checkConditions(call, info)) return unmodified(info, isVersioned);
  const range = parseRange(rangeOf(call, info), info.sizeBytes);
  const length = range === undefined ? info.sizeBytes : range[1] - range[0] + 1;
  const headers = {
    ...objectHeaders(call, info, isVersioned, range === undefined),
    ...overrideHeaders(call),
    ...rangeHeaders(range, info),
    'content-length': `${length}`,
  };
  return { bytesOut: 0, apply: () => empty(range === undefined ? 200 : 206, headers) };
}

export async function getObjectAcl(call: S3Call): Promise<S3Decision> {
  const { name } = await call.ownBucket();
  await findObject(call, name);
  return answerXml(aclDocument(call.request.call.account));
}

/** No object has tags: those are refused when it is put. */
export async function getObjectTagging(call: S3Call): Promise<S3Decision> {
  const { name } = await call.ownBucket();
  await findObject(call, name);
  return answerXml(xmlDocument('Tagging', { TagSet: '' }, S3_NAMESPACE));
}

export async function deleteObject(call: S3Call): Promise<S3Decision> {
  const { name } = await call.ownBucket();
  for (const condition of ['if-match', 'x-amz-if-match-last-modified-time', 'x-amz-if-match-size'])
    if (call.header(condition) !== undefined) throw notImplemented(condition);
  const versionId = call.param('versionId');
  if (versionId === '') throw emptyVersionId();
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

/** The keys that a DeleteObjects call names. */
interface Doomed {
  readonly key: ObjectKey;
  readonly versionId?: string;
}

/** @returns the id of the delete marker that was placed, or that was the version deleted. */
async function deleteOne(call: S3Call, bucket: BucketName, { key, versionId }: Doomed): Promise<{ readonly markerId: string | undefined }> {
  const before = versionId === undefined ? undefined : await call.objects.head(bucket, key, versionId);
  const { deleteMarkerVersionId } = await call.objects.delete(bucket, key, versionId);
  return { markerId: before?.isDeleteMarker ? versionId : deleteMarkerVersionId };
}

/** @param recordEach Records the deletion of each object before any is deleted. */
export async function deleteObjects(call: S3Call, recordEach: (doomed: readonly Doomed[]) => Promise<void>): Promise<S3Decision> {
  const { name } = await call.ownBucket();
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
  return {
    bytesIn: document.length,
    apply: async () => {
      await recordEach(doomed);
      const deleted: XmlFields[] = [];
      const failed: XmlFields[] = [];
      for (const { key, versionId } of doomed) {
        try {
          const { markerId } = await deleteOne(call, name, { key, ...(versionId === undefined ? {} : { versionId }) });
          const marker = markerId === undefined ? {} : { DeleteMarker: true, DeleteMarkerVersionId: markerId };
          deleted.push({ Key: key, VersionId: versionId, ...marker });
        } catch {
          failed.push({
            Key: key,
            VersionId: versionId,
            Code: 'InternalError',
            Message: 'We encountered an internal error. Please try again.',
          });
        }
      }
      const text = xmlDocument('DeleteResult', { Deleted: isQuiet ? [] : deleted, Error: failed }, S3_NAMESPACE);
      return { status: 200, headers: { 'content-type': 'application/xml' }, text };
    },
  };
}

export async function copyObject(call: S3Call): Promise<S3Decision> {
  const { name } = await call.ownBucket();
  const { key } = call;
  refuseUnkept(call);
  const source = await findCopySource(call);
  const directive = call.header('x-amz-metadata-directive') ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') throw s3Error('InvalidArgument', { message: 'Unknown metadata directive.' });
  const isSame = source.bucket === name && source.info.key === key && source.versionId === undefined;
  if (isSame && directive === 'COPY') {
    throw s3Error('InvalidRequest', {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    });
  }
  const mustBeFree = await checkIfNoneMatch(call, name, key);
  const options = directive === 'REPLACE' ? readPutOptions(call) : keptOptions(source.info);
  const wanted = call.header('x-amz-checksum-algorithm');
  const algorithm =
    wanted === undefined ? ALGORITHMS.find((known) => source.info.checksums?.[known] !== undefined) : parseAlgorithm(wanted);
  const summer = algorithm === undefined ? undefined : new Checksummer(algorithm);
  const staged = await call.objects.stage(tap(await openCopySource(call, source), summer));
  const checksums = summer === undefined ? {} : { checksums: { [summer.algorithm]: summer.digest() } };
  return {
    bytesIn: 0,
    requestParameters: {},
    resources: [{ type: 'AWS::S3::Object', name: objectArn(source.bucket, source.info.key) }],
    discard: () => staged.discard(),
    apply: async () => {
      const info = await commitObject(call, staged, { ...options, ...checksums, ...(mustBeFree ? { mustBeFree } : {}) });
      const text = xmlDocument(
        'CopyObjectResult',
        { LastModified: new Date(info.modifiedAtMs).toISOString(), ETag: `"${info.etag}"`, ...checksumElements(info) },
        S3_NAMESPACE,
      );
      const headers = {
        'content-type': 'application/xml',
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
  await call.ownBucket(bucket, 'x-amz-source-expected-bucket-owner');
  const key = readKey(plain.slice(slash + 1));
  const info = await call.objects.head(bucket, key, versionId);
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
  });
  if (found?.info.etag === info.etag) return found.body;
  if (found !== undefined) await leave(found.body);
  throw s3Error('NoSuchKey', { details: { Key: info.key } });
}

/** Closes a body that nobody reads. */
async function leave(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
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

/** What of a request is kept with the object. @throws ApiError MetadataTooLarge, InvalidArgument */
export function readPutOptions(call: S3Call): PutOptions {
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
  };
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

/**
 * Refuses what would be dropped in silence: encryption with a key, locks, tags, redirects, other storage classes, ACLs.
 * @throws ApiError NotImplemented, AccessControlListNotSupported
 */
export function refuseUnkept(call: S3Call): void {
  refuseAcls(call);
  for (const name of call.headerNames()) {
    if (
      /^x-amz-(?:server-side-encryption|object-lock-|tagging$|website-redirect-location$|copy-source-server-side-encryption|write-offset-bytes$)/.test(
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

function emptyVersionId(): Error {
  return s3Error('InvalidArgument', { message: 'Version id cannot be the empty string' });
}

/** @throws ApiError NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker */
async function findObject(call: S3Call, bucket: BucketName): Promise<ObjectInfo> {
  const versionId = call.param('versionId');
  if (versionId === '') throw emptyVersionId();
  const info = await call.objects.head(bucket, call.key, versionId);
  if (info === undefined)
    throw s3Error(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion', {
      details: { Key: call.key, ...(versionId === undefined ? {} : { VersionId: versionId }) },
    });
  if (info.isDeleteMarker)
    throw s3Error('MethodNotAllowed', { details: { Method: call.request.parts.method, ResourceType: 'DeleteMarker' } });
  return info;
}

/**
 * @param prefix What the names of the conditions' headers begin with: those of a copy are about its source.
 * @returns true when the client has this version already. @throws ApiError PreconditionFailed
 */
function checkConditions(call: S3Call, info: ObjectInfo, prefix = ''): boolean {
  const condition = (name: string): string | undefined => call.header(`${prefix}${name}`);
  const ifMatch = condition('if-match');
  const modifiedSeconds = Math.floor(info.modifiedAtMs / 1000);
  if (ifMatch !== undefined) {
    if (!matchesEtag(ifMatch, info.etag)) throw s3Error('PreconditionFailed', { details: { Condition: 'If-Match' } });
  } else {
    const since = seconds(condition('if-unmodified-since'));
    if (since !== undefined && modifiedSeconds > since)
      throw s3Error('PreconditionFailed', { details: { Condition: 'If-Unmodified-Since' } });
  }
  const ifNoneMatch = condition('if-none-match');
  if (ifNoneMatch !== undefined) return matchesEtag(ifNoneMatch, info.etag);
  const since = seconds(condition('if-modified-since'));
  return since !== undefined && modifiedSeconds <= since;
}

function matchesEtag(header: string, etag: string): boolean {
  return header.split(',').some((item) => item.trim() === '*' || item.trim().replace(/^(?:W\/)?"(.*)"$/, '$1') === etag);
}

/** `Range`, unless `If-Range` says that the client has the beginning of another object. Source: RFC 9110, 13.1.5. */
function rangeOf(call: S3Call, info: ObjectInfo): string | undefined {
  const same = call.header('if-range');
  const isSame = same === undefined || same === `"${info.etag}"` || same === new Date(info.modifiedAtMs).toUTCString();
  return isSame ? call.header('range') : undefined;
}

function seconds(date: string | undefined): number | undefined {
  const ms = Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

function unmodified(info: ObjectInfo, isVersioned: boolean): S3Decision {
  const headers = {
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.modifiedAtMs).toUTCString(),
    ...(isVersioned ? versionHeader(info) : {}),
  };
  return { bytesOut: 0, apply: () => empty(304, headers) };
}

/**
 * @returns first and last byte; `undefined` for no range, and for what S3 does not take for one.
 * @throws ApiError InvalidRange when it begins after the end.
 */
export function parseRange(header: string | undefined, sizeBytes: number): readonly [number, number] | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const refuse = (): Error =>
    s3Error('InvalidRange', {
      details: { RangeRequested: header!.trim(), ActualObjectSize: `${sizeBytes}`, 'header:content-range': `bytes */${sizeBytes}` },
    });
  if (match[1] === '') {
    const last = Number(match[2]);
    if (last === 0 || sizeBytes === 0) throw refuse();
    return [Math.max(0, sizeBytes - last), sizeBytes - 1];
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  if (match[2] !== '' && Number(match[2]) < first) return undefined;
  if (first >= sizeBytes) throw refuse();
  return [first, last];
}

function rangeHeaders(range: readonly [number, number] | undefined, { sizeBytes }: ObjectInfo): Record<string, string> {
  return range === undefined ? {} : { 'content-range': `bytes ${range[0]}-${range[1]}/${sizeBytes}` };
}

/** Parameters of a GET that replace a header of its answer. */
const OVERRIDES = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'];

/** @throws ApiError InvalidArgument for what no header can hold */
function overrideHeaders(call: S3Call): Record<string, string> {
  const given = OVERRIDES.map((name) => [name, call.param(`response-${name}`)] as const);
  return Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, toHeader(value)]])));
}

function objectHeaders(call: S3Call, info: ObjectInfo, isVersioned: boolean, isWhole: boolean): Record<string, string> {
  const kept: Record<string, string | undefined> = {
    'content-type': info.contentType ?? 'binary/octet-stream',
    'content-encoding': info.contentEncoding,
    ...info.headers,
    ...Object.fromEntries(Object.entries(info.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value])),
  };
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(kept)) if (value !== undefined) headers[name] = toHeader(value);
  return {
    ...headers,
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.modifiedAtMs).toUTCString(),
    'accept-ranges': 'bytes',
    ...(isVersioned ? { 'x-amz-version-id': info.versionId ?? 'null' } : {}),
    ...(isWhole && call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? checksumHeaders(info) : {}),
  };
}

function checksumHeaders({ checksums }: ObjectInfo): Record<string, string> {
  const algorithm = ALGORITHMS.find((name) => checksums?.[name] !== undefined);
  if (algorithm === undefined) return {};
  const value = checksums![algorithm]!;
  return { [checksumHeader(algorithm)]: value, 'x-amz-checksum-type': typeOfStored(value) };
}

export function checksumElements({ checksums }: ObjectInfo): XmlFields {
  const algorithm = ALGORITHMS.find((name) => checksums?.[name] !== undefined);
  if (algorithm === undefined) return {};
  const value = checksums![algorithm]!;
  return { [checksumElement(algorithm)]: value, ChecksumType: typeOfStored(value) };
}

export function versionHeader({ versionId }: ObjectInfo): Record<string, string> {
  return versionId === null ? {} : { 'x-amz-version-id': versionId };
}
