/**
 * Joins runs that lie next to each other in the journal into one.
 *
 * Rows of each scope are merged by (time, sequence), which gives every old row its new place; the terms of all runs are
 * then merged by hash and their rows renumbered. Runs are read whole and checked page by page: a damaged input is
 * named, and nothing is written from it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { HistoryScope } from '../../history-index.ts';
import { compareText } from './build-run.ts';
import { blockSequence, blockTime } from './row-block.ts';
import {
  BLOCK_ROWS,
  BUCKETS,
  decodeRunDirectory,
  PAGE_BYTES,
  RunDamaged,
  type RunDirectory,
  type RunScope,
  rowBytes,
  runName,
  SKIP_ROWS,
} from './run-directory.ts';
import { scopeKey } from './term-hash.ts';
import { type TermRows, writeRun } from './write-run.ts';

export interface MergeRuns {
  readonly kind: 'merge';
  readonly folder: string;
  /** Names of two runs or more, in the order of the journal, without a hole between them. */
  readonly inputs: readonly string[];
}

/** Writes the joined run; durable on return. The inputs stay. @throws RunDamaged naming the input. */
export function mergeRuns(merge: MergeRuns): void {
  const inputs = merge.inputs.map((name) => new Input(merge.folder, name));
  const first = inputs[0]!.directory;
  const last = inputs.at(-1)!.directory;
  const rowCount = inputs.reduce((sum, input) => sum + input.directory.rowCount, 0);
  const rows = mergeRows(inputs, rowCount);
  writeRun(
    {
      folder: merge.folder,
      name: runName(first.after, last.to),
      after: first.after,
      to: last.to,
      keyCheck: first.keyCheck,
      rowCount,
      ...rows,
    },
    mergeTerms(inputs),
  );
}

/** One input: its rows decoded, and the new place of each. */
class Input {
  readonly directory: RunDirectory;
  readonly data: Buffer;
  readonly times: Float64Array;
  readonly sequences: Float64Array;
  readonly placeOf: Uint32Array;

  constructor(folder: string, name: string) {
    try {
      this.directory = decodeRunDirectory(name, readFileSync(join(folder, `${name}.dir`)));
      this.data = this.directory.dataBytes === 0 ? Buffer.alloc(0) : readFileSync(join(folder, `${name}.data`));
    } catch (cause) {
      if (cause instanceof RunDamaged) throw cause;
      throw new RunDamaged(name, `it cannot be read: ${(cause as Error).message}`, { cause });
    }
    const { dataBytes, pageCrcs, rowCount, blockOffsets, postingsAt } = this.directory;
    if (this.data.length !== dataBytes) throw new RunDamaged(name, `its data has ${this.data.length} bytes instead of ${dataBytes}`);
    for (const [page, crc] of pageCrcs.entries()) {
      if (crc32(this.data.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)) !== crc)
        throw new RunDamaged(name, `page ${page} fails its CRC-32`);
    }
    this.times = new Float64Array(rowCount);
    this.sequences = new Float64Array(rowCount);
    this.placeOf = new Uint32Array(rowCount);
    for (let block = 0; block < blockOffsets.length; block += 1) {
      const from = blockOffsets[block]!;
      const view = new DataView(this.data.buffer, this.data.byteOffset + from, (blockOffsets[block + 1] ?? postingsAt) - from);
      const firstRow = block * BLOCK_ROWS;
      const rows = Math.min(BLOCK_ROWS, rowCount - firstRow);
      for (let index = 0; index < rows; index += 1) {
        this.times[firstRow + index] = blockTime(view, rows, index);
        this.sequences[firstRow + index] = blockSequence(view, rows, index);
      }
    }
  }
}

function mergeRows(inputs: readonly Input[], rowCount: number): { scopes: RunScope[]; times: Float64Array; sequences: Float64Array } {
  const times = new Float64Array(rowCount);
  const sequences = new Float64Array(rowCount);
  const parts = new Map<string, { scope: HistoryScope; ranges: { input: Input; at: number; end: number }[] }>();
  for (const input of inputs) {
    for (const { scope, firstRow, rowCount: count } of input.directory.scopes) {
      const key = scopeKey(scope);
      let part = parts.get(key);
      if (part === undefined) {
        part = { scope, ranges: [] };
        parts.set(key, part);
      }
      part.ranges.push({ input, at: firstRow, end: firstRow + count });
    }
  }
  const scopes: RunScope[] = [];
  let place = 0;
  for (const [, part] of [...parts].sort(([a], [b]) => compareText(a, b))) {
    const firstRow = place;
    const open = part.ranges;
    while (open.length > 0) {
      // Few inputs: looking at each is quicker than a heap.
      let best = open[0]!;
      for (let index = 1; index < open.length; index += 1) {
        const other = open[index]!;
        const difference = other.input.times[other.at]! - best.input.times[best.at]!;
        if (difference < 0 || (difference === 0 && other.input.sequences[other.at]! < best.input.sequences[best.at]!)) best = other;
      }
      times[place] = best.input.times[best.at]!;
      sequences[place] = best.input.sequences[best.at]!;
      best.input.placeOf[best.at] = place;
      place += 1;
      best.at += 1;
      if (best.at === best.end) open.splice(open.indexOf(best), 1);
    }
    scopes.push({ scope: part.scope, firstRow, rowCount: place - firstRow, minTimeMs: times[firstRow]!, maxTimeMs: times[place - 1]! });
  }
  return { scopes, times, sequences };
}

/** A stream of one input's terms of one kind, in the order of hashes. */
class TermStream {
  /** bucket · 2^32 + fingerprint of the present term; infinite at the end. */
  hash = Number.POSITIVE_INFINITY;
  readonly #input: Input;
  readonly #buckets: Uint32Array;
  readonly #tableAt: number;
  readonly #entryBytes: number;
  #entry = -1;
  #bucket = 0;

  constructor(input: Input, kind: 'single' | 'many') {
    const { directory } = input;
    this.#input = input;
    this.#buckets = kind === 'single' ? directory.singleBuckets : directory.manyBuckets;
    this.#tableAt = kind === 'single' ? directory.singlesAt : directory.manysAt;
    this.#entryBytes = kind === 'single' ? 4 + rowBytes(directory.rowCount) : 8;
    this.advance();
  }

  advance(): void {
    this.#entry += 1;
    if (this.#entry >= this.#buckets[BUCKETS]!) {
      this.hash = Number.POSITIVE_INFINITY;
      return;
    }
    while (this.#entry >= this.#buckets[this.#bucket + 1]!) this.#bucket += 1;
    this.hash = this.#bucket * 2 ** 32 + this.#input.data.readUInt32LE(this.#tableAt + this.#entry * this.#entryBytes);
  }

  /** Appends the new places of the present term's rows to `term`. */
  appendRows(term: TermRows): void {
    const { data, placeOf, directory } = this.#input;
    const at = this.#tableAt + this.#entry * this.#entryBytes + 4;
    if (this.#entryBytes !== 8) {
      reserve(term, 1);
      term.rows[term.count++] = placeOf[data.readUIntLE(at, this.#entryBytes - 4)]!;
      return;
    }
    let from = directory.postingsAt + data.readUInt32LE(at);
    const next = (): number => {
      let byte = data[from++]!;
      let value = byte & 0x7f;
      for (let shift = 7; byte >= 0x80; shift += 7) {
        byte = data[from++]!;
        value |= (byte & 0x7f) << shift;
      }
      return value;
    };
    const count = next();
    next();
    if (count > SKIP_ROWS) from += Math.ceil(count / SKIP_ROWS) * 8;
    reserve(term, count);
    let row = 0;
    for (let index = 0; index < count; index += 1) {
      const value = next();
      row = index % SKIP_ROWS === 0 ? value : row - value;
      term.rows[term.count++] = placeOf[row]!;
    }
  }
}

function mergeTerms(inputs: readonly Input[]): (term: TermRows) => boolean {
  const streams = inputs.flatMap((input) => [new TermStream(input, 'single'), new TermStream(input, 'many')]);
  return (term) => {
    let hash = Number.POSITIVE_INFINITY;
    for (const stream of streams) if (stream.hash < hash) hash = stream.hash;
    if (hash === Number.POSITIVE_INFINITY) return false;
    term.bucket = Math.floor(hash / 2 ** 32);
    term.fingerprint = hash % 2 ** 32;
    term.count = 0;
    // Later runs hold newer rows more often than not: taken from the last, the rows mostly come in descending order.
    for (let index = streams.length - 1; index >= 0; index -= 1) {
      const stream = streams[index]!;
      if (stream.hash !== hash) continue;
      stream.appendRows(term);
      stream.advance();
    }
    sortDescending(term);
    return true;
  };
}

function sortDescending(term: TermRows): void {
  const { rows, count } = term;
  for (let index = 1; index < count; index += 1) {
    if (rows[index]! > rows[index - 1]!) {
      rows.subarray(0, count).sort().reverse();
      return;
    }
  }
}

function reserve(term: TermRows, more: number): void {
  if (term.count + more <= term.rows.length) return;
  const larger = new Uint32Array((term.count + more) * 2);
  larger.set(term.rows);
  term.rows = larger;
}
