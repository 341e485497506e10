/**
 * Bodies of objects as files.
 *
 * A body is written to `<store>/.snowtrail/staged/<id>` and synced before the index knows it. After the commit it is moved to its
 * path; until then, and after a crash, it is read from where it was staged. `open` finishes what a crash interrupted.
 *
 * Source: docs/formats/objects.md.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BucketName, ObjectKey } from '../../../event/types.ts';
import type { Chance } from '../../clock.ts';
import type { Bodies, ObjectIndex, StagedBody, StoredVersion } from '../../indexed-objects.ts';
import { ObjectDamaged } from '../../objects.ts';
import { isSafePath, newestPath, RESERVED_FOLDER, versionPath } from './object-path.ts';

/** Bodies up to this size are checked against their hash before the first byte goes out; larger ones at their end. */
const CHECK_FIRST_BYTES = 8 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

export class DiskBodies implements Bodies {
  readonly #folder: string;
  readonly #chance: Chance;
  /** Bodies that lie where they were staged: not committed yet, or not in their place yet. */
  readonly #unplaced = new Set<string>();

  private constructor(folder: string, chance: Chance) {
    this.#folder = folder;
    this.#chance = chance;
  }

  /** Opens the bodies of a store and moves what a crash left staged: to its place when the index knows it, else away. */
  static async open(folder: string, index: ObjectIndex, chance: Chance): Promise<DiskBodies> {
    const bodies = new DiskBodies(folder, chance);
    await mkdir(bodies.#staged(''), { recursive: true, mode: 0o700 });
    const left = new Set(await readdir(bodies.#staged('')));
    if (left.size > 0) {
      const known = index.read((transaction) =>
        [...transaction.range(Buffer.from('o\0'), Buffer.from('o\x01'))]
          .map(({ key, value }) => ({ bucket: key.toString('utf8').split('\0')[1] as BucketName, version: value as StoredVersion }))
          .filter(({ version }) => left.has(version.bodyId)),
      );
      for (const { bucket, version } of known) await bodies.place(bucket, version);
      for (const id of await readdir(bodies.#staged(''))) await rm(bodies.#staged(id), { force: true });
    }
    return bodies;
  }

  async stage(body: AsyncIterable<Uint8Array>): Promise<StagedBody> {
    const id = this.#chance.uuid();
    this.#unplaced.add(id);
    const md5 = createHash('md5');
    const sha256 = createHash('sha256');
    let sizeBytes = 0;
    const file = await open(this.#staged(id), 'wx', 0o600);
    try {
      for await (const chunk of body) {
        md5.update(chunk);
        sha256.update(chunk);
        sizeBytes += chunk.length;
        for (let written = 0; written < chunk.length; ) written += (await file.write(chunk, written)).bytesWritten;
      }
      await file.sync();
    } catch (error) {
      await file.close();
      await this.discard(id);
      throw error;
    }
    await file.close();
    await syncFolder(this.#staged(''));
    return { id, sizeBytes, md5Hex: md5.digest('hex'), sha256Hex: sha256.digest('hex') };
  }

  async *readStaged(id: string): AsyncIterable<Uint8Array> {
    const file = await open(this.#staged(id), 'r');
    try {
      yield* chunksOf(file, 0, Number.POSITIVE_INFINITY);
    } finally {
      await file.close();
    }
  }

  async discard(id: string): Promise<void> {
    await rm(this.#staged(id), { force: true });
    this.#unplaced.delete(id);
  }

  isSafePath(_bucket: BucketName, key: ObjectKey): boolean {
    return isSafePath(key);
  }

  async place(bucket: BucketName, version: StoredVersion): Promise<void> {
    const { bodyId } = version;
    const target = newestPath(this.#folder, bucket, version.key, version.place);
    await mkdirSynced(dirname(target), join(this.#folder, bucket));
    if (version.isVersioned) {
      const kept = versionPath(this.#folder, bucket, bodyId);
      await mkdirSynced(dirname(kept), join(this.#folder, bucket));
      // A repeat after a crash finds the link; a version that becomes the newest again has no staged file any more.
      await link(this.#staged(bodyId), kept).catch(ignore('EEXIST', 'ENOENT'));
      await syncFolder(dirname(kept));
      if (version.isLatest) {
        const fresh = `${this.#staged(bodyId)}.place`;
        await rm(fresh, { force: true });
        await link(kept, fresh);
        await rename(fresh, target);
      }
      await rm(this.#staged(bodyId), { force: true });
    } else {
      await rename(this.#staged(bodyId), target).catch(ignore('ENOENT'));
    }
    await syncFolder(dirname(target));
    this.#unplaced.delete(bodyId);
  }

  async keep(bucket: BucketName, version: StoredVersion): Promise<void> {
    const kept = versionPath(this.#folder, bucket, version.bodyId);
    await mkdirSynced(dirname(kept), join(this.#folder, bucket));
    await link(newestPath(this.#folder, bucket, version.key, version.place), kept).catch(ignore('EEXIST', 'ENOENT'));
    await syncFolder(dirname(kept));
  }

  async clear(bucket: BucketName, version: StoredVersion): Promise<void> {
    const path = newestPath(this.#folder, bucket, version.key, version.place);
    await unlink(path).catch(ignore('ENOENT'));
    await this.#tidy(dirname(path), join(this.#folder, bucket));
  }

  async remove(bucket: BucketName, version: StoredVersion): Promise<void> {
    if (version.isVersioned) await unlink(versionPath(this.#folder, bucket, version.bodyId)).catch(ignore('ENOENT'));
  }

  async read(
    bucket: BucketName,
    version: StoredVersion,
    range?: readonly [number, number],
  ): Promise<AsyncIterable<Uint8Array> | undefined> {
    const file = await this.#openBody(bucket, version);
    if (file === undefined) return undefined;
    const damaged = (detail: string) => new ObjectDamaged(bucket, version.key, detail);
    const { size } = await file.stat();
    if (size !== version.sizeBytes) {
      await file.close();
      throw damaged(`${size} bytes instead of ${version.sizeBytes}`);
    }
    if (range === undefined && size <= CHECK_FIRST_BYTES) {
      const body = await file.readFile().finally(() => file.close());
      if (createHash('sha256').update(body).digest('hex') !== version.sha256) throw damaged('other bytes than were put');
      return (async function* () {
        yield new Uint8Array(body.buffer, body.byteOffset, body.length);
      })();
    }
    return (async function* () {
      const hash = createHash('sha256');
      try {
        for await (const chunk of chunksOf(file, range?.[0] ?? 0, range === undefined ? size : range[1] + 1)) {
          hash.update(chunk);
          yield chunk;
        }
      } finally {
        await file.close();
      }
      if (range === undefined && hash.digest('hex') !== version.sha256) throw damaged('other bytes than were put');
    })();
  }

  async makeBucket(bucket: BucketName): Promise<void> {
    await mkdirSynced(join(this.#folder, bucket), this.#folder);
  }

  async removeBucket(bucket: BucketName): Promise<void> {
    await rm(join(this.#folder, bucket), { recursive: true, force: true });
  }

  async close(): Promise<void> {}

  async #openBody(bucket: BucketName, version: StoredVersion): Promise<FileHandle | undefined> {
    const staged = this.#unplaced.has(version.bodyId)
      ? await open(this.#staged(version.bodyId), 'r').catch(ignore('ENOENT', 'ENOTDIR'))
      : undefined;
    // Not staged, or moved to its place between the two steps.
    return staged ?? open(this.#pathOf(bucket, version), 'r').catch(ignore('ENOENT', 'ENOTDIR'));
  }

  #pathOf(bucket: BucketName, version: StoredVersion): string {
    if (version.isLatest) return newestPath(this.#folder, bucket, version.key, version.place);
    return versionPath(this.#folder, bucket, version.bodyId);
  }

  #staged(id: string): string {
    return join(this.#folder, RESERVED_FOLDER, 'staged', id);
  }

  /** Removes folders that became empty, up to the bucket's own. */
  async #tidy(from: string, to: string): Promise<void> {
    for (let folder = from; folder !== to && folder.startsWith(to); folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch {
        // Not empty, or somebody put a new object there meanwhile: both mean that it stays.
        return;
      }
    }
  }
}

async function* chunksOf(file: FileHandle, from: number, to: number): AsyncIterable<Uint8Array> {
  for (let at = from; at < to; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at)), 0, null, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Makes a folder and syncs each parent up to `root`, so that the new names survive a power cut. */
async function mkdirSynced(folder: string, root: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let parent = dirname(folder); parent.length >= Math.min(root.length, dirname(first).length); parent = dirname(parent))
    await syncFolder(parent);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Passes over the error codes given; every other error goes on. */
function ignore(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (!codes.includes(error.code ?? '')) throw error;
    return undefined;
  };
}
