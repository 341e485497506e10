/**
 * What a request of an object makes depend on the object: conditions and ranges.
 *
 * Source: RFC 9110, sections 13 and 14; S3 API Reference, GetObject.
 */
import type { ObjectInfo } from '../../store/objects.ts';
import { s3Error } from './errors.ts';
import type { S3Call } from './s3-call.ts';

/**
 * @param prefix What the names of the conditions' headers begin with: those of a copy are about its source.
 * @returns true when the client has this version already. @throws ApiError PreconditionFailed
 */
export function checkConditions(call: S3Call, info: ObjectInfo, prefix = ''): boolean {
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

function seconds(date: string | undefined): number | undefined {
  const ms = Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

/** `Range`, unless `If-Range` says that the client has the beginning of another object. Source: RFC 9110, 13.1.5. */
export function rangeOf(call: S3Call, info: ObjectInfo): string | undefined {
  const same = call.header('if-range');
  const isSame = same === undefined || same === `"${info.etag}"` || same === new Date(info.modifiedAtMs).toUTCString();
  return isSame ? call.header('range') : undefined;
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
