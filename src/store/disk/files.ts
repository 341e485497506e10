/**
 * The few file-system calls that the disk journal runs on, and Node's own.
 *
 * Small on purpose: what is listed here is what a crash test has to break. `test/support/simulated-files.ts` is the
 * other implementation; it loses at a power cut whatever was not synced. Errors are those of the system, with their
 * `code` (`ENOSPC`, `EIO`, …); nothing is retried here.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { constants as system } from 'node:os';
import { dirname } from 'node:path';

/** An open file. Positions and sizes are in bytes from the start of the file. */
export interface OpenFile {
  /** Reads into all of `into`, or less. Returns the number of bytes read; 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes the parts one after the other from `position` on. Returns the number of bytes taken, which may be short. */
  write(parts: readonly Uint8Array[], position: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Returns when content and size would survive a power cut. The file's name is the folder's matter. */
  datasync(): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

/** What reading needs of a file. */
export type ReadableFile = Pick<OpenFile, 'read' | 'sizeBytes'>;

export interface Files {
  /** Makes a folder (0700) and those above it, durably. Succeeds when it is there. */
  makeFolder(path: string): Promise<void>;
  /** Names in a folder, sorted. */
  list(folder: string): Promise<readonly string[]>;
  /** `create` makes the file (0600), or empties the one that is there; `read` and `write` want it to exist. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile>;
  /** Takes the place of whatever has the name `to`. Durable after `syncFolder`. */
  rename(from: string, to: string): Promise<void>;
  /** Succeeds when there is no such file. Durable after `syncFolder`. */
  remove(path: string): Promise<void>;
  /** Returns when created, renamed and removed names of the folder would survive a power cut. */
  syncFolder(path: string): Promise<void>;
  /** Space for unprivileged users, and the size of the whole file system. */
  space(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

/** Files of the operating system. */
export const nodeFiles: Files = {
  async makeFolder(path) {
    const made = await mkdir(path, { recursive: true, mode: 0o700 });
    if (made === undefined) return;
    // Every folder that is new has its name in the one above.
    for (let folder = path; folder.length >= made.length; folder = dirname(folder)) await nodeFiles.syncFolder(dirname(folder));
  },
  async list(folder) {
    return (await readdir(folder)).sort();
  },
  async open(path, mode) {
    const flags = { read: 'r', write: 'r+', create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC }[mode];
    return new NodeFile(await open(path, flags, 0o600));
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async space(path) {
    const { bsize, bavail, blocks } = await statfs(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
};

class NodeFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, position)).bytesRead;
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<number> {
    return (await this.#handle.writev(parts as Uint8Array[], position)).bytesWritten;
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  async sizeBytes(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Reads until `into` is full or the file ends. Returns the number of bytes read. */
export async function readFully(file: Pick<OpenFile, 'read'>, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await file.read(into.subarray(done), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all parts, however short each single write is. @throws the system's error; part may be written then. */
export async function writeFully(file: OpenFile, parts: readonly Uint8Array[], position: number): Promise<void> {
  let rest = parts.filter((part) => part.length > 0);
  let place = position;
  while (rest.length > 0) {
    let count = await file.write(rest, place);
    if (count === 0) throw new Error(`a write of ${rest[0]!.length} bytes at ${place} took none`);
    place += count;
    let whole = 0;
    while (whole < rest.length && count >= rest[whole]!.length) count -= rest[whole++]!.length;
    rest = rest.slice(whole);
    if (count > 0) rest[0] = rest[0]!.subarray(count);
  }
}

/** The system's code of an error, such as `ENOSPC`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errno } = error as NodeJS.ErrnoException;
  // Node has no name for this one: its code is `Unknown system error -122`.
  return errno === -system.errno.EDQUOT ? 'EDQUOT' : code;
}
