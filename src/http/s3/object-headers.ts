/**
 * How an object shows in the headers and elements of an answer.
 */
import type { ObjectInfo } from '../../store/objects.ts';
import type { XmlFields } from '../xml.ts';
import { ALGORITHMS, checksumElement, checksumHeader, typeOfStored } from './checksums.ts';
import { encryptionHeaders } from './encryption.ts';
import { lockHeaders } from './object-lock.ts';
import { type S3Call, toHeader } from './s3-call.ts';

export function objectHeaders(call: S3Call, info: ObjectInfo, isVersioned: boolean, isWhole: boolean): Record<string, string> {
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
    ...encryptionHeaders(info),
    ...lockHeaders(info),
    ...(isVersioned ? { 'x-amz-version-id': info.versionId ?? 'null' } : {}),
    ...(isWhole && call.header('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED' ? checksumHeaders(info) : {}),
  };
}

/** Parameters of a GET that replace a header of its answer. */
const OVERRIDES = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'];

/** @throws ApiError InvalidArgument for what no header can hold */
export function overrideHeaders(call: S3Call): Record<string, string> {
  const given = OVERRIDES.map((name) => [name, call.param(`response-${name}`)] as const);
  return Object.fromEntries(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, toHeader(value)]])));
}

export function rangeHeaders(range: readonly [number, number] | undefined, { sizeBytes }: ObjectInfo): Record<string, string> {
  return range === undefined ? {} : { 'content-range': `bytes ${range[0]}-${range[1]}/${sizeBytes}` };
}

export function checksumHeaders({ checksums }: ObjectInfo): Record<string, string> {
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
