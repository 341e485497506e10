/**
 * The objects in memory: the reference for every other implementation, and what simulations run on.
 *
 * Each key holds its versions, newest first. Without versioning there is one, which a put replaces. While versioning is
 * suspended, puts and deletions replace the version without an id and leave the others.
 * Source: S3 User Guide, "Using versioning in S3 buckets".
 */
import { hash } from 'node:crypto';
import type { BucketName, ObjectKey } from '../../event/types.ts';
import type { Chance, Clock } from '../clock.ts';
import { changedProtection, createLockTime, protectionOfNew, requireDeletable } from '../object-lock.ts';
import {
  type Bucket,
  BucketExists,
  BucketMissing,
  BucketNotEmpty,
  ObjectConflict,
  type ObjectInfo,
  type Objects,
  type PutOptions,
  type StagedObject,
} from '../objects.ts';
import {
  changedBucket,
  cutRange,
  foldPage,
  isAlike,
  keptOptions,
  makeVersionId,
  NULL_VERSION,
  requireBucketName,
  requireKey,
  requireLockable,
  requireUnchanged,
  sequenceOfVersionId,
  versionPlace,
} from '../objects-rules.ts';

export interface MemoryObjectsOptions {
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly chance: Pick<Chance, 'bytes'>;
}

/** A version, or a delete marker, which has no bytes. */
interface Version {
  /** Grows with every version that is written: a greater one is newer. */
  readonly sequence: number;
  readonly info: Omit<ObjectInfo, 'isLatest'>;
  readonly body: Uint8Array;
}

interface StoredBucket {
  bucket: Bucket;
  /** Newest first; never empty. */
  readonly keys: Map<string, readonly Version[]>;
}

/** Makes a store without buckets. */
export function createMemoryObjects(options: MemoryObjectsOptions): Objects {
  const { clock, chance } = options;
  const lockTime = createLockTime(clock);
  const buckets = new Map<string, StoredBucket>();
  let sequence = 0;

  function requireBucket(name: BucketName): StoredBucket {
    const found = buckets.get(name);
    if (found === undefined) throw new BucketMissing(name);
    return found;
  }

  function newVersionId(versioning: Bucket['versioning']): string | null {
    sequence += 1;
    if (versioning !== 'Enabled') return null;
    return makeVersionId(sequence, chance);
  }

  /** Places a version before the others; without an id of its own it takes the place of the one without an id. */
  function place(stored: StoredBucket, key: string, version: Version): void {
    const others = stored.keys.get(key) ?? [];
    const kept = version.info.versionId === null ? others.filter(({ info }) => info.versionId !== null) : others;
    stored.keys.set(key, [version, ...kept]);
  }

  function find(stored: StoredBucket, key: string, versionId: string | undefined): { version: Version; isLatest: boolean } | undefined {
    const versions = stored.keys.get(key) ?? [];
    const index = versionId === undefined ? 0 : versions.findIndex(({ info }) => (info.versionId ?? NULL_VERSION) === versionId);
    const version = versions[index];
    return version && (versionId !== undefined || !version.info.isDeleteMarker) ? { version, isLatest: index === 0 } : undefined;
  }

  async function put(bucket: BucketName, key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    requireKey(key);
    const stored = requireBucket(bucket);
    const kept = keptOptions(options);
    const current = find(stored, key, undefined);
    if (options.mustBeFree && current !== undefined) throw new ObjectConflict(bucket, key, 'is there already');
    if (options.ifNoneMatch && current !== undefined) {
      const { info } = current.version;
      const isSame = isAlike(info, { ...kept, sizeBytes: body.length }) && Buffer.compare(current.version.body, body) === 0;
      if (!isSame) throw new ObjectConflict(bucket, key);
      return { ...info, isLatest: true };
    }
    const protection = protectionOfNew(stored.bucket, options, lockTime);
    const info = {
      key,
      sizeBytes: body.length,
      etag: options.etag ?? hash('md5', body),
      modifiedAtMs: clock.nowMs(),
      versionId: newVersionId(stored.bucket.versioning),
      isDeleteMarker: false,
      ...kept,
      ...protection,
    };
    place(stored, key, { sequence, info, body: body.slice() });
    return { ...info, isLatest: true };
  }

  function staged(body: Uint8Array): StagedObject {
    return {
      sizeBytes: body.length,
      md5Hex: hash('md5', body),
      read: async function* () {
        yield body;
      },
      commit: (bucket, key, options) => put(bucket, key, body, options),
      discard: async () => undefined,
    };
  }

  function* scan<Entry>(stored: StoredBucket, from: Buffer, entriesOf: (versions: readonly Version[]) => readonly Entry[]) {
    const keys = [...stored.keys].map(([key, versions]) => ({ key, keyBytes: Buffer.from(key), versions }));
    const listed = keys.filter(({ keyBytes }) => Buffer.compare(keyBytes, from) >= 0);
    listed.sort((one, other) => Buffer.compare(one.keyBytes, other.keyBytes));
    for (const { key, keyBytes, versions } of listed) yield { key, keyBytes, entries: entriesOf(versions) };
  }

  return {
    async createBucket(bucket) {
      requireBucketName(bucket.name);
      requireLockable(bucket);
      if (buckets.has(bucket.name)) throw new BucketExists(bucket.name);
      buckets.set(bucket.name, { bucket: { ...bucket }, keys: new Map() });
    },
    getBucket: async (name) => buckets.get(name)?.bucket,
    async listBuckets(owner) {
      const found = [...buckets.values()].map(({ bucket }) => bucket).filter((bucket) => bucket.owner === owner);
      return found.sort((one, other) => (one.name < other.name ? -1 : 1));
    },
    async updateBucket(name, change, expected) {
      const stored = requireBucket(name);
      requireUnchanged(stored.bucket, expected, change);
      stored.bucket = changedBucket(stored.bucket, change);
    },
    async deleteBucket(name) {
      if (requireBucket(name).keys.size > 0) throw new BucketNotEmpty(name);
      buckets.delete(name);
    },

    put,
    async stage(body) {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece.slice());
      return staged(Buffer.concat(pieces));
    },
    async join(parts) {
      const pieces: Uint8Array[] = [];
      for (const part of parts) for await (const piece of part.read()) pieces.push(piece);
      return staged(Buffer.concat(pieces));
    },
    async head(bucket, key, versionId) {
      requireKey(key);
      const found = find(requireBucket(bucket), key, versionId);
      return found && { ...found.version.info, isLatest: found.isLatest };
    },
    async get(bucket, key, options = {}) {
      requireKey(key);
      const found = find(requireBucket(bucket), key, options.versionId);
      if (found === undefined || found.version.info.isDeleteMarker) return undefined;
      const { info, body } = found.version;
      const { from, to } = cutRange(info.sizeBytes, options.range);
      return {
        info: { ...info, isLatest: found.isLatest },
        body: (async function* () {
          if (to > from) yield body.slice(from, to);
        })(),
      };
    },
    async list(bucket, options) {
      const stored = requireBucket(bucket);
      const latest = ([first]: readonly Version[]) => (first!.info.isDeleteMarker ? [] : [{ ...first!.info, isLatest: true }]);
      const { entries, commonPrefixes, next } = foldPage((from) => scan(stored, from, latest), options);
      return { objects: entries, commonPrefixes, ...(next && { next: next.key }) };
    },
    async listVersions(bucket, options) {
      const stored = requireBucket(bucket);
      const { after, afterVersionId = '' } = options;
      const place = after === undefined ? 0 : placeOf(stored.keys.get(after) ?? [], afterVersionId);
      const all = (versions: readonly Version[]) => versions.map((version, index) => ({ version, isLatest: index === 0 }));
      const page = foldPage(
        (from) => scan(stored, from, all),
        options,
        ({ version }) => version.sequence < place,
      );
      const versions = page.entries.map(({ version, isLatest }) => ({ ...version.info, isLatest }));
      const { commonPrefixes, next } = page;
      return { versions, commonPrefixes, ...(next && { next: versionPlace(next.key, next.entry?.version.info) }) };
    },
    async delete(bucket, key, versionId, { bypassGovernance = false, ifModifiedAtMs } = {}) {
      requireKey(key);
      const stored = requireBucket(bucket);
      const doomed = find(stored, key, versionId)?.version.info;
      if (ifModifiedAtMs !== undefined && doomed?.modifiedAtMs !== ifModifiedAtMs)
        throw new ObjectConflict(bucket, key, 'is another one by now');
      if (versionId !== undefined) requireDeletable(doomed ?? {}, bypassGovernance, lockTime);
      if (versionId !== undefined || stored.bucket.versioning === 'Off') {
        const left = (stored.keys.get(key) ?? []).filter(
          ({ info }) => versionId !== undefined && (info.versionId ?? NULL_VERSION) !== versionId,
        );
        if (left.length > 0) stored.keys.set(key, left);
        else stored.keys.delete(key);
        return {};
      }
      const id = newVersionId(stored.bucket.versioning);
      const marker = { key, sizeBytes: 0, etag: '', modifiedAtMs: clock.nowMs(), versionId: id, isDeleteMarker: true, metadata: {} };
      place(stored, key, { sequence, info: marker, body: new Uint8Array() });
      return { deleteMarkerVersionId: id ?? NULL_VERSION };
    },
    async protect(bucket, key, versionId, change) {
      requireKey(key);
      const stored = requireBucket(bucket);
      const found = find(stored, key, versionId);
      if (found === undefined || found.version.info.isDeleteMarker) return undefined;
      const { retention: _, legalHold: __, ...rest } = found.version.info;
      const info = { ...rest, ...changedProtection(stored.bucket, found.version.info, change, lockTime) };
      const versions = stored.keys.get(key)!;
      stored.keys.set(
        key,
        versions.map((each) => (each === found.version ? { ...each, info } : each)),
      );
      return { ...info, isLatest: found.isLatest };
    },
    close: async () => undefined,
  };
}

/** Sequence of the version where a page ended, also when it is gone by now; 0 when nobody can know. */
function placeOf(versions: readonly Version[], versionId: string): number {
  const found = versions.find(({ info }) => (info.versionId ?? NULL_VERSION) === versionId);
  return found?.sequence ?? sequenceOfVersionId(versionId) ?? 0;
}
