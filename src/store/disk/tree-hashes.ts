/**
 * Tree hashes in files: `level-00` holds the leaf hashes one after the other, `level-08` the hashes of 256 leaves each,
 * `level-16` those of 65,536, and so on. What lies between is hashed again when it is asked for: at most 127 hashes,
 * for half the space.
 *
 * `size` says how many leaves are durable. It is written after their bytes were synced, into two places in turn, each
 * with its checksum: a torn one leaves the other. What lies beyond it after a crash is cut off, and the leaves come again
 * from the journal; upper levels that are short are computed again from the level below.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { HashChildren, TreeHashes } from '../tree-hashes.ts';
import { syncFolder } from './sync-folder.ts';

const HASH_BYTES = 32;
/** Children of one stored hash, and the levels that lie between them. */
const TILE_WIDTH = 256;
const TILE_LEVELS = 8;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** 2^64 leaves would need eight. */
const STORED_LEVELS_MAX = 8;

const MARK_BYTES = 12;
/** Far enough apart to lie in different sectors. */
const MARK_PLACES = [0, 4096];

export interface DiskTreeHashesOptions {
  /** Made when it is missing. */
  readonly folder: string;
  readonly hashChildren: HashChildren;
}

/** Opens the tree, cut back to what is durable. */
export async function openDiskTreeHashes(options: DiskTreeHashesOptions): Promise<TreeHashes> {
  const { folder, hashChildren } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const mark = await openFile(join(folder, 'size'));
  const levels: Level[] = [];
  for (let stored = 0; stored < STORED_LEVELS_MAX; stored++) {
    const name = `level-${String(stored * TILE_LEVELS).padStart(2, '0')}`;
    const file = await openFile(join(folder, name));
    levels.push({ file, count: 0, tail: new Uint8Array(0), hasNews: false });
  }
  await syncFolder(folder);
  await syncFolder(dirname(folder));
  const hashes = new DiskTreeHashes(levels, mark, hashChildren);
  await hashes.recover();
  return hashes;
}

/** One stored level: a file of hashes. */
interface Level {
  readonly file: FileHandle;
  /** Hashes in it. The file may be longer while an append is under way, or after one failed. */
  count: number;
  /** The last hashes, those of a tile that is not complete yet: 0 to 255 of them. */
  tail: Uint8Array;
  /** Something was written since the last sync. */
  hasNews: boolean;
}

/** What an append will do to one level, computed before anything is written. */
interface Addition {
  readonly level: Level;
  readonly hashes: Uint8Array;
  readonly tail: Uint8Array;
}

class DiskTreeHashes implements TreeHashes {
  readonly #levels: readonly Level[];
  readonly #mark: FileHandle;
  readonly #hashChildren: HashChildren;
  /** Leaves that `#mark` vouches for. */
  #durable = 0;
  /** Which of the two places of `#mark` is written next. */
  #nextPlace = 0;
  /** Why nothing more is taken; set once, when a sync failed. */
  #failure: Error | undefined;

  constructor(levels: readonly Level[], mark: FileHandle, hashChildren: HashChildren) {
    this.#levels = levels;
    this.#mark = mark;
    this.#hashChildren = hashChildren;
  }

  size(): bigint {
    return BigInt(this.#levels[0]!.count);
  }

  durableSize(): bigint {
    return BigInt(this.#durable);
  }

  async append(leafHashes: Uint8Array): Promise<void> {
    if (leafHashes.length % HASH_BYTES !== 0) throw new RangeError(`${leafHashes.length} bytes are not whole hashes of ${HASH_BYTES}`);
    if (this.#failure !== undefined) throw this.#failure;
    const additions = this.#plan(leafHashes);
    for (const { level, hashes } of additions) {
      level.hasNews = true;
      await writeAll(level.file, hashes, level.count * HASH_BYTES);
    }
    // All is written: now, and at once, it counts. Had a write failed, the next append would write over it.
    for (const { level, hashes, tail } of additions) {
      level.count += hashes.length / HASH_BYTES;
      level.tail = tail;
    }
  }

  async sync(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const size = this.#levels[0]!.count;
    if (size === this.#durable) return;
    try {
      await this.#syncLevels();
      await this.#writeMark(size);
    } catch (cause) {
      this.#failure = new Error('the hashes of the evidence tree could not be synced; the server must start anew', { cause });
      throw this.#failure;
    }
    this.#durable = size;
  }

  async read(level: number, index: bigint): Promise<Uint8Array> {
    const stored = this.#levels[Math.floor(level / TILE_LEVELS)];
    const width = 2 ** (level % TILE_LEVELS);
    if (stored === undefined || level < 0 || index < 0n || (index + 1n) * BigInt(width) > BigInt(stored.count))
      throw new RangeError(`the tree of ${this.size()} leaves has no complete subtree \`${index}\` at level \`${level}\``);
    return this.#fold(await readHashes(stored, Number(index) * width, width));
  }

  async close(): Promise<void> {
    try {
      if (this.#failure === undefined) await this.sync();
    } finally {
      await Promise.all([this.#mark.close(), ...this.#levels.map((level) => level.file.close())]);
    }
  }

  /** Takes up what the files hold after a stop or a crash. Run once, before anything else; may be repeated. */
  async recover(): Promise<void> {
    const marked = await this.#readMark();
    const [leaves, ...upper] = this.#levels as [Level, ...Level[]];
    const kept = Math.min(marked, await countHashes(leaves));
    await takeUp(leaves, kept);
    let below = leaves;
    for (const level of upper) {
      const complete = Math.floor(below.count / TILE_WIDTH);
      await takeUp(level, Math.min(complete, await countHashes(level)));
      while (level.count < complete) {
        const hash = this.#fold(await readHashes(below, level.count * TILE_WIDTH, TILE_WIDTH));
        await writeAll(level.file, hash, level.count * HASH_BYTES);
        level.hasNews = true;
        level.count += 1;
      }
      level.tail = await readTail(level);
      below = level;
    }
    await this.#syncLevels();
    // A mark that vouches for leaves that are gone must not stay in the other place.
    if (kept !== marked) await this.#writeMark(kept);
    if (kept !== marked) await this.#writeMark(kept);
    this.#durable = kept;
  }

  #plan(leafHashes: Uint8Array): Addition[] {
    const additions: Addition[] = [];
    let hashes = leafHashes;
    for (const level of this.#levels) {
      if (hashes.length === 0) break;
      const open = Buffer.concat([level.tail, hashes]);
      const closedBytes = open.length - (open.length % TILE_BYTES);
      // A copy: a part of `open` would keep all of it in memory.
      additions.push({ level, hashes, tail: Uint8Array.from(open.subarray(closedBytes)) });
      const folded: Uint8Array[] = [];
      for (let at = 0; at < closedBytes; at += TILE_BYTES) folded.push(this.#fold(open.subarray(at, at + TILE_BYTES)));
      hashes = Buffer.concat(folded);
    }
    return additions;
  }

  /** The hash over a power of two of neighbouring hashes. */
  #fold(hashes: Uint8Array): Uint8Array {
    let row: Uint8Array[] = [];
    for (let at = 0; at < hashes.length; at += HASH_BYTES) row.push(hashes.subarray(at, at + HASH_BYTES));
    while (row.length > 1) {
      const above: Uint8Array[] = [];
      for (let at = 0; at < row.length; at += 2) above.push(this.#hashChildren(row[at]!, row[at + 1]!));
      row = above;
    }
    return row[0]!;
  }

  async #syncLevels(): Promise<void> {
    for (const level of this.#levels) {
      if (!level.hasNews) continue;
      // Before the sync: what an append writes meanwhile is for the next one.
      level.hasNews = false;
      await level.file.datasync();
    }
  }

  async #writeMark(size: number): Promise<void> {
    await writeAll(this.#mark, encodeMark(size), MARK_PLACES[this.#nextPlace]!);
    await this.#mark.datasync();
    this.#nextPlace = 1 - this.#nextPlace;
  }

  /** The larger of the marks that are whole; 0 when there is none. Writes go to the other place next. */
  async #readMark(): Promise<number> {
    const sizes = await Promise.all(
      MARK_PLACES.map(async (place) => {
        const bytes = Buffer.alloc(MARK_BYTES);
        await this.#mark.read(bytes, 0, MARK_BYTES, place);
        return decodeMark(bytes);
      }),
    );
    const [first = -1, second = -1] = sizes;
    this.#nextPlace = first > second ? 1 : 0;
    return Math.max(first, second, 0);
  }
}

function encodeMark(size: number): Uint8Array {
  const bytes = Buffer.alloc(MARK_BYTES);
  bytes.writeBigUInt64LE(BigInt(size));
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8);
  return bytes;
}

/** `undefined` when it was never written, or only in part. */
function decodeMark(bytes: Buffer): number | undefined {
  return crc32(bytes.subarray(0, 8)) === bytes.readUInt32LE(8) ? Number(bytes.readBigUInt64LE()) : undefined;
}

async function countHashes(level: Level): Promise<number> {
  return Math.floor((await level.file.stat()).size / HASH_BYTES);
}

async function takeUp(level: Level, count: number): Promise<void> {
  await level.file.truncate(count * HASH_BYTES);
  level.hasNews = true;
  level.count = count;
  level.tail = await readTail(level);
}

async function readTail(level: Level): Promise<Uint8Array> {
  const length = level.count % TILE_WIDTH;
  return readFrom(level, level.count - length, length);
}

/** Neighbouring hashes; from memory when they lie in the tail, as all those do that a tree head needs. */
async function readHashes(level: Level, from: number, count: number): Promise<Uint8Array> {
  const tailFrom = level.count - level.tail.length / HASH_BYTES;
  if (from >= tailFrom) return level.tail.slice((from - tailFrom) * HASH_BYTES, (from - tailFrom + count) * HASH_BYTES);
  return readFrom(level, from, count);
}

async function readFrom(level: Level, from: number, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count * HASH_BYTES);
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await level.file.read(bytes, done, bytes.length - done, from * HASH_BYTES + done);
    if (bytesRead === 0)
      throw new Error(`the hashes of the evidence tree end at \`${from * HASH_BYTES + done}\` bytes: somebody shortened the file`);
    done += bytesRead;
  }
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, place: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done, place + done)).bytesWritten;
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return open(path, 'wx+', 0o600);
  }
}
