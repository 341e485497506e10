/**
 * Writes one run: rows in order, then terms in order, then its directory.
 *
 * Rows and postings are streamed to the data file; the two term tables are gathered and follow them. The data is
 * synced before the directory is renamed into place, and the folder after: a crash at any step leaves either no run or
 * the whole one.
 *
 * Synchronous: it runs in a worker or a task process, or in a simulation where nothing else must happen meanwhile.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ensureWanted } from '../task-process.ts';
import { blockBytesMax, encodeRowBlock } from './row-block.ts';
import {
  BLOCK_ROWS,
  BUCKETS,
  encodeRunDirectory,
  PAGE_BYTES,
  type RunDirectory,
  type RunScope,
  rowBytes,
  SKIP_ROWS,
} from './run-directory.ts';

/** Bytes gathered before they are written: a multiple of the page. */
const CHUNK_BYTES = 64 * PAGE_BYTES;

export interface NewRun {
  readonly folder: string;
  /** Without ending. */
  readonly name: string;
  readonly after: number;
  readonly to: number;
  readonly keyCheck: string;
  readonly scopes: readonly RunScope[];
  readonly rowCount: number;
  /** By scope key, then time, then sequence. */
  readonly times: Float64Array;
  readonly sequences: Float64Array;
}

/** Rows of a term, as many of the first entries as `count` says; reused by the giver. */
export interface TermRows {
  bucket: number;
  fingerprint: number;
  count: number;
  /** Descending, each once. */
  rows: Uint32Array;
}

/**
 * Writes the run and returns once it would survive a power cut.
 * @param nextTerm Fills in the next term in the order of hashes; false at the end. Each term comes once.
 */
export function writeRun(run: NewRun, nextTerm: (term: TermRows) => boolean): void {
  if (run.rowCount === 0) {
    publish(run, emptyDirectory(run));
    return;
  }
  ensureWanted();
  const file = openSync(join(run.folder, `${run.name}.data`), 'w', 0o600);
  try {
    const out = new DataWriter(file);
    const blocks = writeRows(run, out);
    const postingsAt = out.length;
    const singles = new TermTable(4 + rowBytes(run.rowCount));
    const manys = new TermTable(8);
    const width = rowBytes(run.rowCount);
    const term: TermRows = { bucket: 0, fingerprint: 0, count: 0, rows: new Uint32Array(1024) };
    const list = new PostingEncoder();
    while (nextTerm(term)) {
      if (term.count === 1) {
        singles.add(term.bucket, term.fingerprint, term.rows[0]!, width);
      } else {
        manys.add(term.bucket, term.fingerprint, out.length - postingsAt, 4);
        list.encode(term.rows, term.count);
        out.write(list.bytes, list.length);
      }
    }
    const singlesAt = out.length;
    out.write(singles.bytes, singles.length);
    const manysAt = out.length;
    out.write(manys.bytes, manys.length);
    out.finish();
    fdatasyncSync(file);
    publish(run, {
      ...emptyDirectory(run),
      dataBytes: out.length,
      postingsAt,
      singlesAt,
      manysAt,
      blockOffsets: blocks.offsets,
      blockTimes: blocks.times,
      singleBuckets: singles.starts(),
      manyBuckets: manys.starts(),
      pageCrcs: Uint32Array.from(out.pageCrcs),
    });
  } finally {
    closeSync(file);
  }
}

/** A directory of a run without data: it keeps the journal range covered where every row has expired. */
function emptyDirectory(run: Omit<NewRun, 'times' | 'sequences'>): RunDirectory {
  return {
    after: run.after,
    to: run.to,
    keyCheck: run.keyCheck,
    rowCount: run.rowCount,
    dataBytes: 0,
    postingsAt: 0,
    singlesAt: 0,
    manysAt: 0,
    scopes: run.scopes,
    blockOffsets: new Uint32Array(0),
    blockTimes: new Float64Array(0),
    singleBuckets: new Uint32Array(BUCKETS + 1),
    manyBuckets: new Uint32Array(BUCKETS + 1),
    pageCrcs: new Uint32Array(0),
  };
}

function publish(run: Pick<NewRun, 'folder' | 'name'>, directory: RunDirectory): void {
  const path = join(run.folder, `${run.name}.dir`);
  ensureWanted();
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFully(file, encodeRunDirectory(directory));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  ensureWanted();
  renameSync(`${path}.new`, path);
  syncFolder(run.folder);
}

/** Makes names that were added to or removed from a folder durable. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeRows(run: NewRun, out: DataWriter): { offsets: Uint32Array; times: Float64Array } {
  const blockCount = Math.ceil(run.rowCount / BLOCK_ROWS);
  const offsets = new Uint32Array(blockCount);
  const times = new Float64Array(blockCount);
  const bytes = new Uint8Array(blockBytesMax(BLOCK_ROWS));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < blockCount; block += 1) {
    const first = block * BLOCK_ROWS;
    offsets[block] = out.length;
    times[block] = run.times[first]!;
    out.write(bytes, encodeRowBlock(view, 0, run.times, run.sequences, first, Math.min(first + BLOCK_ROWS, run.rowCount)));
  }
  return { offsets, times };
}

/** Appends to the data file and keeps the CRC-32 of each page. */
class DataWriter {
  /** Bytes given so far. */
  length = 0;
  readonly pageCrcs: number[] = [];
  readonly #file: number;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #used = 0;

  constructor(file: number) {
    this.#file = file;
  }

  /** Appends the first `count` of `bytes`. */
  write(bytes: Uint8Array, count: number): void {
    for (let at = 0; at < count; ) {
      const take = Math.min(count - at, CHUNK_BYTES - this.#used);
      this.#chunk.set(bytes.subarray(at, at + take), this.#used);
      this.#used += take;
      at += take;
      if (this.#used === CHUNK_BYTES) this.finish();
    }
    this.length += count;
  }

  /** Writes what is gathered. Only the last page of the file may be a short one. */
  finish(): void {
    for (let at = 0; at < this.#used; at += PAGE_BYTES) {
      this.pageCrcs.push(crc32(this.#chunk.subarray(at, Math.min(at + PAGE_BYTES, this.#used))));
    }
    ensureWanted();
    writeFully(this.#file, this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Entries of fixed width by bucket: fingerprint, then a number of `width` bytes. */
class TermTable {
  bytes: Uint8Array = new Uint8Array(1 << 16);
  length = 0;
  readonly #entryBytes: number;
  readonly #starts = new Uint32Array(BUCKETS + 1);

  constructor(entryBytes: number) {
    this.#entryBytes = entryBytes;
  }

  add(bucket: number, fingerprint: number, value: number, width: number): void {
    if (this.length + this.#entryBytes > this.bytes.length) this.bytes = grown(this.bytes, this.bytes.length * 2);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = fingerprint & 0xff;
    bytes[at++] = (fingerprint >>> 8) & 0xff;
    bytes[at++] = (fingerprint >>> 16) & 0xff;
    bytes[at++] = fingerprint >>> 24;
    for (let shift = 0; shift < width * 8; shift += 8) bytes[at++] = (value >>> shift) & 0xff;
    this.length = at;
    this.#starts[bucket + 1]! += 1;
  }

  starts(): Uint32Array {
    const starts = this.#starts;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) starts[bucket + 1]! += starts[bucket]!;
    return starts;
  }
}

/**
 * Encodes posting lists: count and byte length of the rows as varints, then, where there are more than 128 rows, an
 * entry (first row, offset; 4 + 4 bytes) for each 128 of them, then the rows: the first of each 128 as it is, the others as the
 * distance down from the one before.
 */
class PostingEncoder {
  bytes: Uint8Array = new Uint8Array(4096);
  length = 0;
  #rows: Uint8Array = new Uint8Array(4096);

  encode(rows: Uint32Array, count: number): void {
    if (this.#rows.length < count * 5) this.#rows = new Uint8Array(count * 5 * 2);
    const skips = count > SKIP_ROWS ? Math.ceil(count / SKIP_ROWS) : 0;
    if (this.bytes.length < 10 + skips * 8 + count * 5) this.bytes = new Uint8Array((10 + skips * 8 + count * 5) * 2);
    const view = new DataView(this.bytes.buffer);
    let end = 0;
    const rowBytesOut = this.#rows;
    const skipEntries = new Uint32Array(skips * 2);
    for (let index = 0; index < count; index += 1) {
      let value: number;
      if (index % SKIP_ROWS === 0) {
        value = rows[index]!;
        if (skips > 0) {
          skipEntries[(index / SKIP_ROWS) * 2] = value;
          skipEntries[(index / SKIP_ROWS) * 2 + 1] = end;
        }
      } else {
        value = rows[index - 1]! - rows[index]!;
      }
      while (value >= 0x80) {
        rowBytesOut[end++] = (value & 0x7f) | 0x80;
        value >>>= 7;
      }
      rowBytesOut[end++] = value;
    }
    let at = putVarint(this.bytes, 0, count);
    at = putVarint(this.bytes, at, end);
    for (const entry of skipEntries) {
      view.setUint32(at, entry, true);
      at += 4;
    }
    this.bytes.set(rowBytesOut.subarray(0, end), at);
    this.length = at + end;
  }
}

function putVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let place = at;
  while (rest >= 0x80) {
    out[place++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[place++] = rest;
  return place;
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
