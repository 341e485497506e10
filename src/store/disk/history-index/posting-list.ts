/**
 * Reads one posting list of a run: descending rows, in steps of up to 128 that are found by the skip entries.
 */
import { SKIP_ROWS } from './run-directory.ts';
import type { RunPages } from './run-pages.ts';

export class PostingList {
  readonly count: number;
  readonly #pages: RunPages | undefined;
  readonly #rowsAt: number;
  readonly #rowsBytes: number;
  /** First (highest) row and offset of each step; empty where there is one step. */
  readonly #skips: Uint32Array;
  readonly #step = new Uint32Array(SKIP_ROWS);
  #stepIndex = -1;
  #stepCount = 0;

  private constructor(count: number, pages: RunPages | undefined, rowsAt: number, rowsBytes: number, skips: Uint32Array) {
    this.count = count;
    this.#pages = pages;
    this.#rowsAt = rowsAt;
    this.#rowsBytes = rowsBytes;
    this.#skips = skips;
  }

  /** The list of a term that one row has. */
  static ofRow(row: number): PostingList {
    const list = new PostingList(1, undefined, 0, 0, new Uint32Array(0));
    list.#step[0] = row;
    list.#stepIndex = 0;
    list.#stepCount = 1;
    return list;
  }

  /** The list at `offset` of the data; `end` is where postings end. */
  static read(pages: RunPages, offset: number, end: number): PostingList {
    const head = pages.read(offset, Math.min(10, end - offset));
    const count = varint(head, 0);
    const rowsBytes = varint(head, count.end);
    let at = offset + rowsBytes.end;
    let skips = new Uint32Array(0);
    if (count.value > SKIP_ROWS) {
      const steps = Math.ceil(count.value / SKIP_ROWS);
      const bytes = pages.read(at, steps * 8);
      skips = new Uint32Array(steps * 2);
      for (let index = 0; index < skips.length; index += 1) skips[index] = bytes.readUInt32LE(index * 4);
      at += steps * 8;
    }
    return new PostingList(count.value, pages, at, rowsBytes.value, skips);
  }

  /** How many steps there are. */
  get steps(): number {
    return Math.max(1, this.#skips.length / 2);
  }

  /** The rows of a step, descending. Valid until another step is asked for. */
  step(index: number): Uint32Array {
    if (index !== this.#stepIndex) this.#load(index);
    return this.#stepCount === SKIP_ROWS ? this.#step : this.#step.subarray(0, this.#stepCount);
  }

  /** The step that holds `row` if any does: the last one that begins at or above it. */
  stepOf(row: number): number {
    let low = 0;
    let high = this.steps - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#skips[middle * 2]! >= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  has(row: number): boolean {
    const rows = this.step(this.stepOf(row));
    let low = 0;
    let high = rows.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const value = rows[middle]!;
      if (value === row) return true;
      if (value > row) low = middle + 1;
      else high = middle - 1;
    }
    return false;
  }

  #load(index: number): void {
    const from = this.#skips.length === 0 ? 0 : this.#skips[index * 2 + 1]!;
    const end = index * 2 + 3 < this.#skips.length ? this.#skips[index * 2 + 3]! : this.#rowsBytes;
    const bytes = this.#pages!.read(this.#rowsAt + from, end - from);
    const rows = this.#step;
    let count = 0;
    let row = 0;
    for (let at = 0; at < bytes.length; ) {
      let byte = bytes[at++]!;
      let value = byte & 0x7f;
      for (let shift = 7; byte >= 0x80; shift += 7) {
        byte = bytes[at++]!;
        value |= (byte & 0x7f) << shift;
      }
      row = count === 0 ? value : row - value;
      rows[count++] = row;
    }
    this.#stepIndex = index;
    this.#stepCount = count;
  }
}

function varint(bytes: Uint8Array, from: number): { value: number; end: number } {
  let at = from;
  let byte = bytes[at++]!;
  let value = byte & 0x7f;
  for (let shift = 7; byte >= 0x80; shift += 7) {
    byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
  }
  return { value, end: at };
}
