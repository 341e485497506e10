/**
 * S3's reads of one object: get, head, tags.
 *
 * Source: S3 API Reference, GetObject, HeadObject, GetObjectTagging.
 */
import type { BucketName } from '../../event/types.ts';
import type { ObjectInfo } from '../../store/objects.ts';
import { xmlDocument } from '../xml.ts';
import { notImplemented } from './buckets.ts';
import { checkConditions, parseRange, rangeOf } from './conditions.ts';
import { openKeyFor } from './encryption.ts';
import { findObject } from './find-object.ts';
import { objectHeaders, overrideHeaders, rangeHeaders, versionHeader } from './object-headers.ts';
import { answerXml, empty, S3_NAMESPACE, type S3Call, type S3Decision } from './s3-call.ts';

export async function getObject(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { name, versioning } = bucket;
  if (call.hasParam('partNumber')) throw notImplemented('partNumber');
  const whole = await getWhole(call, name, versioning !== 'Off');
  if (whole !== undefined) return whole;
  const info = await findObject(call, bucket);
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
    openKey: openKeyFor(call),
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
  const openKey = openKeyFor(call);
  const found = await call.objects.get(bucket, call.key, versionId === undefined ? { openKey } : { versionId, openKey });
  if (found === undefined) return undefined;
  const { info, body } = found;
  const headers = { ...objectHeaders(call, info, isVersioned || info.versionId !== null, true), ...overrides };
  return { bytesOut: info.sizeBytes, apply: () => ({ status: 200, headers, body, bodyBytes: info.sizeBytes }) };
}

export async function headObject(call: S3Call): Promise<S3Decision> {
  const bucket = await call.openBucket();
  const { versioning } = bucket;
  if (call.hasParam('partNumber')) throw notImplemented('partNumber');
  const info = await findObject(call, bucket);
  const isVersioned = versioning !== 'Off' || info.versionId !== null;
  if (checkConditions(call, info)) return unmodified(info, isVersioned);
  await requireKeyOf(call, info);
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

/** Who asks about an object under a KMS key must be let in by the key, as if it were read. @throws ApiError AccessDenied, `KMS.DisabledException`, … */
async function requireKeyOf(call: S3Call, { encryption }: ObjectInfo): Promise<void> {
  const { algorithm, dataKey } = encryption ?? {};
  // A foreign store asks its own KMS.
  if (algorithm === 'aws:kms' && dataKey !== undefined) await openKeyFor(call)({ ...encryption!, dataKey });
}

/** No object has tags: those are refused when it is put. */
export async function getObjectTagging(call: S3Call): Promise<S3Decision> {
  await findObject(call, await call.openBucket());
  return answerXml(xmlDocument('Tagging', { TagSet: '' }, S3_NAMESPACE));
}

function unmodified(info: ObjectInfo, isVersioned: boolean): S3Decision {
  const headers = {
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.modifiedAtMs).toUTCString(),
    ...(isVersioned ? versionHeader(info) : {}),
  };
  return { bytesOut: 0, apply: () => empty(304, headers) };
}

/** Closes a body that nobody reads. */
export async function leave(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}
