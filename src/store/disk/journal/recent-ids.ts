/**
 * Ids of entries that lie in no sealed segment yet: fingerprint → sequence, in memory.
 *
 * Tables of a fixed size, each for a range of sequences: when everything in one is sealed, the table is dropped whole.
 * A sequence that was taken back (the disk was full) may stay in a table: the caller confirms every hit anyway.
 */
import type { Fingerprint } from './id-fingerprint.ts';

const SMALLEST_CAPACITY = 1_024;
const LARGEST_CAPACITY = 65_536;

export class RecentIds {
  #tables: Table[] = [];

  add(id: Fingerprint, sequence: number): void {
    let table = this.#tables.at(-1);
    if (table === undefined || table.isFull) {
      table = new Table(sequence, table === undefined ? SMALLEST_CAPACITY : Math.min(LARGEST_CAPACITY, 8 * table.capacity));
      this.#tables.push(table);
    }
    table.add(id, sequence);
  }

  /** Sequences of entries that may have this id, oldest first; `undefined` when there is none. */
  find(id: Fingerprint): number[] | undefined {
    let found: number[] | undefined;
    for (const table of this.#tables) found = table.find(id, found);
    return found;
  }

  /**
   * Forgets what the sealed segments know. Tables may keep some of it a little longer.
   * @param needed Sequences that lie in no sealed segment, both inclusive.
   */
  keepOnly(needed: readonly { readonly first: number; readonly last: number }[]): void {
    this.#tables = this.#tables.filter(
      (table) => !table.isFull || needed.some(({ first, last }) => table.first <= last && first <= table.last),
    );
  }
}

/** Open addressing, at most half full. */
class Table {
  readonly capacity: number;
  first = Number.POSITIVE_INFINITY;
  last = 0;
  readonly #base: number;
  readonly #mask: number;
  #count = 0;
  /** Three words a slot: high, low, and the sequence counted from `#base`; 0 is an empty slot. */
  readonly #slots: Uint32Array;

  constructor(firstSequence: number, capacity: number) {
    this.capacity = capacity;
    // Sequences that were taken back come again: they may be smaller than the first one here.
    this.#base = Math.max(0, firstSequence - 0x4000_0000);
    this.#mask = 2 * capacity - 1;
    this.#slots = new Uint32Array(3 * 2 * capacity);
  }

  get isFull(): boolean {
    return this.#count >= this.capacity;
  }

  add(id: Fingerprint, sequence: number): void {
    let slot = id.low & this.#mask;
    while (this.#slots[3 * slot + 2] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[3 * slot] = id.high;
    this.#slots[3 * slot + 1] = id.low;
    this.#slots[3 * slot + 2] = sequence - this.#base;
    this.#count += 1;
    this.first = Math.min(this.first, sequence);
    this.last = Math.max(this.last, sequence);
  }

  find(id: Fingerprint, found: number[] | undefined): number[] | undefined {
    let result = found;
    for (let slot = id.low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const distance = this.#slots[3 * slot + 2]!;
      if (distance === 0) return result;
      if (this.#slots[3 * slot] !== id.high || this.#slots[3 * slot + 1] !== id.low) continue;
      result ??= [];
      result.push(distance + this.#base);
    }
  }
}
