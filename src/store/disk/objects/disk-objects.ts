/**
 * The objects in a folder: the file of each current object lies at its key's path below its bucket's folder, so that a
 * bucket can be copied anywhere and verified there. Everything else of ours is in `.snowtrail` beside the buckets: the
 * index, bodies on their way in, and old versions.
 *
 * A put stages its body, syncs it, and commits it to the index: now it is the object, and durable. Then the file is moved
 * into place. A crash at any point leaves the old object or the new one, whole; the next start finishes the move.
 *
 * The disk has the last word on what is there. An object whose file somebody removed is missing: it is not found and not
 * listed, and its key is free. One whose file was changed is damaged, and never served as if it were whole. A file that
 * is not in the index is not an object.
 *
 * Refuses to write on after a sync failed (P7); a full disk refuses the put that met it (P9).
 * Source: docs/formats/objects.md.
 */
import { createHash, hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AccountId, BucketName, ObjectKey } from '../../../event/types.ts';
import type { Chance, Clock } from '../../clock.ts';
import { KeyedLock } from '../../keyed-lock.ts';
import { LmdbFailed, LmdbFull } from '../../lmdb/durable-lmdb.ts';
import {
  changedProtection,
  createLockTime,
  isProtected,
  type LockTime,
  type Protection,
  protectionOfNew,
  requireDeletable,
} from '../../object-lock.ts';
import {
  type Bucket,
  BucketNotEmpty,
  type BucketUpdate,
  type DeleteOptions,
  type ListOptions,
  type ListPage,
  ObjectConflict,
  ObjectDamaged,
  type ObjectInfo,
  type Objects,
  ObjectsError,
  type ProtectionChange,
  type PutOptions,
  type StagedObject,
  type VersionPage,
} from '../../objects.ts';
import {
  changedBucket,
  cutRange,
  isAlike,
  keptOptions,
  requireBucketName,
  requireKey,
  requireLockable,
  requireUnchanged,
  versionPlace,
} from '../../objects-rules.ts';
import { errorCode } from '../files.ts';
import { makeFolder } from '../sync-folder.ts';
import { FileMoves, isGone, removeEmptyFolders } from './file-moves.ts';
import {
  currentPath,
  defaultPlace,
  type FoundVersion,
  type NumberedMove,
  ObjectIndex,
  oldPath,
  type StoredVersion,
} from './object-index.ts';
import { type StagedFile, StagedFiles } from './staged-files.ts';

export interface DiskObjectsOptions {
  /** Made when it is missing. One process uses it at a time; the data directory's lock sees to that. */
  readonly folder: string;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly chance: Pick<Chance, 'bytes'>;
}

/** Up to here an object is read and checked as a whole before its first byte is given. */
const CHECKED_AHEAD_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** Versions that are looked at in one go. */
const LIST_LIMIT = 1_000;
/** Files looked at in parallel by a listing; few, because the journal's syncs need the same threads. */
const LOOKERS = 2;

/**
 * Opens the store, and finishes or takes back what a crash left half-done.
 * @throws Error when a newer Snowtrail wrote it, or a file cannot be moved into place.
 */
export async function openDiskObjects(options: DiskObjectsOptions): Promise<Objects> {
  const { folder, clock, chance } = options;
  const own = join(folder, '.snowtrail');
  await makeFolder(own);
  const staged = new StagedFiles(join(own, 'staged'));
  await staged.open();
  const index = await ObjectIndex.open(join(own, 'index'), chance);
  const moves = new FileMoves(folder, index);
  await moves.recover();
  await staged.clear();
  return new DiskObjects({ folder, clock, lockTime: createLockTime(clock), index, moves, staged });
}

interface Parts {
  readonly folder: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly lockTime: LockTime;
  readonly index: ObjectIndex;
  readonly moves: FileMoves;
  readonly staged: StagedFiles;
}

class DiskObjects implements Objects {
  readonly #folder: string;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #lockTime: LockTime;
  readonly #index: ObjectIndex;
  readonly #moves: FileMoves;
  readonly #staged: StagedFiles;
  /** By bucket and key. Held while a version is made current, and while a file is opened. */
  readonly #lock = new KeyedLock();
  /** Why nothing more is written; set once. */
  #failure: ObjectsError | undefined;

  constructor(parts: Parts) {
    this.#folder = parts.folder;
    this.#clock = parts.clock;
    this.#lockTime = parts.lockTime;
    this.#index = parts.index;
    this.#moves = parts.moves;
    this.#staged = parts.staged;
  }

  // --- Buckets

  async createBucket(bucket: Bucket): Promise<void> {
    requireBucketName(bucket.name);
    requireLockable(bucket);
    await this.#write(async () => {
      await this.#index.createBucket(bucket);
      await mkdir(join(this.#folder, bucket.name), { recursive: true, mode: 0o700 });
    });
  }

  async getBucket(name: BucketName): Promise<Bucket | undefined> {
    return this.#index.bucket(name);
  }

  async listBuckets(owner: AccountId): Promise<readonly Bucket[]> {
    return this.#index.bucketsOf(owner);
  }

  async updateBucket(name: BucketName, change: BucketUpdate, expected?: Bucket): Promise<void> {
    await this.#write(() =>
      this.#index.updateBucket(name, (bucket) => {
        requireUnchanged(bucket, expected, change);
        return changedBucket(bucket, change);
      }),
    );
  }

  async deleteBucket(name: BucketName): Promise<void> {
    await this.#write(async () => {
      await this.#index.deleteBucket(name, await this.#allMissing(name));
      // Files that are not ours stay where they are.
      await removeEmptyFolders(join(this.#folder, name));
    });
  }

  // --- Writing

  async put(bucket: BucketName, key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    requireKey(key);
    this.#index.requireBucket(bucket);
    return this.#write(async () => {
      if (options.ifNoneMatch) {
        // A repeat, the usual case after a crash, need not be written first.
        const there = await this.#locked(bucket, key, () =>
          this.#sameThere(bucket, key, { sizeBytes: body.length, sha256Hex: hash('sha256', body) }, options),
        );
        if (there !== undefined) return there;
      }
      const file = await this.#staged.write(slices(body));
      try {
        return await this.#commit(file, bucket, key, options);
      } finally {
        await this.#staged.discard(file);
      }
    });
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedObject> {
    return this.#write(async () => this.#stagedObject(await this.#staged.write(body)));
  }

  async join(parts: readonly StagedObject[]): Promise<StagedObject> {
    async function* all() {
      for (const part of parts) yield* part.read();
    }
    return this.stage(all());
  }

  async delete(
    bucket: BucketName,
    key: ObjectKey,
    versionId?: string,
    { bypassGovernance = false, ifModifiedAtMs }: DeleteOptions = {},
  ): Promise<{ readonly deleteMarkerVersionId?: string }> {
    requireKey(key);
    return this.#write(() =>
      this.#locked(bucket, key, async () => {
        await this.#moves.settleDurably(nameOf(bucket, key));
        // Under the key's lock: nobody puts another one meanwhile.
        if (ifModifiedAtMs !== undefined && this.#index.find(bucket, key, versionId)?.version.info.modifiedAtMs !== ifModifiedAtMs)
          throw new ObjectConflict(bucket, key, 'is another one by now');
        if (versionId !== undefined) {
          const requireFree = (info: Protection) => requireDeletable(info, bypassGovernance, this.#lockTime);
          const { moving } = await this.#index.deleteVersion(bucket, key, versionId, requireFree);
          await this.#run(bucket, key, moving);
          return {};
        }
        const { markerVersionId, moving } = await this.#index.delete(bucket, key, this.#clock.nowMs());
        await this.#run(bucket, key, moving);
        return markerVersionId === undefined ? {} : { deleteMarkerVersionId: markerVersionId };
      }),
    );
  }

  async protect(
    bucket: BucketName,
    key: ObjectKey,
    versionId: string | undefined,
    change: ProtectionChange,
  ): Promise<ObjectInfo | undefined> {
    requireKey(key);
    return this.#write(() =>
      this.#locked(bucket, key, async () => {
        const found = await this.#index.protect(bucket, key, versionId, (of, before) =>
          changedProtection(of, before, change, this.#lockTime),
        );
        return found && infoOf(key, found);
      }),
    );
  }

  #stagedObject(file: StagedFile): StagedObject {
    const { sizeBytes, md5Hex } = file;
    return {
      sizeBytes,
      md5Hex,
      read: () => this.#staged.read(file),
      commit: async (bucket, key, options) => {
        requireKey(key);
        return this.#write(() => this.#commit(file, bucket, key, options));
      },
      discard: () => this.#staged.discard(file),
    };
  }

  async #commit(file: StagedFile, bucket: BucketName, key: ObjectKey, options: PutOptions): Promise<ObjectInfo> {
    await this.#staged.sync(file);
    return this.#locked(bucket, key, async () => {
      if (options.mustBeFree && (await this.#isTaken(bucket, key))) throw new ObjectConflict(bucket, key, 'is there already');
      if (options.ifNoneMatch) {
        const there = await this.#sameThere(bucket, key, file, options);
        if (there !== undefined) return there;
      }
      await this.#moves.settleDurably(nameOf(bucket, key));
      const place = await this.#freePlace(bucket, key);
      const info = {
        sizeBytes: file.sizeBytes,
        etag: options.etag ?? file.md5Hex,
        modifiedAtMs: this.#clock.nowMs(),
        isDeleteMarker: false,
        ...keptOptions(options),
        ...protectionOfNew(this.#index.requireBucket(bucket), options, this.#lockTime),
      };
      const from = `.snowtrail/staged/${file.name}`;
      const { version, moving } = await this.#index.place(bucket, key, { sha256: file.sha256Hex, info, from, place });
      await this.#run(bucket, key, moving);
      return infoOf(key, { version, isLatest: true });
    });
  }

  async #isTaken(bucket: BucketName, key: ObjectKey): Promise<boolean> {
    await this.#moves.settle(nameOf(bucket, key));
    const found = this.#index.find(bucket, key);
    return found !== undefined && !found.version.info.isDeleteMarker && (await this.#isThere(bucket, key, found));
  }

  /**
   * The object that is there, when it is the very one that would be put; `undefined` when the key is free.
   * @throws ObjectConflict when another is there
   * @throws ObjectDamaged when the one there is not what it was
   */
  async #sameThere(
    bucket: BucketName,
    key: ObjectKey,
    body: Pick<StagedFile, 'sizeBytes' | 'sha256Hex'>,
    options: PutOptions,
  ): Promise<ObjectInfo | undefined> {
    await this.#moves.settle(nameOf(bucket, key));
    const found = this.#index.find(bucket, key);
    if (found === undefined || found.version.info.isDeleteMarker) return undefined;
    const sizeBytes = await this.#sizeOnDisk(bucket, key, found);
    if (sizeBytes === undefined) return undefined;
    const { info, sha256 } = found.version;
    if (sha256 !== body.sha256Hex || !isAlike(info, { ...keptOptions(options), sizeBytes: body.sizeBytes }))
      throw new ObjectConflict(bucket, key);
    if (sizeBytes !== info.sizeBytes) throw new ObjectDamaged(bucket, key, `its file has ${sizeBytes} bytes instead of ${info.sizeBytes}`);
    return infoOf(key, found);
  }

  /** Whether the key's path is free: no file where it needs a folder, no folder where it needs its file. */
  async #freePlace(bucket: BucketName, key: ObjectKey): Promise<StoredVersion['place']> {
    if (defaultPlace(key) === 'aside') return 'aside';
    const path = join(this.#folder, currentPath(bucket, key, 'path'));
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      return (await lstat(path)).isDirectory() ? 'aside' : 'path';
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return 'path';
      if (code === 'ENOTDIR' || code === 'EEXIST') return 'aside';
      throw error;
    }
  }

  async #run(bucket: BucketName, key: ObjectKey, moving: NumberedMove | undefined): Promise<void> {
    if (moving !== undefined) await this.#moves.run(nameOf(bucket, key), moving);
  }

  // --- Reading

  async head(bucket: BucketName, key: ObjectKey, versionId?: string): Promise<ObjectInfo | undefined> {
    requireKey(key);
    this.#index.requireBucket(bucket);
    return this.#read(() =>
      this.#locked(bucket, key, async () => {
        await this.#moves.settle(nameOf(bucket, key));
        const found = this.#index.find(bucket, key, versionId);
        if (found === undefined || (found.version.info.isDeleteMarker && versionId === undefined)) return undefined;
        return (await this.#isThere(bucket, key, found)) ? infoOf(key, found) : undefined;
      }),
    );
  }

  async get(bucket: BucketName, key: ObjectKey, options: Parameters<Objects['get']>[2] = {}): ReturnType<Objects['get']> {
    requireKey(key);
    this.#index.requireBucket(bucket);
    return this.#read(async () => {
      const opened = await this.#locked(bucket, key, () => this.#open(bucket, key, options.versionId));
      if (opened === undefined) return undefined;
      const { found, file, sizeBytes } = opened;
      try {
        const { info, sha256 } = found.version;
        if (sizeBytes !== info.sizeBytes)
          throw new ObjectDamaged(bucket, key, `its file has ${sizeBytes} bytes instead of ${info.sizeBytes}`);
        const { from, to } = cutRange(info.sizeBytes, options.range);
        const damaged = (detail: string) => new ObjectDamaged(bucket, key, detail);
        if (sizeBytes > CHECKED_AHEAD_BYTES) {
          const isWhole = from === 0 && to === sizeBytes;
          return { info: infoOf(key, found), body: readLater(file, from, to, isWhole ? sha256 : undefined, damaged) };
        }
        const bytes = await readNow(file, sizeBytes, sha256, damaged);
        await file.close();
        return { info: infoOf(key, found), body: once(bytes.subarray(from, to)) };
      } catch (error) {
        await file.close().catch(() => undefined);
        throw error;
      }
    });
  }

  async list(bucket: BucketName, options: ListOptions): Promise<ListPage> {
    this.#index.requireBucket(bucket);
    return this.#read(async () => {
      const { entries, commonPrefixes, next } = this.#index.list(bucket, options);
      const listed = entries.map(({ key, version }) => ({ key, version, isLatest: true }));
      const objects = await this.#thoseThere(bucket, listed);
      return { objects, commonPrefixes, ...(next && { next: next.key }) };
    });
  }

  async listVersions(bucket: BucketName, options: ListOptions & { readonly afterVersionId?: string }): Promise<VersionPage> {
    this.#index.requireBucket(bucket);
    return this.#read(async () => {
      const { entries, commonPrefixes, next } = this.#index.listVersions(bucket, options);
      const versions = await this.#thoseThere(bucket, entries);
      return { versions, commonPrefixes, ...(next && { next: versionPlace(next.key, next.entry?.version.info) }) };
    });
  }

  async close(): Promise<void> {
    await this.#moves.finish().catch((error: unknown) => {
      // A disk that is full, or that failed: the next start finishes what is left.
      if (!(error instanceof LmdbFull || error instanceof LmdbFailed)) throw error;
    });
    await this.#index.close();
  }

  /**
   * The versions of a bucket that holds nothing but objects whose files somebody removed.
   * @throws BucketNotEmpty
   */
  async #allMissing(name: BucketName): Promise<ReadonlySet<number>> {
    const missing = new Set<number>();
    for (let from: Pick<ListOptions, 'after'> & { readonly afterVersionId?: string } = {}; ; ) {
      const { entries, next } = this.#index.listVersions(name, { ...from, limit: LIST_LIMIT });
      if ((await this.#thoseThere(name, entries)).length > 0) throw new BucketNotEmpty(name);
      // That its file is gone does not end a lock: the index still tells that it was there.
      if (entries.some(({ version }) => isProtected(version.info, this.#lockTime))) throw new BucketNotEmpty(name);
      for (const { version } of entries) missing.add(version.sequence);
      if (next === undefined) return missing;
      const { key, versionId } = versionPlace(next.key, next.entry?.version.info);
      from = { after: key, afterVersionId: versionId };
    }
  }

  /** What of a page has its file, in order. */
  async #thoseThere(bucket: BucketName, listed: readonly (FoundVersion & { readonly key: ObjectKey })[]): Promise<ObjectInfo[]> {
    const infos: (ObjectInfo | undefined)[] = new Array(listed.length);
    let next = 0;
    const look = async () => {
      for (let at = next++; at < listed.length; at = next++) {
        const { key, ...found } = listed[at]!;
        const isThere = (await this.#isThere(bucket, key, found)) || (await this.#isOnlyMoving(bucket, key, found));
        if (isThere) infos[at] = infoOf(key, found);
      }
    };
    await Promise.all(Array.from({ length: LOOKERS }, look));
    return infos.filter((info) => info !== undefined);
  }

  /**
   * Whether a file that is not where the page says is only on its way there, or was replaced or deleted by a later call:
   * then it was there at the moment of the page.
   */
  #isOnlyMoving(bucket: BucketName, key: ObjectKey, listed: FoundVersion): Promise<boolean> {
    return this.#locked(bucket, key, async () => {
      await this.#moves.settle(nameOf(bucket, key));
      const now = this.#index.find(bucket, key, listed.isLatest ? undefined : (listed.version.info.versionId ?? 'null'));
      if (now?.version.sequence !== listed.version.sequence || now.isLatest !== listed.isLatest) return true;
      return this.#isThere(bucket, key, now);
    });
  }

  async #isThere(bucket: BucketName, key: ObjectKey, found: FoundVersion): Promise<boolean> {
    return found.version.info.isDeleteMarker || (await this.#sizeOnDisk(bucket, key, found)) !== undefined;
  }

  /** Size of the file; `undefined` when there is none, or something that is no plain file. */
  async #sizeOnDisk(bucket: BucketName, key: ObjectKey, found: FoundVersion): Promise<number | undefined> {
    try {
      const stats = await lstat(this.#pathOf(bucket, key, found));
      return stats.isFile() ? stats.size : undefined;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Opens the file of a version, under the key's lock: then it is the right one, whatever happens later. */
  async #open(
    bucket: BucketName,
    key: ObjectKey,
    versionId: string | undefined,
  ): Promise<{ readonly found: FoundVersion; readonly file: FileHandle; readonly sizeBytes: number } | undefined> {
    await this.#moves.settle(nameOf(bucket, key));
    const found = this.#index.find(bucket, key, versionId);
    if (found === undefined || found.version.info.isDeleteMarker) return undefined;
    let file: FileHandle;
    try {
      // No link leads elsewhere, and no pipe makes us wait.
      file = await open(this.#pathOf(bucket, key, found), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (isGone(error) || (error as NodeJS.ErrnoException).code === 'ELOOP') return undefined;
      throw error;
    }
    const stats = await file.stat();
    if (stats.isFile()) return { found, file, sizeBytes: stats.size };
    await file.close();
    return undefined;
  }

  #pathOf(bucket: BucketName, key: ObjectKey, { version, isLatest }: FoundVersion): string {
    return join(this.#folder, isLatest ? currentPath(bucket, key, version.place) : oldPath(version.sequence));
  }

  // --- Around everything

  #locked<T>(bucket: BucketName, key: ObjectKey, work: () => Promise<T>): Promise<T> {
    return this.#lock.run(nameOf(bucket, key), work);
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await work();
    } catch (error) {
      const told = tell(error);
      if (error instanceof LmdbFailed || (error as NodeJS.ErrnoException).code === 'EIO') this.#failure ??= told as ObjectsError;
      throw told;
    }
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw tell(error);
    }
  }
}

function nameOf(bucket: BucketName, key: ObjectKey): string {
  return `${bucket}/${key}`;
}

function infoOf(key: ObjectKey, { version, isLatest }: FoundVersion): ObjectInfo {
  return { key, ...version.info, isLatest };
}

/** Turns what the system says into what S3 would answer. Errors that are not the system's stay as they are. */
function tell(error: unknown): unknown {
  if (error instanceof ObjectsError) return error;
  const code = errorCode(error);
  const { message } = error as Error;
  const isBusy = error instanceof LmdbFull || ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'].includes(code ?? '');
  if (isBusy) return new ObjectsError('ServiceUnavailable', `the objects cannot be written now: ${message}`, { cause: error });
  if (error instanceof LmdbFailed || code?.startsWith('E'))
    return new ObjectsError('InternalError', `the disk of the objects failed: ${message}`, { cause: error });
  return error;
}

function* slices(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += WRITE_BYTES) yield body.subarray(at, at + WRITE_BYTES);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function readNow(file: FileHandle, sizeBytes: number, sha256: string, damaged: (detail: string) => Error): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await file.read(bytes, done, sizeBytes - done, done);
    if (bytesRead === 0) throw damaged(`its file ends at ${done} bytes`);
    done += bytesRead;
  }
  if (hash('sha256', bytes) !== sha256) throw damaged('its bytes are not the ones that were put');
  return bytes;
}

/**
 * The bytes from `from` up to before `to`, piece by piece. The file is closed at the end, or when the reader leaves.
 * @param sha256 When given, the last piece comes only if all of them have this hash.
 */
function readLater(
  file: FileHandle,
  from: number,
  to: number,
  sha256: string | undefined,
  damaged: (detail: string) => Error,
): AsyncIterable<Uint8Array> {
  const hashing = sha256 === undefined ? undefined : createHash('sha256');
  let at = from;
  const close = () => file.close().catch(() => undefined);
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      if (at >= to) {
        await close();
        return { done: true, value: undefined };
      }
      try {
        const piece = new Uint8Array(Math.min(READ_BYTES, to - at));
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        if (bytesRead === 0) throw damaged(`its file ends at ${at} bytes`);
        at += bytesRead;
        const value = piece.subarray(0, bytesRead);
        hashing?.update(value);
        if (at >= to && hashing !== undefined && hashing.digest('hex') !== sha256)
          throw damaged('its bytes are not the ones that were put');
        return { done: false, value };
      } catch (error) {
        await close();
        throw error;
      }
    },
    async return() {
      at = to;
      await close();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
