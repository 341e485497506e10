/**
 * A sealed segment in use: finds the block of a sequence by binary search, and the rows of an id by its fingerprint.
 *
 * The index is read and checked whole when the segment is opened, and then read page by page; when it is lost or
 * damaged it is made again from the sealed file. Blocks are read through a cache that all segments share.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { type JournalDamage, JournalDamaged, type JournalEntry } from '../../journal.ts';
import { errorCode, type Files, type OpenFile, readFully, writeFully } from '../files.ts';
import type { BlockCache } from './block-cache.ts';
import type { FilePool } from './file-pool.ts';
import { IdFilter } from './id-filter.ts';
import type { Fingerprint } from './id-fingerprint.ts';
import { deviceProblem, isDeviceError, Patience, readAgain, SalvagedFile } from './salvaged-file.ts';
import { scanSealed, type UnreadableRows } from './scan-sealed.ts';
import { damageOf, findDamage, type Segment } from './segment.ts';
import {
  decodeIndex,
  encodeIndex,
  findInPage,
  ID_PAGE_BYTES,
  type IndexContent,
  idPageBytes,
  isPageWhole,
  type SegmentIndex,
} from './segment-index.ts';
import { readPreamble, segmentFileName, temporaryName } from './segment-name.ts';
import type { SegmentFile, SegmentReader } from './segment-reader.ts';
import { isBlockDamage, UnpackedBlock } from './unpack-block.ts';

/** More pages than an index has: a segment has at most a million ids. */
const PAGES_MAX = 8_192;

class PageDamaged extends Error {
  override readonly name = 'PageDamaged';
}

/** Where a block lies in the file, and the sequences in it. */
interface BlockPlace {
  readonly position: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** A page of ids in the cache, checked. */
export interface CachedPage {
  readonly bytes: Buffer;
  readonly costBytes: number;
}

export interface SealedSegmentOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly pool: FilePool;
  readonly reader: SegmentReader;
  readonly cache: BlockCache<UnpackedBlock>;
  readonly pages: BlockCache<CachedPage>;
  readonly folder: string;
  readonly first: number;
  readonly salt: number;
  /** Last sequence as the next segment has it; what the file says when absent. */
  readonly last?: number;
}

/**
 * Opens a sealed segment. Damage in it is known afterwards, unless the index hides it until the block is read.
 * @param patience With errors of the device, of all that is opened together.
 */
export async function openSealedSegment(options: SealedSegmentOptions, patience: Patience): Promise<SealedSegment> {
  const segment = new SealedSegment(options);
  await segment.open(patience);
  return segment;
}

/** Blocks that a read of many entries asks for at once, of 16 KiB each. */
const AHEAD_BLOCKS = 16;

/** A block that is being read, and the sequence that it was asked for. */
interface AskedBlock {
  readonly from: number;
  readonly block: Promise<UnpackedBlock>;
}

export class SealedSegment implements Segment {
  readonly first: number;
  readonly path: string;
  readonly #options: SealedSegmentOptions;
  readonly #patience: Patience;
  readonly #indexPath: string;
  #index: SegmentIndex = EMPTY_INDEX;
  /** What blocks are read from; belongs to `#index`. */
  #file: SegmentFile;
  #last: number;
  #filter = new IdFilter(1);
  /** High halves of all fingerprints, until the journal has taken them for its own filter. */
  #highs: Uint32Array = new Uint32Array(0);
  /** The index file's content, where damage keeps it from being written. */
  #heldIndex: Buffer | undefined;
  /** Found when the file was scanned. */
  #damages: readonly JournalDamage[] = [];
  /** Why the device does not read a block, by position. Not asked for again: appends wait for the blocks that may hold an id. */
  readonly #unreadable = new Map<number, string>();

  constructor(options: SealedSegmentOptions) {
    const { folder, first, salt } = options;
    this.first = first;
    this.path = join(folder, segmentFileName({ first, salt, kind: 'sealed' }));
    this.#indexPath = join(folder, segmentFileName({ first, salt, kind: 'index' }));
    this.#options = options;
    this.#patience = new Patience(options.clock);
    this.#file = { path: this.path };
    this.#last = options.last ?? first - 1;
  }

  get last(): number {
    return this.#last;
  }

  get damages(): readonly JournalDamage[] {
    return this.#damages;
  }

  /** High halves of all its fingerprints. To be asked once: they're forgotten then. */
  takeHighs(): Uint32Array {
    const highs = this.#highs;
    this.#highs = new Uint32Array(0);
    return highs;
  }

  /** Reads the index, or makes it again. @throws JournalTooNew */
  async open(patience: Patience): Promise<void> {
    const sizeBytes = await this.#checkFile(patience);
    const index = await this.#loadIndex(patience);
    const isFitting = index !== undefined && index.firstSequence === this.first && index.sealedBytes === sizeBytes;
    if (isFitting) this.#adopt(index);
    else await this.#rebuild(index, patience);
    this.#last = this.#options.last ?? this.first + this.#index.entries - 1;
    const rows = this.#index.entries;
    if (this.first + rows <= this.#last && this.#damages.length === 0)
      this.#damages = [damageOf(this.path, this.first + rows, this.#last, 'entries are missing')];
  }

  async read(from: number, limit: number, bytesMax: number): Promise<readonly JournalEntry[]> {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    let next = from;
    let ahead: AskedBlock[] = [];
    while (next <= this.#last && entries.length < limit && (entries.length === 0 || bytes < bytesMax)) {
      if (ahead.length === 0 || ahead[0]!.from > next) ahead = this.#askAhead(next, Math.min(this.#last, from + limit - 1));
      const block = await ahead.shift()!.block.catch((error: unknown) => {
        if (entries.length > 0 && error instanceof JournalDamaged) return undefined;
        throw error;
      });
      if (block === undefined) break;
      assert(next <= block.last, 'the block of a sequence holds it');
      for (; next <= block.last && entries.length < limit; next++) {
        const entry = this.#entryOf(block, next);
        if (entry instanceof JournalDamaged) {
          if (entries.length > 0) return entries;
          throw entry;
        }
        bytes += entry.bytes.length;
        if (entries.length > 0 && bytes > bytesMax) return entries;
        entries.push(entry);
      }
    }
    return entries;
  }

  /** Asks at once for the block of `from` and those after it, as far as `last`: the thread that reads them gets one message. */
  #askAhead(from: number, last: number): AskedBlock[] {
    const { blockRows } = this.#index;
    const sequences = [from];
    for (let next = lastAtMost(blockRows, from - this.first) + 1; next < blockRows.length && sequences.length < AHEAD_BLOCKS; next++) {
      if (this.first + blockRows[next]! > last) break;
      sequences.push(this.first + blockRows[next]!);
    }
    return sequences.map((sequence) => {
      const block = this.#blockOf(sequence);
      // A failure is told when it is this block's turn, if it comes.
      block.catch(() => undefined);
      return { from: sequence, block };
    });
  }

  /** Whether an id may be in this segment; without looking at the disk. */
  mayHave(high: number): boolean {
    return this.#filter.mayHave(high);
  }

  /** Sequences of entries with this fingerprint, ascending. */
  async lookUp(id: Fingerprint): Promise<number[]> {
    const rows = (await this.#findRows(id)) ?? (await this.#findRowsAnew(id));
    return rows.map((row) => this.first + row).sort((a, b) => a - b);
  }

  async scrub(signal: AbortSignal | undefined): Promise<readonly JournalDamage[]> {
    const damages: JournalDamage[] = [...this.#damages];
    for (let block = 0; block < this.#index.blockRows.length; block++) {
      if (signal?.aborted) return [];
      const place = this.#placeOf(block);
      const outcome = await this.#readAt(place);
      if (typeof outcome === 'string') {
        damages.push(damageOf(this.path, place.first, place.last, outcome));
        continue;
      }
      for (let sequence = outcome.first; sequence <= outcome.last; sequence++) {
        const entry = this.#entryOf(outcome, sequence);
        if (entry instanceof JournalDamaged) damages.push(entry.damage);
      }
    }
    return damages;
  }

  #use<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    return this.#options.pool.use(this.path, work);
  }

  /** Size of the sealed file; 0 when there is none, or it cannot be opened. @throws JournalTooNew */
  async #checkFile(patience: Patience): Promise<number> {
    try {
      return await readAgain(patience, () =>
        this.#use(async (file) => {
          await readPreamble(new SalvagedFile(file, patience), 'sealed', this.path);
          return await file.sizeBytes();
        }),
      );
    } catch (error) {
      if (isLost(error)) return 0;
      throw error;
    }
  }

  async #loadIndex(patience: Patience): Promise<SegmentIndex | undefined> {
    const bytes = await readAgain(patience, () => readWhole(this.#options.files, this.#indexPath)).catch((error: unknown) => {
      if (isLost(error)) return undefined;
      throw error;
    });
    if (bytes === undefined) return undefined;
    const highs: number[] = [];
    const index = decodeIndex(bytes, this.#options.salt, this.#indexPath, (high) => highs.push(high));
    this.#highs = Uint32Array.from(highs);
    return index;
  }

  #adopt(index: SegmentIndex): void {
    const { reader, salt } = this.#options;
    this.#index = index;
    reader.forget(this.#file);
    this.#file = { path: this.path, packing: { salt, firstSequence: this.first, dictionary: index.dictionary, nonceKey: index.nonceKey } };
    this.#filter = new IdFilter(index.ids);
    for (const high of this.#highs) this.#filter.add(high);
  }

  /** Scans the sealed file and makes the index anew. A new file is written only when nothing is damaged: else every start finds it again. */
  async #rebuild(stale: SegmentIndex | undefined, patience: Patience): Promise<void> {
    const { files, folder, salt } = this.#options;
    let problem = 'the file is missing, or its head is damaged';
    const scan = await readAgain(patience, () =>
      this.#use(async (file) => {
        const salvaged = new SalvagedFile(file, patience);
        const found = await scanSealed(salvaged, salt, this.first);
        if (found === undefined) problem = salvaged.lossIn(0, Number.POSITIVE_INFINITY) ?? problem;
        return found;
      }),
    ).catch((error: unknown) => {
      if (isDeviceError(error)) problem = 'the device does not open the file (EIO)';
      if (isLost(error)) return undefined;
      throw error;
    });
    if (scan === undefined) {
      const last = this.#options.last ?? this.first + (stale?.entries ?? 0) - 1;
      this.#index = { ...EMPTY_INDEX, firstSequence: this.first };
      this.#damages = last < this.first ? [] : [damageOf(this.path, this.first, last, problem)];
      return;
    }
    this.#damages = scan.unreadable.map(({ fromRow, toRow, reason }: UnreadableRows) =>
      damageOf(this.path, this.first + fromRow, this.first + toRow, reason),
    );
    const bytes = encodeIndex(scan.content as IndexContent, salt);
    const highs: number[] = [];
    const index = decodeIndex(bytes, salt, this.#indexPath, (high) => highs.push(high))!;
    this.#highs = Uint32Array.from(highs);
    this.#adopt(index);
    this.#heldIndex = this.#damages.length > 0 ? bytes : undefined;
    if (this.#heldIndex !== undefined) return;
    const temporary = temporaryName(this.#indexPath);
    const file = await files.open(temporary, 'create');
    try {
      await writeFully(file, [bytes], 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, this.#indexPath);
    await files.syncFolder(folder);
    await this.#options.pool.forget(this.#indexPath);
  }

  /** The block that holds a sequence. @throws JournalDamaged */
  async #blockOf(sequence: number): Promise<UnpackedBlock> {
    const known = findDamage(this.#damages, sequence);
    if (known !== undefined) throw new JournalDamaged(known);
    const place = this.#placeOf(lastAtMost(this.#index.blockRows, sequence - this.first));
    return this.#options.cache.get(place.first, async () => {
      const outcome = await this.#readAt(place);
      if (typeof outcome !== 'string') return outcome;
      throw new JournalDamaged(damageOf(this.path, place.first, place.last, outcome));
    });
  }

  /** An entry of a block, or that it cannot be read. */
  #entryOf(block: UnpackedBlock, sequence: number): JournalEntry | JournalDamaged {
    try {
      return block.entry(sequence);
    } catch (error) {
      if (!isBlockDamage(error)) throw error;
      return new JournalDamaged(damageOf(this.path, sequence, sequence, error.message));
    }
  }

  #placeOf(block: number): BlockPlace {
    const { blockRows, blockPositions, sealedBytes, entries } = this.#index;
    const position = blockPositions[block]!;
    const bytes = (blockPositions[block + 1] ?? sealedBytes) - position;
    let last = this.first + (blockRows[block + 1] ?? entries) - 1;
    // What is known to be damaged between this block and the next is not part of it.
    for (const { from } of this.#damages) if (Number(from) > this.first + blockRows[block]!) last = Math.min(last, Number(from) - 1);
    return { position, bytes, first: this.first + blockRows[block]!, last };
  }

  /** A block, or what is wrong with it. */
  async #readAt({ position, bytes, first, last }: BlockPlace): Promise<UnpackedBlock | string> {
    const { salt } = this.#options;
    const outcome = this.#unreadable.get(position) ?? (await this.#readPiece(position, bytes));
    if (typeof outcome === 'string') return outcome;
    try {
      const block = new UnpackedBlock(outcome, { salt, firstSequence: this.first });
      return block.first === first && block.last === last ? block : 'another block lies in its place';
    } catch (error) {
      if (isBlockDamage(error)) return error.message;
      throw error;
    }
  }

  async #readPiece(position: number, bytes: number): Promise<Buffer | string> {
    try {
      return await readAgain(this.#patience, () => this.#options.reader.read(this.#file, position, bytes));
    } catch (error) {
      if (!isDeviceError(error)) throw error;
      const problem = deviceProblem(position, position + bytes);
      this.#unreadable.set(position, problem);
      return problem;
    }
  }

  /** Rows of a fingerprint; `undefined` when a page of the index is damaged or gone. */
  async #findRows(id: Fingerprint): Promise<number[] | undefined> {
    const { pageHighs, ids } = this.#index;
    const rows: number[] = [];
    if (ids === 0) return rows;
    // Equal high halves may begin on the page before the first one that starts with them.
    let page = Math.max(0, firstAtLeast(pageHighs, id.high) - 1);
    for (; page < pageHighs.length && pageHighs[page]! <= id.high; page++) {
      const bytes = await this.#readPage(page).catch((error: unknown) => {
        if (error instanceof PageDamaged) return undefined;
        throw error;
      });
      if (bytes === undefined) return undefined;
      rows.push(...findInPage(bytes, id));
    }
    return rows;
  }

  /** A page of ids. @throws PageDamaged */
  async #readPage(page: number): Promise<Buffer> {
    const { ids, pagesAt } = this.#index;
    // In memory as it is. Pages in the cache may be of an index before it, in which they begin with other ids.
    if (this.#heldIndex !== undefined) {
      const from = pagesAt + page * ID_PAGE_BYTES;
      return this.#heldIndex.subarray(from, from + idPageBytes(ids, page));
    }
    const cached = await this.#options.pages.get(this.first * PAGES_MAX + page, async () => {
      const bytes = await this.#readIndex(pagesAt + page * ID_PAGE_BYTES, idPageBytes(ids, page));
      if (bytes === undefined || !isPageWhole(bytes, this.#options.salt))
        throw new PageDamaged(`page ${page} of \`${this.#indexPath}\` is damaged`);
      return { bytes, costBytes: bytes.length };
    });
    return cached.bytes;
  }

  /** Part of the index; `undefined` when it is gone, or the device does not read it. */
  async #readIndex(position: number, bytes: number): Promise<Buffer | undefined> {
    const part = Buffer.allocUnsafe(bytes);
    try {
      const count = await readAgain(this.#patience, () =>
        this.#options.pool.use(this.#indexPath, (file) => readFully(file, part, position)),
      );
      return count < bytes ? undefined : part;
    } catch (error) {
      if (isLost(error)) return undefined;
      throw error;
    }
  }

  async #findRowsAnew(id: Fingerprint): Promise<number[]> {
    await this.#options.pool.forget(this.#indexPath);
    await this.#rebuild(this.#index, this.#patience);
    this.#highs = new Uint32Array(0);
    const rows = await this.#findRows(id);
    if (rows === undefined) throw new Error(`\`${this.#indexPath}\` cannot be made again: \`${this.path}\` is damaged`);
    return rows;
  }
}

const EMPTY_INDEX: SegmentIndex = {
  firstSequence: 0,
  entries: 0,
  sealedBytes: 0,
  dictionary: Buffer.alloc(0),
  nonceKey: Buffer.alloc(0),
  blockRows: new Uint32Array(0),
  blockPositions: new Uint32Array(0),
  pageHighs: new Uint32Array(0),
  ids: 0,
  pagesAt: 0,
};

/** There is no such file, or the device does not give it: what is left of the two does without. */
function isLost(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || isDeviceError(error);
}

/** Content of a file; `undefined` when there is none. */
async function readWhole(files: Files, path: string): Promise<Buffer | undefined> {
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafeSlow(await file.sizeBytes());
    const count = await readFully(file, bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/** Index of the last value that is at most `wanted`; 0 when there is none. */
function lastAtMost(values: Uint32Array, wanted: number): number {
  return Math.max(0, firstAtLeast(values, wanted + 1) - 1);
}

/** Index of the first value that is at least `wanted`. */
function firstAtLeast(values: Uint32Array, wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
