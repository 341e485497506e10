/**
 * Bodies on their way in: files that nobody sees, in a folder that is emptied at each start.
 *
 * A body is hashed while it is written. `sync` makes file and name durable; only then may the index refer to it.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, syncFolder } from '../sync-folder.ts';

const READ_BYTES = 256 * 1024;

export interface StagedFile {
  /** Name in the folder. */
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly md5Hex: string;
  readonly sha256Hex: string;
}

export class StagedFiles {
  readonly #folder: string;
  /** Counts the files of this process. */
  #count = 0;
  /** The sync of the folder that is under way. */
  #syncing: Promise<void> = Promise.resolve();
  /** The one that begins after it; whoever asks meanwhile shares it. */
  #nextSync: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder when it is missing. */
  async open(): Promise<void> {
    await makeFolder(this.#folder);
  }

  /** Removes what an earlier process left. Only once the index refers to none of it. */
  async clear(): Promise<void> {
    for (const name of await readdir(this.#folder)) await rm(join(this.#folder, name), { recursive: true });
  }

  pathOf(name: string): string {
    return join(this.#folder, name);
  }

  /** @throws Error when the body breaks off or cannot be written; then nothing is left. */
  async write(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StagedFile> {
    this.#count += 1;
    const name = String(this.#count);
    const path = this.pathOf(name);
    const [md5, sha256] = [createHash('md5'), createHash('sha256')];
    const file = await open(path, 'wx', 0o600);
    try {
      const sizeBytes = await writeAll(file, body, [md5, sha256]);
      await file.close();
      return { name, path, sizeBytes, md5Hex: md5.digest('hex'), sha256Hex: sha256.digest('hex') };
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(path, { force: true });
      throw error;
    }
  }

  /** Returns once the file and its name would survive a power cut. When that fails, the file is of no use any more. */
  async sync(file: StagedFile): Promise<void> {
    const handle = await open(file.path, 'r+');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await this.#syncNames();
  }

  /** Syncs the folder once for all who ask before it begins. */
  #syncNames(): Promise<void> {
    const begin = () => {
      this.#nextSync = undefined;
      this.#syncing = syncFolder(this.#folder);
      return this.#syncing;
    };
    this.#nextSync ??= this.#syncing.then(begin, begin);
    return this.#nextSync;
  }

  async *read(file: StagedFile): AsyncGenerator<Uint8Array> {
    const handle = await open(file.path, 'r');
    try {
      for (;;) {
        const { bytesRead, buffer } = await handle.read(new Uint8Array(READ_BYTES), 0, READ_BYTES);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  /** Succeeds when it has moved away, too. */
  async discard(file: StagedFile): Promise<void> {
    await rm(file.path, { force: true });
  }
}

async function writeAll(
  file: FileHandle,
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  hashes: readonly Hash[],
): Promise<number> {
  let sizeBytes = 0;
  for await (const piece of body) {
    for (const hash of hashes) hash.update(piece);
    for (let done = 0; done < piece.length; ) done += (await file.write(piece, done)).bytesWritten;
    sizeBytes += piece.length;
  }
  return sizeBytes;
}
