/**
 * Buckets, versions and listings over two small ports: an ordered index and a place for bodies.
 *
 * The index is the truth: an object exists when its index entry is committed. Bodies are written and synced before
 * that, so a crash leaves the old object or the new one, never half. `store/memory/objects.ts` and
 * `store/disk/objects.ts` supply the ports; what S3 means by a version, a delete marker or a page stands here once.
 *
 * Source: S3 User Guide, "Using versioning in S3 buckets"; docs/formats/objects.md.
 */
import type { AccountId, BucketName, ObjectKey } from '../event/types.ts';
import type { Chance, Clock } from './clock.ts';
import {
  type Bucket,
  BucketExists,
  BucketMissing,
  BucketNotEmpty,
  type ListOptions,
  type ListPage,
  ObjectConflict,
  type ObjectInfo,
  type Objects,
  ObjectsError,
  type PutOptions,
  type StagedObject,
  type VersionPage,
} from './objects.ts';

/** What the index keeps of one version. */
export interface StoredVersion extends ObjectInfo {
  /** Names the body; empty for a delete marker. */
  readonly bodyId: string;
  /** Hex SHA-256 of the body. */
  readonly sha256: string;
  /** Where the body of the newest version lies: under its own key, or escaped. */
  readonly place: 'path' | 'escaped';
  /** Counts up within a key; the highest is the newest. */
  readonly ordinal: number;
  /** True where versioning was ever on: the body is kept under its id as well. */
  readonly isVersioned: boolean;
}

/** Reads and writes of one index transaction. */
export interface IndexTransaction {
  get(key: Buffer): unknown;
  put(key: Buffer, value: object): void;
  remove(key: Buffer): void;
  range(start: Buffer, end: Buffer): Iterable<{ readonly key: Buffer; readonly value: unknown }>;
}

/** An ordered map from bytes to JSON documents, with atomic, durable commits. */
export interface ObjectIndex {
  /** Runs `work` alone; its writes are durable together when the promise resolves. `work` must not throw after a write. */
  commit<T>(work: (transaction: IndexTransaction) => T): Promise<T>;
  /** Reads one snapshot. */
  read<T>(work: (transaction: Pick<IndexTransaction, 'get' | 'range'>) => T): T;
  close(): Promise<void>;
}

/** A body that is written and synced, but belongs to nothing yet. */
export interface StagedBody {
  readonly id: string;
  readonly sizeBytes: number;
  readonly md5Hex: string;
  readonly sha256Hex: string;
}

/** Where bodies live. */
export interface Bodies {
  stage(body: AsyncIterable<Uint8Array>): Promise<StagedBody>;
  /** The bytes of a staged body. */
  readStaged(id: string): AsyncIterable<Uint8Array>;
  /** Forgets a staged body that the index does not know. */
  discard(id: string): Promise<void>;
  /** True when the key can lie under its own name. */
  isSafePath(bucket: BucketName, key: ObjectKey): boolean;
  /** Called after the commit that made `version` the newest of its key. May be repeated after a crash. */
  place(bucket: BucketName, version: StoredVersion): Promise<void>;
  /** Called before a version that was written without versioning stops being the newest: keeps its body under its id. */
  keep(bucket: BucketName, version: StoredVersion): Promise<void>;
  /** Called after the commit that left the key without a newest body. */
  clear(bucket: BucketName, version: StoredVersion): Promise<void>;
  /** Called after the commit that removed a version for good. */
  remove(bucket: BucketName, version: StoredVersion): Promise<void>;
  /** `undefined` when the bytes are not there. @throws ObjectDamaged when they are not the ones that were put. */
  read(bucket: BucketName, version: StoredVersion, range?: readonly [number, number]): Promise<AsyncIterable<Uint8Array> | undefined>;
  makeBucket(bucket: BucketName): Promise<void>;
  removeBucket(bucket: BucketName): Promise<void>;
  close(): Promise<void>;
}

const KEY_BYTES_MAX = 1_024;
/** Ordinals are stored counting down, so that byte order is newest first. */
const ORDINAL_BASE = 2 ** 48;

export interface IndexedObjectsPorts {
  readonly index: ObjectIndex;
  readonly bodies: Bodies;
  readonly clock: Clock;
  readonly chance: Chance;
}

export class IndexedObjects implements Objects {
  readonly #index: ObjectIndex;
  readonly #bodies: Bodies;
  readonly #clock: Clock;
  readonly #chance: Chance;
  /** The change under way for each key: commit and placing of one key never interleave. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(ports: IndexedObjectsPorts) {
    this.#index = ports.index;
    this.#bodies = ports.bodies;
    this.#clock = ports.clock;
    this.#chance = ports.chance;
  }

  async createBucket(bucket: Bucket): Promise<void> {
    await this.#bodies.makeBucket(bucket.name);
    const isNew = await this.#index.commit((index) => {
      if (index.get(bucketKey(bucket.name)) !== undefined) return false;
      index.put(bucketKey(bucket.name), bucket);
      return true;
    });
    if (!isNew) throw new BucketExists(bucket.name);
  }

  async getBucket(name: BucketName): Promise<Bucket | undefined> {
    return this.#index.read((index) => index.get(bucketKey(name)) as Bucket | undefined);
  }

  async listBuckets(owner: AccountId): Promise<readonly Bucket[]> {
    const all = this.#index.read((index) => [...index.range(Buffer.from('b\0'), Buffer.from('b\x01'))].map(({ value }) => value as Bucket));
    return all.filter((bucket) => bucket.owner === owner);
  }

  async updateBucket(
    name: BucketName,
    change: { readonly policy?: string | null; readonly versioning?: 'Enabled' | 'Suspended' },
  ): Promise<void> {
    await this.#index.commit((index) => {
      const { policy: before, ...rest } = requireBucket(index, name);
      const policy = change.policy === undefined ? before : (change.policy ?? undefined);
      const versioning = change.versioning ?? rest.versioning;
      index.put(bucketKey(name), { ...rest, versioning, ...(policy === undefined ? {} : { policy }) });
    });
  }

  async deleteBucket(name: BucketName): Promise<void> {
    const isEmpty = await this.#index.commit((index) => {
      requireBucket(index, name);
      for (const _ of index.range(...objectsRange(name))) return false;
      index.remove(bucketKey(name));
      return true;
    });
    if (!isEmpty) throw new BucketNotEmpty(name);
    await this.#bodies.removeBucket(name);
  }

  async put(bucket: BucketName, key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    const staged = await this.stage(once(body));
    try {
      return await staged.commit(bucket, key, options);
    } finally {
      await staged.discard();
    }
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedObject> {
    const staged = await this.#bodies.stage(body);
    // From the moment when the index may know the body, only a known refusal makes it ours to forget again.
    let mayBeKnown = false;
    return {
      sizeBytes: staged.sizeBytes,
      md5Hex: staged.md5Hex,
      commit: async (bucket, key, options) => {
        mayBeKnown = true;
        try {
          const { info, isStored } = await this.#commit(staged, bucket, key, options);
          mayBeKnown = isStored;
          return info;
        } catch (error) {
          mayBeKnown = !(error instanceof ObjectsError);
          throw error;
        }
      },
      discard: async () => {
        if (!mayBeKnown) await this.#bodies.discard(staged.id);
      },
      [bodyOf]: staged,
    } as StagedObject & { [bodyOf]: StagedBody };
  }

  async join(parts: readonly StagedObject[]): Promise<StagedObject> {
    const bodies = this.#bodies;
    return this.stage(
      (async function* () {
        for (const part of parts) yield* bodies.readStaged((part as StagedObject & { [bodyOf]: StagedBody })[bodyOf].id);
      })(),
    );
  }

  async head(bucket: BucketName, key: ObjectKey, versionId?: string): Promise<ObjectInfo | undefined> {
    const found = this.#find(bucket, key, versionId);
    return found === undefined || (found.isDeleteMarker && versionId === undefined) ? undefined : infoOf(found);
  }

  async get(
    bucket: BucketName,
    key: ObjectKey,
    options: { readonly versionId?: string; readonly range?: readonly [number, number] } = {},
  ): Promise<{ readonly info: ObjectInfo; readonly body: AsyncIterable<Uint8Array> } | undefined> {
    for (;;) {
      const found = this.#find(bucket, key, options.versionId);
      if (found === undefined || found.isDeleteMarker) return undefined;
      const read = await this.#bodies.read(bucket, found, options.range).catch((error: unknown) => ({ error }));
      // The object was replaced between the two steps: what was opened may be the newer body.
      if (this.#find(bucket, key, options.versionId)?.bodyId !== found.bodyId) continue;
      if (read === undefined) return undefined;
      if ('error' in read) throw read.error;
      return { info: infoOf(found), body: read };
    }
  }

  async list(bucket: BucketName, options: ListOptions): Promise<ListPage> {
    const page = this.#walk(bucket, options, true);
    return {
      objects: page.versions.map(infoOf),
      commonPrefixes: page.commonPrefixes,
      ...(page.last === undefined ? {} : { next: page.last.key }),
    };
  }

  async listVersions(bucket: BucketName, options: ListOptions & { readonly afterVersionId?: string }): Promise<VersionPage> {
    const page = this.#walk(bucket, options, false);
    return {
      versions: page.versions.map(infoOf),
      commonPrefixes: page.commonPrefixes,
      ...(page.last === undefined ? {} : { next: page.last }),
    };
  }

  async delete(bucket: BucketName, key: ObjectKey, versionId?: string): Promise<{ readonly deleteMarkerVersionId?: string }> {
    checkKey(key);
    return this.#inTurn(bucket, key, async () =>
      versionId === undefined ? this.#deleteNewest(bucket, key) : this.#deleteVersion(bucket, key, versionId),
    );
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#turns.values());
    await this.#bodies.close();
    await this.#index.close();
  }

  async #commit(
    staged: StagedBody,
    bucket: BucketName,
    key: ObjectKey,
    options: PutOptions,
  ): Promise<{ readonly info: ObjectInfo; readonly isStored: boolean }> {
    checkKey(key);
    return this.#inTurn(bucket, key, async () => {
      await this.#keepNewest(bucket, key);
      const outcome = await this.#index.commit((index) => {
        const { versioning } = requireBucket(index, bucket);
        const newest = newestOf(index, bucket, key);
        if (options.ifNoneMatch && newest !== undefined && !newest.isDeleteMarker) return { kind: 'there' as const, newest };
        const version = this.#newVersion(index, staged, bucket, key, options, versioning, newest);
        // Without versioning there is one version, `null`, and a put replaces it.
        const replaced = version.versionId === null ? removeNullVersion(index, bucket, key) : undefined;
        if (newest !== undefined && newest !== replaced && newest.ordinal !== replaced?.ordinal) demote(index, bucket, newest);
        index.put(versionKey(bucket, key, version.ordinal), version);
        return { kind: 'stored' as const, version, replaced };
      });
      if (outcome.kind === 'there') {
        if (!isSameObject(outcome.newest, staged, options)) throw new ObjectConflict(bucket, key);
        return { info: infoOf(outcome.newest), isStored: false };
      }
      await this.#bodies.place(bucket, outcome.version);
      if (outcome.replaced?.isVersioned) await this.#bodies.remove(bucket, outcome.replaced);
      return { info: infoOf(outcome.version), isStored: true };
    });
  }

  #newVersion(
    index: IndexTransaction,
    staged: StagedBody,
    bucket: BucketName,
    key: ObjectKey,
    options: PutOptions,
    versioning: Bucket['versioning'],
    newest: StoredVersion | undefined,
  ): StoredVersion {
    return {
      key,
      sizeBytes: staged.sizeBytes,
      etag: options.etag ?? staged.md5Hex,
      modifiedAtMs: this.#clock.nowMs(),
      versionId: versioning === 'Enabled' ? this.#newVersionId() : null,
      isLatest: true,
      isDeleteMarker: false,
      ...(options.contentType === undefined ? {} : { contentType: options.contentType }),
      ...(options.contentEncoding === undefined ? {} : { contentEncoding: options.contentEncoding }),
      ...(options.headers === undefined ? {} : { headers: options.headers }),
      metadata: options.metadata ?? {},
      ...(options.checksums === undefined ? {} : { checksums: options.checksums }),
      bodyId: staged.id,
      sha256: staged.sha256Hex,
      place: this.#bodies.isSafePath(bucket, key) && !collides(index, bucket, key) ? 'path' : 'escaped',
      ordinal: (newest?.ordinal ?? 0) + 1,
      isVersioned: versioning !== 'Off',
    };
  }

  async #deleteNewest(bucket: BucketName, key: ObjectKey): Promise<{ deleteMarkerVersionId?: string }> {
    await this.#keepNewest(bucket, key);
    const outcome = await this.#index.commit((index) => {
      const { versioning } = requireBucket(index, bucket);
      const newest = newestOf(index, bucket, key);
      if (versioning === 'Off') {
        if (newest !== undefined) index.remove(versionKey(bucket, key, newest.ordinal));
        return { newest, removed: newest, marker: undefined };
      }
      const marker = this.#deleteMarker(key, versioning, (newest?.ordinal ?? 0) + 1);
      const removed = marker.versionId === null ? removeNullVersion(index, bucket, key) : undefined;
      if (newest !== undefined && newest.ordinal !== removed?.ordinal) demote(index, bucket, newest);
      index.put(versionKey(bucket, key, marker.ordinal), marker);
      return { newest, removed, marker };
    });
    if (outcome.newest !== undefined && !outcome.newest.isDeleteMarker) await this.#bodies.clear(bucket, outcome.newest);
    if (outcome.removed !== undefined && !outcome.removed.isDeleteMarker) await this.#bodies.remove(bucket, outcome.removed);
    return outcome.marker === undefined ? {} : { deleteMarkerVersionId: outcome.marker.versionId ?? 'null' };
  }

  async #deleteVersion(bucket: BucketName, key: ObjectKey, versionId: string): Promise<{ deleteMarkerVersionId?: string }> {
    const outcome = await this.#index.commit((index) => {
      requireBucket(index, bucket);
      const found = versionsOf(index, bucket, key).find((version) => (version.versionId ?? 'null') === versionId);
      if (found === undefined) return undefined;
      index.remove(versionKey(bucket, key, found.ordinal));
      if (!found.isLatest) return { found, next: undefined };
      const older = newestOf(index, bucket, key);
      const next = older === undefined ? undefined : { ...older, isLatest: true };
      if (next !== undefined) index.put(versionKey(bucket, key, next.ordinal), next);
      return { found, next };
    });
    if (outcome === undefined) return {};
    const { found, next } = outcome;
    if (found.isLatest && !found.isDeleteMarker) await this.#bodies.clear(bucket, found);
    if (next !== undefined && !next.isDeleteMarker) await this.#bodies.place(bucket, next);
    if (!found.isDeleteMarker) await this.#bodies.remove(bucket, found);
    return found.isDeleteMarker ? { deleteMarkerVersionId: versionId } : {};
  }

  /** Versioning began after the newest version was written: its body must not be overwritten by the next one. */
  async #keepNewest(bucket: BucketName, key: ObjectKey): Promise<void> {
    const { versioning, newest } = this.#index.read((index) => ({
      versioning: requireBucket(index, bucket).versioning,
      newest: newestOf(index, bucket, key),
    }));
    if (versioning === 'Off' || newest === undefined || newest.isVersioned) return;
    await this.#bodies.keep(bucket, newest);
    await this.#index.commit((index) => index.put(versionKey(bucket, key, newest.ordinal), { ...newest, isVersioned: true }));
  }

  #deleteMarker(key: ObjectKey, versioning: Bucket['versioning'], ordinal: number): StoredVersion {
    return {
      key,
      sizeBytes: 0,
      etag: '',
      modifiedAtMs: this.#clock.nowMs(),
      versionId: versioning === 'Enabled' ? this.#newVersionId() : null,
      isLatest: true,
      isDeleteMarker: true,
      metadata: {},
      bodyId: '',
      sha256: '',
      place: 'path',
      ordinal,
      isVersioned: true,
    };
  }

  #newVersionId(): string {
    return Buffer.from(this.#chance.bytes(24)).toString('base64url');
  }

  #find(bucket: BucketName, key: ObjectKey, versionId: string | undefined): StoredVersion | undefined {
    checkKey(key);
    return this.#index.read((index) => {
      requireBucket(index, bucket);
      if (versionId === undefined) return newestOf(index, bucket, key);
      return versionsOf(index, bucket, key).find((version) => (version.versionId ?? 'null') === versionId);
    });
  }

  /** One page of newest objects, or of all versions. */
  #walk(
    bucket: BucketName,
    { prefix = '', delimiter = '', after = '', limit, afterVersionId }: ListOptions & { readonly afterVersionId?: string },
    isNewestOnly: boolean,
  ): { versions: StoredVersion[]; commonPrefixes: string[]; last: { key: string; versionId: string } | undefined } {
    return this.#index.read((index) => {
      requireBucket(index, bucket);
      const versions: StoredVersion[] = [];
      const commonPrefixes: string[] = [];
      let last: { key: string; versionId: string } | undefined;
      const end = objectsRange(bucket)[1];
      const isPastPrefix = (key: string) => !key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(prefix)) > 0;
      let start = startOf(index, bucket, prefix, after, afterVersionId, isNewestOnly);
      // A common prefix given as `after` was handed out whole.
      if (delimiter !== '' && after.startsWith(prefix) && after.endsWith(delimiter)) start = maxOf(start, pastPrefix(bucket, after));
      for (;;) {
        let jump: Buffer | undefined;
        for (const { value } of index.range(start, end)) {
          const version = value as StoredVersion;
          if (isPastPrefix(version.key)) break;
          if (!version.key.startsWith(prefix)) continue;
          if (isNewestOnly && (!version.isLatest || version.isDeleteMarker)) continue;
          const folded = delimiter === '' ? -1 : version.key.indexOf(delimiter, prefix.length);
          if (versions.length + commonPrefixes.length >= limit) return { versions, commonPrefixes, last };
          if (folded === -1) {
            versions.push(version);
            last = { key: version.key, versionId: version.versionId ?? 'null' };
            continue;
          }
          const common = version.key.slice(0, folded + delimiter.length);
          commonPrefixes.push(common);
          last = { key: common, versionId: '' };
          jump = pastPrefix(bucket, common);
          break;
        }
        if (jump === undefined) return { versions, commonPrefixes, last: undefined };
        start = jump;
      }
    });
  }

  async #inTurn<T>(bucket: BucketName, key: ObjectKey, work: () => Promise<T>): Promise<T> {
    const name = `${bucket}/${key}`;
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name);
    }
  }
}

/** Links a staged object to its body, unseen by callers. */
const bodyOf = Symbol('body');

async function* once(body: Uint8Array): AsyncIterable<Uint8Array> {
  yield body;
}

function infoOf(version: StoredVersion): ObjectInfo {
  const { bodyId: _body, sha256: _sha256, place: _place, ordinal: _ordinal, isVersioned: _versioned, ...info } = version;
  return info;
}

function isSameObject(stored: StoredVersion, staged: StagedBody, options: PutOptions): boolean {
  const given = [options.contentType, options.contentEncoding, options.metadata ?? {}];
  const kept = [stored.contentType, stored.contentEncoding, stored.metadata];
  return stored.sha256 === staged.sha256Hex && stored.sizeBytes === staged.sizeBytes && JSON.stringify(given) === JSON.stringify(kept);
}

function checkKey(key: ObjectKey): void {
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes === 0 || bytes > KEY_BYTES_MAX) throw new ObjectsError('KeyTooLongError', `an object key must be 1 to ${KEY_BYTES_MAX} bytes`);
  if (key.includes('\0')) throw new ObjectsError('InvalidArgument', 'an object key must not hold NUL');
}

function requireBucket(index: Pick<IndexTransaction, 'get'>, name: BucketName): Bucket {
  const bucket = index.get(bucketKey(name)) as Bucket | undefined;
  if (bucket === undefined) throw new BucketMissing(name);
  return bucket;
}

/** Versions of one key, newest first. */
function versionsOf(index: Pick<IndexTransaction, 'range'>, bucket: BucketName, key: ObjectKey): StoredVersion[] {
  const begin = `o\0${bucket}\0${key}\0`;
  return [...index.range(Buffer.from(begin), Buffer.from(`${begin}\x7f`))].map(({ value }) => value as StoredVersion);
}

function newestOf(index: Pick<IndexTransaction, 'range'>, bucket: BucketName, key: ObjectKey): StoredVersion | undefined {
  const begin = `o\0${bucket}\0${key}\0`;
  for (const { value } of index.range(Buffer.from(begin), Buffer.from(`${begin}\x7f`))) return value as StoredVersion;
  return undefined;
}

function removeNullVersion(index: IndexTransaction, bucket: BucketName, key: ObjectKey): StoredVersion | undefined {
  const found = versionsOf(index, bucket, key).find((version) => version.versionId === null);
  if (found !== undefined) index.remove(versionKey(bucket, key, found.ordinal));
  return found;
}

function demote(index: IndexTransaction, bucket: BucketName, version: StoredVersion): void {
  index.put(versionKey(bucket, version.key, version.ordinal), { ...version, isLatest: false });
}

/** True when the key's path would need a file where a folder is, or a folder where a file is. */
function collides(index: IndexTransaction, bucket: BucketName, key: ObjectKey): boolean {
  const below = `o\0${bucket}\0${key}/`;
  for (const { value } of index.range(Buffer.from(below), Buffer.from(`${below}\u{10ffff}`))) {
    if ((value as StoredVersion).place === 'path') return true;
  }
  const segments = key.split('/');
  for (let count = 1; count < segments.length; count += 1) {
    const parent = segments.slice(0, count).join('/') as ObjectKey;
    if (parent !== '' && versionsOf(index, bucket, parent).some((version) => version.place === 'path' && !version.isDeleteMarker))
      return true;
  }
  return false;
}

function bucketKey(name: BucketName): Buffer {
  return Buffer.from(`b\0${name}`, 'utf8');
}

function versionKey(bucket: BucketName, key: ObjectKey, ordinal: number): Buffer {
  return Buffer.from(`o\0${bucket}\0${key}\0${(ORDINAL_BASE - ordinal).toString(16).padStart(13, '0')}`, 'utf8');
}

function objectsRange(bucket: BucketName): [Buffer, Buffer] {
  return [Buffer.from(`o\0${bucket}\0`, 'utf8'), Buffer.from(`o\0${bucket}\x01`, 'utf8')];
}

function pastPrefix(bucket: BucketName, prefix: string): Buffer {
  return Buffer.concat([Buffer.from(`o\0${bucket}\0${prefix}`, 'utf8'), Buffer.from([0xff])]);
}

function startOf(
  index: Pick<IndexTransaction, 'range'>,
  bucket: BucketName,
  prefix: string,
  after: string,
  afterVersionId: string | undefined,
  isNewestOnly: boolean,
): Buffer {
  const atPrefix = Buffer.from(`o\0${bucket}\0${prefix}`, 'utf8');
  if (after === '') return atPrefix;
  if (!isNewestOnly && afterVersionId !== undefined && afterVersionId !== '') {
    const last = versionsOf(index, bucket, after as ObjectKey).find((version) => (version.versionId ?? 'null') === afterVersionId);
    if (last !== undefined) return maxOf(atPrefix, Buffer.concat([versionKey(bucket, last.key, last.ordinal), Buffer.from([0])]));
  }
  // Past every version of the key itself, before any longer key: `key NUL ordinal` < `key 0x01`.
  return maxOf(atPrefix, Buffer.from(`o\0${bucket}\0${after}\x01`, 'utf8'));
}

function maxOf(one: Buffer, other: Buffer): Buffer {
  return Buffer.compare(one, other) >= 0 ? one : other;
}
