/**
 * The index of the disk store: which buckets and objects there are, and where the bytes of each version lie.
 *
 * It is the commit point. A change of objects is one durable transaction, which also writes down the *move* of files that
 * makes the folders agree with it; the move is carried out afterwards, and again at the next start when a crash came
 * between (`file-moves.ts`). Until a move is crossed out, the files of its key may lie at their old place.
 *
 * Tables: `buckets` by name; `current`, the newest version of each key, which may be a delete marker; `old`, the others;
 * `moves`; `state`. INVARIANT: a key with old versions has a current one.
 * Source: S3 User Guide, "Using versioning in S3 buckets"; docs/formats/objects.md.
 */
import type { AccountId, BucketName, ObjectKey } from '../../../event/types.ts';
import type { Chance } from '../../clock.ts';
import { DurableLmdb, type LmdbTable } from '../../lmdb/durable-lmdb.ts';
import type { Protection } from '../../object-lock.ts';
import { type Bucket, BucketExists, BucketMissing, BucketNotEmpty, type ListOptions, type ObjectInfo } from '../../objects.ts';
import { type FoldedPage, foldPage, makeVersionId, NULL_VERSION, sequenceOfVersionId } from '../../objects-rules.ts';
import { asideName, pathOfKey } from './key-path.ts';

const FORMAT = '1';

/** One version of an object, or a delete marker, which has no file. */
export interface StoredVersion {
  /** Grows with every version that is written: a greater one is newer. */
  readonly sequence: number;
  /** Lower-case hexadecimal SHA-256 of the bytes; empty for a delete marker. */
  readonly sha256: string;
  /** Where the file lies while this version is current: at the key's path, or aside. */
  readonly place: 'path' | 'aside';
  readonly info: Omit<ObjectInfo, 'key' | 'isLatest'>;
}

/** A version as it was found. */
export interface FoundVersion {
  readonly version: StoredVersion;
  readonly isLatest: boolean;
}

/**
 * What is to be done with files so that they agree with the index. Paths are relative to the store's folder.
 * Steps in order: `retire`, `bring`, `drop`. Each may be repeated after a crash at any point.
 */
export interface Move {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  /** The current file goes to the old versions. */
  readonly retire?: { readonly from: string; readonly to: string };
  /** A file becomes the current one, in the place of whatever is there. */
  readonly bring?: { readonly from: string; readonly to: string };
  /** Files that nothing refers to any more. */
  readonly drop?: readonly string[];
}

export interface NumberedMove {
  readonly id: number;
  readonly move: Move;
}

/** A new version, but for what the transaction decides. */
export interface NewVersion {
  readonly sha256: string;
  readonly info: Omit<ObjectInfo, 'key' | 'isLatest' | 'versionId'>;
  /** Path of the staged file. */
  readonly from: string;
  /** Whether the key's path is free, as far as anyone can tell before. */
  readonly place: 'path' | 'aside';
}

export class ObjectIndex {
  readonly #lmdb: DurableLmdb;
  readonly #chance: Pick<Chance, 'bytes'>;
  readonly #buckets: LmdbTable;
  readonly #current: LmdbTable;
  readonly #old: LmdbTable;
  readonly #moves: LmdbTable;
  readonly #state: LmdbTable;
  /** Sequence of the newest version. Changed in transactions only. */
  #sequence: number;
  /** Number of the newest move. */
  #moveId = 0;

  /**
   * @param folder Made when it is missing.
   * @throws Error when a newer Snowtrail wrote it.
   */
  static async open(folder: string, chance: Pick<Chance, 'bytes'>): Promise<ObjectIndex> {
    const lmdb = await DurableLmdb.open(folder);
    const index = new ObjectIndex(lmdb, chance);
    const format = textOf(index.#state.get(Buffer.from('format')));
    if (format !== undefined && format !== FORMAT) {
      await lmdb.close();
      throw new Error(`the objects in \`${folder}\` have format \`${format}\`, and this Snowtrail reads format ${FORMAT}; use a newer one`);
    }
    if (format === undefined) await lmdb.transact(() => void index.#state.put(Buffer.from('format'), Buffer.from(FORMAT)));
    return index;
  }

  private constructor(lmdb: DurableLmdb, chance: Pick<Chance, 'bytes'>) {
    this.#lmdb = lmdb;
    this.#chance = chance;
    this.#buckets = lmdb.table('buckets');
    this.#current = lmdb.table('current');
    this.#old = lmdb.table('old');
    this.#moves = lmdb.table('moves');
    this.#state = lmdb.table('state');
    this.#sequence = Number(textOf(this.#state.get(Buffer.from('sequence'))) ?? 0);
  }

  close(): Promise<void> {
    return this.#lmdb.close();
  }

  // --- Buckets

  bucket(name: BucketName): Bucket | undefined {
    return readJson<Bucket>(this.#buckets.get(Buffer.from(name)));
  }

  /** @throws BucketMissing */
  requireBucket(name: BucketName): Bucket {
    const bucket = this.bucket(name);
    if (bucket === undefined) throw new BucketMissing(name);
    return bucket;
  }

  bucketsOf(owner: AccountId): readonly Bucket[] {
    const found: Bucket[] = [];
    for (const { value } of this.#buckets.getRange({})) {
      const bucket = readJson<Bucket>(value)!;
      if (bucket.owner === owner) found.push(bucket);
    }
    return found;
  }

  /** @throws BucketExists */
  async createBucket(bucket: Bucket): Promise<void> {
    await this.#lmdb.transact(() => {
      if (this.bucket(bucket.name) !== undefined) throw new BucketExists(bucket.name);
      write(this.#buckets, Buffer.from(bucket.name), bucket);
    });
  }

  /** @throws BucketMissing */
  async updateBucket(name: BucketName, change: (bucket: Bucket) => Bucket): Promise<void> {
    await this.#lmdb.transact(() => write(this.#buckets, Buffer.from(name), change(this.requireBucket(name))));
  }

  /**
   * @param missing Sequences of versions that count for nothing, because their files are gone: they go with the bucket.
   * @throws BucketMissing | BucketNotEmpty
   */
  async deleteBucket(name: BucketName, missing: ReadonlySet<number>): Promise<void> {
    await this.#lmdb.transact(() => {
      this.requireBucket(name);
      const tables = [this.#current, this.#old];
      const rows = tables.flatMap((table) => [...table.getRange(bucketRange(name))].map((row) => ({ ...row, table })));
      if (rows.some(({ value }) => !missing.has(readJson<StoredVersion>(value)!.sequence))) throw new BucketNotEmpty(name);
      for (const { table, key } of rows) void table.remove(key);
      void this.#buckets.remove(Buffer.from(name));
    });
  }

  // --- Reading

  /** The version, or the newest one; also when it is a delete marker. */
  find(bucket: BucketName, key: ObjectKey, versionId?: string): FoundVersion | undefined {
    const current = this.#currentOf(bucket, key);
    if (current === undefined) return undefined;
    if (versionId === undefined || nameOfVersion(current) === versionId) return { version: current, isLatest: true };
    const sequence = sequenceOfVersionId(versionId);
    if (versionId !== NULL_VERSION && sequence === undefined) return undefined;
    const candidates =
      sequence === undefined ? this.#oldOf(bucket, key) : [readJson<StoredVersion>(this.#old.get(oldKey(bucket, key, sequence)))];
    const version = candidates.find((each) => each !== undefined && nameOfVersion(each) === versionId);
    return version && { version, isLatest: false };
  }

  /** The newest version of each key that is not deleted. One snapshot. */
  list(bucket: BucketName, options: ListOptions): FoldedPage<{ readonly key: ObjectKey; readonly version: StoredVersion }> {
    return foldPage(
      (from) => this.#scan(bucket, from, (key, current) => (current.info.isDeleteMarker ? [] : [{ key, version: current }])),
      options,
    );
  }

  /** All versions, newest first within a key. One snapshot. */
  listVersions(
    bucket: BucketName,
    options: ListOptions & { readonly afterVersionId?: string },
  ): FoldedPage<FoundVersion & { readonly key: ObjectKey }> {
    const { after, afterVersionId = '' } = options;
    const place = after === undefined || afterVersionId === '' ? 0 : this.#sequenceAt(bucket, after as ObjectKey, afterVersionId);
    const all = (key: ObjectKey, current: StoredVersion) => [
      { key, version: current, isLatest: true },
      ...this.#oldOf(bucket, key).map((version) => ({ key, version, isLatest: false })),
    ];
    return foldPage(
      (from) => this.#scan(bucket, from, all),
      options,
      ({ version }) => version.sequence < place,
    );
  }

  /** Moves that are not crossed out, oldest first. */
  moves(): readonly NumberedMove[] {
    const found: NumberedMove[] = [];
    for (const { key, value } of this.#moves.getRange({}))
      found.push({ id: Number(Buffer.from(key).readBigUInt64BE()), move: readJson<Move>(value)! });
    return found;
  }

  // --- Changing

  /**
   * Makes a version current. The one before becomes an old version, or goes, as the bucket's versioning says.
   * @throws BucketMissing
   */
  place(
    bucket: BucketName,
    key: ObjectKey,
    draft: NewVersion,
  ): Promise<{ readonly version: StoredVersion; readonly moving: NumberedMove }> {
    return this.#lmdb.transact(() => {
      const { versioning } = this.requireBucket(bucket);
      const version = this.#make(versioning, draft.sha256, draft.place, draft.info);
      const bring = { from: draft.from, to: currentPath(bucket, key, draft.place) };
      const moving = this.#supersede(bucket, key, version, bring);
      return { version, moving };
    });
  }

  /**
   * Places a delete marker; without versioning, removes the object.
   * @returns `moving` is absent when no file is concerned.
   * @throws BucketMissing
   */
  delete(
    bucket: BucketName,
    key: ObjectKey,
    nowMs: number,
  ): Promise<{ readonly markerVersionId?: string; readonly moving: NumberedMove | undefined }> {
    return this.#lmdb.transact(() => {
      const { versioning } = this.requireBucket(bucket);
      if (versioning === 'Off') {
        const current = this.#currentOf(bucket, key);
        if (current === undefined) return { moving: undefined };
        void this.#current.remove(currentKey(bucket, key));
        return { moving: this.#note({ bucket, key, drop: [currentPath(bucket, key, current.place)] }) };
      }
      const info = { sizeBytes: 0, etag: '', modifiedAtMs: nowMs, isDeleteMarker: true, metadata: {} };
      const marker = this.#make(versioning, '', defaultPlace(key), info);
      return { markerVersionId: nameOfVersion(marker), moving: this.#supersede(bucket, key, marker, undefined) };
    });
  }

  /**
   * Removes one version for good. The newest of those that are left becomes current.
   * @param requireDeletable Throws when the version is protected.
   */
  deleteVersion(
    bucket: BucketName,
    key: ObjectKey,
    versionId: string,
    requireDeletable: (info: Protection) => void,
  ): Promise<{ readonly moving: NumberedMove | undefined }> {
    return this.#lmdb.transact(() => {
      this.requireBucket(bucket);
      const found = this.find(bucket, key, versionId);
      if (found === undefined) return { moving: undefined };
      requireDeletable(found.version.info);
      const { version, isLatest } = found;
      const isFile = !version.info.isDeleteMarker;
      if (!isLatest) {
        void this.#old.remove(oldKey(bucket, key, version.sequence));
        return { moving: isFile ? this.#note({ bucket, key, drop: [oldPath(version.sequence)] }) : undefined };
      }
      const [next] = this.#oldOf(bucket, key, 1);
      if (next === undefined) {
        void this.#current.remove(currentKey(bucket, key));
        return { moving: isFile ? this.#note({ bucket, key, drop: [currentPath(bucket, key, version.place)] }) : undefined };
      }
      void this.#old.remove(oldKey(bucket, key, next.sequence));
      const promoted: StoredVersion = { ...next, place: isFile ? version.place : defaultPlace(key) };
      write(this.#current, currentKey(bucket, key), promoted);
      if (!next.info.isDeleteMarker)
        return {
          moving: this.#note({ bucket, key, bring: { from: oldPath(next.sequence), to: currentPath(bucket, key, promoted.place) } }),
        };
      return { moving: isFile ? this.#note({ bucket, key, drop: [currentPath(bucket, key, version.place)] }) : undefined };
    });
  }

  /**
   * Changes what protects a version, or the newest one.
   * @returns `undefined` when there is none, or a delete marker.
   * @throws BucketMissing, and what `change` throws
   */
  protect(
    bucket: BucketName,
    key: ObjectKey,
    versionId: string | undefined,
    change: (bucket: Bucket, before: Protection) => Protection,
  ): Promise<FoundVersion | undefined> {
    return this.#lmdb.transact(() => {
      const of = this.requireBucket(bucket);
      const found = this.find(bucket, key, versionId);
      if (found === undefined || found.version.info.isDeleteMarker) return undefined;
      const { retention: _, legalHold: __, ...rest } = found.version.info;
      const version = { ...found.version, info: { ...rest, ...change(of, found.version.info) } };
      if (found.isLatest) write(this.#current, currentKey(bucket, key), version);
      else write(this.#old, oldKey(bucket, key, version.sequence), version);
      return { version, isLatest: found.isLatest };
    });
  }

  /** Sends the current file of a move aside, because its path is not free. */
  divert({ id, move }: NumberedMove): Promise<NumberedMove> {
    const { bucket, key, bring } = move;
    return this.#lmdb.transact(() => {
      const current = this.#currentOf(bucket, key);
      if (current === undefined || bring === undefined) throw new Error(`move \`${id}\` brings no file of an object`);
      const to = currentPath(bucket, key, 'aside');
      // The file before may lie there: it is replaced now, and what replaces it must stay.
      const diverted: Move = { ...move, bring: { ...bring, to }, drop: (move.drop ?? []).filter((path) => path !== to) };
      write(this.#current, currentKey(bucket, key), { ...current, place: 'aside' });
      write(this.#moves, moveKey(id), diverted);
      return { id, move: diverted };
    });
  }

  /** Crosses out moves that were carried out, durably. */
  async finish(ids: readonly number[]): Promise<void> {
    await this.#lmdb.transact(() => {
      for (const id of ids) void this.#moves.remove(moveKey(id));
    });
  }

  // --- Inside of transactions

  #make(versioning: Bucket['versioning'], sha256: string, place: StoredVersion['place'], info: NewVersion['info']): StoredVersion {
    this.#sequence += 1;
    void this.#state.put(Buffer.from('sequence'), Buffer.from(String(this.#sequence)));
    const versionId = versioning === 'Enabled' ? makeVersionId(this.#sequence, this.#chance) : null;
    return { sequence: this.#sequence, sha256, place, info: { ...info, versionId } };
  }

  #supersede(bucket: BucketName, key: ObjectKey, version: StoredVersion, bring: Move['bring']): NumberedMove {
    const before = this.#currentOf(bucket, key);
    const isNull = version.info.versionId === null;
    let retire: Move['retire'];
    const drop: string[] = [];
    if (isNull && before?.info.versionId !== null) {
      // The version without an id is an old one, or there is none: it goes.
      const replaced = before && this.#oldOf(bucket, key).find(({ info }) => info.versionId === null);
      if (replaced !== undefined) {
        void this.#old.remove(oldKey(bucket, key, replaced.sequence));
        if (!replaced.info.isDeleteMarker) drop.push(oldPath(replaced.sequence));
      }
    }
    if (before !== undefined) {
      const isReplaced = isNull && before.info.versionId === null;
      const from = currentPath(bucket, key, before.place);
      if (!isReplaced) write(this.#old, oldKey(bucket, key, before.sequence), before);
      if (!before.info.isDeleteMarker) {
        if (!isReplaced) retire = { from, to: oldPath(before.sequence) };
        else if (from !== bring?.to) drop.push(from);
      }
    }
    write(this.#current, currentKey(bucket, key), version);
    return this.#note({ bucket, key, ...(retire && { retire }), ...(bring && { bring }), ...(drop.length > 0 && { drop }) });
  }

  #note(move: Move): NumberedMove {
    this.#moveId += 1;
    write(this.#moves, moveKey(this.#moveId), move);
    return { id: this.#moveId, move };
  }

  #currentOf(bucket: BucketName, key: ObjectKey): StoredVersion | undefined {
    return readJson<StoredVersion>(this.#current.get(currentKey(bucket, key)));
  }

  /** Old versions of a key, newest first. */
  #oldOf(bucket: BucketName, key: ObjectKey, limit?: number): StoredVersion[] {
    const found: StoredVersion[] = [];
    const [start, end] = [Buffer.from(`${bucket}\0${key}\0`), Buffer.from(`${bucket}\0${key}\u0001`)];
    for (const { value } of this.#old.getRange({ start, end, ...(limit === undefined ? {} : { limit }) }))
      found.push(readJson<StoredVersion>(value)!);
    return found;
  }

  /** Sequence of the version where a page ended, also when it is gone by now; 0 when nobody can know. */
  #sequenceAt(bucket: BucketName, key: ObjectKey, versionId: string): number {
    return this.find(bucket, key, versionId)?.version.sequence ?? sequenceOfVersionId(versionId) ?? 0;
  }

  *#scan<Entry>(bucket: BucketName, from: Buffer, entriesOf: (key: ObjectKey, current: StoredVersion) => readonly Entry[]) {
    const { start, end } = bucketRange(bucket);
    for (const { key: whole, value } of this.#current.getRange({ start: Buffer.concat([start, from]), end })) {
      const keyBytes = Buffer.from(whole.buffer, whole.byteOffset + start.length, whole.length - start.length);
      const key = keyBytes.toString('utf8') as ObjectKey;
      yield { key, keyBytes, entries: entriesOf(key, readJson<StoredVersion>(value)!) };
    }
  }
}

/** Path of the file of a current version, relative to the store's folder. */
export function currentPath(bucket: BucketName, key: ObjectKey, place: StoredVersion['place']): string {
  const path = place === 'aside' ? asideName(key) : pathOfKey(key);
  if (path === undefined) throw new Error('a key whose path is too long lies aside');
  return `${bucket}/${path}`;
}

/** Path of the file of an old version, relative to the store's folder. */
export function oldPath(sequence: number): string {
  const name = sequence.toString(16).padStart(14, '0');
  return `.snowtrail/versions/${name.slice(-2)}/${name}`;
}

/** Where the file of a key lies when nothing is in its way. */
export function defaultPlace(key: ObjectKey): StoredVersion['place'] {
  return pathOfKey(key) === undefined ? 'aside' : 'path';
}

function nameOfVersion({ info }: StoredVersion): string {
  return info.versionId ?? NULL_VERSION;
}

function bucketRange(bucket: BucketName): { readonly start: Buffer; readonly end: Buffer } {
  return { start: Buffer.from(`${bucket}\0`), end: Buffer.from(`${bucket}\u0001`) };
}

function currentKey(bucket: BucketName, key: ObjectKey): Buffer {
  return Buffer.from(`${bucket}\0${key}`);
}

/** Newer versions come first. */
function oldKey(bucket: BucketName, key: ObjectKey, sequence: number): Buffer {
  const inverted = Buffer.alloc(8);
  inverted.writeBigUInt64BE(2n ** 64n - 1n - BigInt(sequence));
  return Buffer.concat([Buffer.from(`${bucket}\0${key}\0`), inverted]);
}

function moveKey(id: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(id));
  return bytes;
}

function write(table: LmdbTable, key: Buffer, value: object): void {
  void table.put(key, Buffer.from(JSON.stringify(value)));
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

function readJson<T>(bytes: Uint8Array | undefined): T | undefined {
  const text = textOf(bytes);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
