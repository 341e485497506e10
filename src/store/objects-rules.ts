/**
 * What the stores of objects have in common: which names are allowed, when two objects are the same, and how a listing
 * is cut into pages.
 *
 * Keys, metadata and bodies are untrusted: whoever may put an object decides them.
 * Source: S3 API reference, "PutObject", "ListObjectsV2", "ListObjectVersions", "GetObject".
 */
import { isDeepStrictEqual } from 'node:util';
import type { BucketName, ObjectKey } from '../event/types.ts';
import type { Chance } from './clock.ts';
import {
  type Bucket,
  type BucketUpdate,
  ChangedMeanwhile,
  type ListOptions,
  type ObjectInfo,
  ObjectsError,
  type PutOptions,
} from './objects.ts';

const KEY_BYTES_MAX = 1_024;

/** The text that names the version without an id. */
export const NULL_VERSION = 'null';

/** @throws ObjectsError InvalidBucketName */
export function requireBucketName(name: BucketName): void {
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !/^\d+(\.\d+){3}$/.test(name);
  if (!isName) throw new ObjectsError('InvalidBucketName', `the bucket name \`${name.slice(0, 100)}\` is not valid`);
}

/** @throws ObjectsError KeyTooLongError | InvalidArgument */
export function requireKey(key: ObjectKey): void {
  if (Buffer.byteLength(key) > KEY_BYTES_MAX)
    throw new ObjectsError('KeyTooLongError', `a key has at most ${KEY_BYTES_MAX} bytes of UTF-8`);
  if (key === '' || /\0|\p{Surrogate}/u.test(key))
    throw new ObjectsError('InvalidArgument', 'a key is not empty and holds no NUL and no half character');
}

/** @throws ChangedMeanwhile unless what the change is of is as it was. */
export function requireUnchanged<T extends object>(found: T, expected: T | undefined, change: object): void {
  if (expected === undefined) return;
  const names = Object.keys(change) as (keyof T)[];
  if (names.some((name) => !isDeepStrictEqual(found[name], expected[name]))) throw new ChangedMeanwhile();
}

/**
 * The bucket after a change.
 * INVARIANT: a bucket with Object Lock keeps its versions: else a put would replace what is locked.
 * @throws ObjectsError InvalidBucketState
 */
export function changedBucket(bucket: Bucket, change: BucketUpdate): Bucket {
  const after = Object.fromEntries(Object.entries({ ...bucket, ...change }).filter(([, value]) => value !== null)) as unknown as Bucket;
  requireLockable(after, change);
  return after;
}

/** @throws ObjectsError InvalidBucketState */
export function requireLockable({ objectLock, versioning }: Bucket, change: BucketUpdate = {}): void {
  if (objectLock === undefined || versioning === 'Enabled') return;
  const message =
    change.versioning === undefined
      ? "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
      : 'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.';
  throw new ObjectsError('InvalidBucketState', message);
}

/** What makes two puts the same: bytes and all that a reader gets with them. */
export type Likeness = Pick<ObjectInfo, 'sizeBytes' | 'contentType' | 'contentEncoding' | 'headers' | 'metadata'>;

/** Whether an object that is there is the one that would be put, as far as its description tells. Bytes are compared by hash. */
export function isAlike(one: Likeness, other: Likeness): boolean {
  return (
    one.sizeBytes === other.sizeBytes &&
    one.contentType === other.contentType &&
    one.contentEncoding === other.contentEncoding &&
    hasSameMembers(one.headers ?? {}, other.headers ?? {}) &&
    hasSameMembers(one.metadata, other.metadata)
  );
}

export function hasSameMembers(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && one[name] === other[name]);
}

/** What of the options is kept with the object. */
export function keptOptions(
  options: PutOptions,
): Pick<ObjectInfo, 'contentType' | 'contentEncoding' | 'headers' | 'metadata' | 'checksums' | 'encryption'> {
  const { contentType, contentEncoding, headers, checksums, encryption, metadata = {} } = options;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    metadata: { ...metadata },
    ...(checksums === undefined ? {} : { checksums: { ...checksums } }),
    ...(encryption === undefined ? {} : { encryption }),
  };
}

/**
 * The part of `sizeBytes` that a range asks for: first byte, and the byte after the last.
 * @throws ObjectsError InvalidRange
 */
export function cutRange(sizeBytes: number, range: readonly [number, number] | undefined): { readonly from: number; readonly to: number } {
  if (range === undefined) return { from: 0, to: sizeBytes };
  const [first, last] = range;
  if (first < 0 || last < first || first >= sizeBytes)
    throw new ObjectsError('InvalidRange', `bytes ${first} to ${last} do not lie in an object of ${sizeBytes} bytes`);
  return { from: first, to: Math.min(last + 1, sizeBytes) };
}

/** One key of a listing with what is listed of it, in order: one object, or its versions, or nothing. */
export interface ListedKey<Entry> {
  readonly key: string;
  readonly keyBytes: Buffer;
  readonly entries: readonly Entry[];
}

export interface FoldedPage<Entry> {
  readonly entries: readonly Entry[];
  readonly commonPrefixes: readonly string[];
  /** The last entry or common prefix of the page; absent when nothing follows. */
  readonly next?: { readonly key: string; readonly entry?: Entry };
}

/**
 * Cuts a page out of a listing.
 *
 * @param scan Gives the keys from this one on, inclusive, in the order of their UTF-8 bytes; may be asked more than once.
 * @param isAfter For the key `after` itself, whether an entry comes after the place where the last page ended. When
 *   absent, the whole key was on an earlier page.
 */
export function foldPage<Entry>(
  scan: (from: Buffer) => Iterable<ListedKey<Entry>>,
  options: ListOptions,
  isAfter?: (entry: Entry) => boolean,
): FoldedPage<Entry> {
  const { prefix = '', delimiter = '', after, limit } = options;
  const prefixBytes = Buffer.from(prefix);
  const afterBytes = after === undefined ? undefined : Buffer.from(after);
  const entries: Entry[] = [];
  const commonPrefixes: string[] = [];
  let last: { key: string; entry?: Entry } | undefined;
  const isFull = () => entries.length + commonPrefixes.length >= limit;

  let from = afterBytes !== undefined && Buffer.compare(afterBytes, prefixBytes) > 0 ? afterBytes : prefixBytes;
  seek: for (;;) {
    for (const { key, keyBytes, entries: found } of scan(from)) {
      if (!keyBytes.subarray(0, prefixBytes.length).equals(prefixBytes)) break seek;
      if (found.length === 0) continue;
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      if (end >= 0) {
        const folded = key.slice(0, end + delimiter.length);
        const foldedBytes = Buffer.from(folded);
        if (afterBytes === undefined || Buffer.compare(foldedBytes, afterBytes) > 0) {
          if (isFull()) return { entries, commonPrefixes, next: last! };
          commonPrefixes.push(folded);
          last = { key: folded };
        }
        // Go on behind all the keys that are folded into this one. No byte of UTF-8 is 255, so the last one can grow.
        from = Buffer.from(foldedBytes);
        from[from.length - 1]! += 1;
        continue seek;
      }
      const order = afterBytes === undefined ? 1 : Buffer.compare(keyBytes, afterBytes);
      if (order < 0) continue;
      for (const entry of found) {
        if (order === 0 && !isAfter?.(entry)) continue;
        if (isFull()) return { entries, commonPrefixes, next: last! };
        entries.push(entry);
        last = { key, entry };
      }
    }
    break;
  }
  return { entries, commonPrefixes };
}

/** The place after which the next page of versions begins; no version id when the page ended with a common prefix. */
export function versionPlace(
  key: string,
  info: Pick<ObjectInfo, 'versionId'> | undefined,
): { readonly key: string; readonly versionId: string } {
  return { key, versionId: info === undefined ? '' : (info.versionId ?? NULL_VERSION) };
}

/**
 * Makes the id of a version: its sequence, so that a listing can go on behind a version that is gone, and eight random
 * bytes, so that nobody can guess it. 32 hexadecimal digits.
 */
export function makeVersionId(sequence: number, chance: Pick<Chance, 'bytes'>): string {
  return sequence.toString(16).padStart(16, '0') + Buffer.from(chance.bytes(8)).toString('hex');
}

/** The sequence in a version id; `undefined` when it is none of ours. */
export function sequenceOfVersionId(versionId: string): number | undefined {
  return /^000[0-9a-f]{29}$/.test(versionId) ? Number.parseInt(versionId.slice(0, 16), 16) : undefined;
}
