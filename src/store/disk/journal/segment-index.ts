/**
 * The index of a sealed segment: where its blocks begin, which ids it holds, and its dictionary once more.
 * Format: docs/formats/journal.md, "Index".
 *
 * It says nothing that the sealed segment doesn't: when it is lost, damaged or doesn't fit, it is made again.
 */
import { crc32 } from 'node:zlib';
import type { Fingerprint } from './id-fingerprint.ts';
import { NONCE_KEY_BYTES } from './nonces.ts';
import { checkPreamble, encodePreamble, PREAMBLE_BYTES } from './segment-name.ts';

/** Ids of one page: read together when one of them is looked for. */
const ID_PAGE_ENTRIES = 256;
/** High half, two bytes of the low half, row. A hit is confirmed against the entry. */
const ID_BYTES = 9;
export const ID_PAGE_BYTES = ID_PAGE_ENTRIES * ID_BYTES + 4;
const NONCE_KEY_AT = PREAMBLE_BYTES + 40;
const HEAD_BYTES = NONCE_KEY_AT + NONCE_KEY_BYTES;
/** Rows fit into 24 bits. */
export const SEGMENT_ENTRIES_MAX = 1_048_576;

/** What a sealed segment consists of. */
export interface SegmentIndex {
  readonly firstSequence: number;
  readonly entries: number;
  /** Size of the sealed file. */
  readonly sealedBytes: number;
  /** In shared memory. */
  readonly dictionary: Buffer;
  readonly nonceKey: Buffer;
  /** First row of each block, ascending. */
  readonly blockRows: Uint32Array;
  /** Position of each block in the sealed file. */
  readonly blockPositions: Uint32Array;
  /** High half of the first fingerprint of each page. */
  readonly pageHighs: Uint32Array;
  readonly ids: number;
  /** Position of the first page in the index file. */
  readonly pagesAt: number;
}

/** An id of a segment and the row of its entry. */
export interface SegmentId extends Fingerprint {
  readonly row: number;
}

export interface IndexContent {
  readonly firstSequence: number;
  readonly entries: number;
  readonly sealedBytes: number;
  readonly dictionary: Uint8Array;
  readonly nonceKey: Uint8Array;
  readonly blockRows: readonly number[];
  readonly blockPositions: readonly number[];
  readonly ids: IdColumns;
}

/** Fingerprints in the order of rows; rows whose entry is unreadable are left out. */
export class IdColumns {
  #count = 0;
  #highs = new Uint32Array(1_024);
  #lows = new Uint32Array(1_024);
  #rows = new Uint32Array(1_024);

  get count(): number {
    return this.#count;
  }

  add(id: Fingerprint, row: number): void {
    if (this.#count === this.#highs.length) {
      this.#highs = doubled(this.#highs);
      this.#lows = doubled(this.#lows);
      this.#rows = doubled(this.#rows);
    }
    this.#highs[this.#count] = id.high;
    this.#lows[this.#count] = id.low;
    this.#rows[this.#count] = row;
    this.#count += 1;
  }

  /** In the order in which they were added. */
  *inOrder(): Generator<SegmentId> {
    for (let place = 0; place < this.#count; place++) yield { high: this.#highs[place]!, low: this.#lows[place]!, row: this.#rows[place]! };
  }

  /** Ordered by the high half, and by row where it is equal. */
  *sorted(): Generator<SegmentId> {
    // One number holds both: 32 bits of fingerprint, 20 of place; numbers sort without a function.
    const keys = new Float64Array(this.#count);
    for (let place = 0; place < this.#count; place++) keys[place] = this.#highs[place]! * SEGMENT_ENTRIES_MAX + place;
    keys.sort();
    for (const key of keys) {
      const place = key % SEGMENT_ENTRIES_MAX;
      yield { high: this.#highs[place]!, low: this.#lows[place]!, row: this.#rows[place]! };
    }
  }
}

export function encodeIndex(content: IndexContent, salt: number): Buffer {
  const blocks = content.blockRows.length;
  const ids = content.ids.count;
  const pages = Math.ceil(ids / ID_PAGE_ENTRIES);
  const blocksAt = HEAD_BYTES + content.dictionary.length;
  const pagesAt = blocksAt + 8 * blocks;
  const bytes = Buffer.alloc(pagesAt + ids * ID_BYTES + 4 * pages);
  encodePreamble('index').copy(bytes);
  bytes.writeUIntLE(content.firstSequence, 20, 6);
  bytes.writeUInt32LE(content.entries, 28);
  bytes.writeUInt32LE(blocks, 32);
  bytes.writeUInt32LE(ids, 36);
  bytes.writeUInt32LE(content.dictionary.length, 40);
  bytes.writeUIntLE(content.sealedBytes, 44, 6);
  bytes.writeUInt32LE(salt, 52);
  bytes.set(content.nonceKey, NONCE_KEY_AT);
  bytes.set(content.dictionary, HEAD_BYTES);
  for (let block = 0; block < blocks; block++) {
    bytes.writeUInt32LE(content.blockRows[block]!, blocksAt + 8 * block);
    bytes.writeUInt32LE(content.blockPositions[block]!, blocksAt + 8 * block + 4);
  }
  writeIds(bytes, pagesAt, content.ids, salt);
  bytes.writeUInt32LE(crc32(bytes.subarray(20), salt), 16);
  return bytes;
}

/**
 * Reads a whole index file.
 *
 * @param eachId Called for the high half of every fingerprint.
 * @returns `undefined` when it is damaged. @throws JournalTooNew
 */
export function decodeIndex(bytes: Buffer, salt: number, path: string, eachId: (high: number) => void): SegmentIndex | undefined {
  if (!checkPreamble('index', bytes, path) || bytes.length < HEAD_BYTES) return undefined;
  if (crc32(bytes.subarray(20), salt) !== bytes.readUInt32LE(16) || bytes.readUInt32LE(52) !== salt) return undefined;
  const [blocks, ids, dictionaryBytes] = [bytes.readUInt32LE(32), bytes.readUInt32LE(36), bytes.readUInt32LE(40)];
  const blocksAt = HEAD_BYTES + dictionaryBytes;
  const pagesAt = blocksAt + 8 * blocks;
  const blockRows = new Uint32Array(blocks);
  const blockPositions = new Uint32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    blockRows[block] = bytes.readUInt32LE(blocksAt + 8 * block);
    blockPositions[block] = bytes.readUInt32LE(blocksAt + 8 * block + 4);
  }
  const pageHighs = new Uint32Array(Math.ceil(ids / ID_PAGE_ENTRIES));
  for (let place = 0; place < ids; place++) {
    const high = bytes.readUInt32LE(idPosition(pagesAt, place));
    if (place % ID_PAGE_ENTRIES === 0) pageHighs[place / ID_PAGE_ENTRIES] = high;
    eachId(high);
  }
  return {
    firstSequence: bytes.readUIntLE(20, 6),
    entries: bytes.readUInt32LE(28),
    sealedBytes: bytes.readUIntLE(44, 6),
    dictionary: inSharedMemory(bytes.subarray(HEAD_BYTES, blocksAt)),
    nonceKey: Buffer.from(bytes.subarray(NONCE_KEY_AT, HEAD_BYTES)),
    blockRows,
    blockPositions,
    pageHighs,
    ids,
    pagesAt,
  };
}

/** A copy that other threads may be given without another one. */
function inSharedMemory(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** Bytes of page `page`, its check included. */
export function idPageBytes(ids: number, page: number): number {
  return Math.min(ID_PAGE_ENTRIES, ids - page * ID_PAGE_ENTRIES) * ID_BYTES + 4;
}

/** Whether a page is the one that was written. */
export function isPageWhole(page: Buffer, salt: number): boolean {
  const end = page.length - 4;
  return crc32(page.subarray(0, end), salt) === page.readUInt32LE(end);
}

/** Rows in a page that have this fingerprint. */
export function findInPage(page: Buffer, id: Fingerprint): number[] {
  const end = page.length - 4;
  const rows: number[] = [];
  for (let at = 0; at < end; at += ID_BYTES) {
    if (page.readUInt32LE(at) === id.high && page.readUInt16LE(at + 4) === id.low >>> 16) rows.push(page.readUIntLE(at + 6, 3));
  }
  return rows;
}

function writeIds(bytes: Buffer, pagesAt: number, ids: IdColumns, salt: number): void {
  let place = 0;
  let pageFrom = pagesAt;
  const closePage = (at: number): void => {
    bytes.writeUInt32LE(crc32(bytes.subarray(pageFrom, at), salt), at);
    pageFrom = at + 4;
  };
  for (const { high, low, row } of ids.sorted()) {
    const at = idPosition(pagesAt, place);
    bytes.writeUInt32LE(high, at);
    bytes.writeUInt16LE(low >>> 16, at + 4);
    bytes.writeUIntLE(row, at + 6, 3);
    place += 1;
    if (place % ID_PAGE_ENTRIES === 0 || place === ids.count) closePage(at + ID_BYTES);
  }
}

function idPosition(pagesAt: number, place: number): number {
  const page = Math.floor(place / ID_PAGE_ENTRIES);
  return pagesAt + page * ID_PAGE_BYTES + (place % ID_PAGE_ENTRIES) * ID_BYTES;
}

function doubled(from: Uint32Array): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(2 * from.length);
  to.set(from);
  return to;
}
