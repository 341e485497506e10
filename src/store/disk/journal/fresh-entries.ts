/**
 * The newest entries, kept in memory with their parsed events: followers that keep up never touch the disk.
 *
 * Holds every entry that is not durable yet, whatever its size; of the durable ones as many as the limit allows.
 */
import type { JournalEntry } from '../../journal.ts';

/** What an entry costs beside its bytes: objects, texts, the parsed event. An estimate. */
const OVERHEAD_BYTES = 512;
const PARSED_BYTES = 1_536;
/** Removed places are given back when there are this many. */
const COMPACT_AT = 4_096;

export class FreshEntries {
  readonly #bytesMax: number;
  #entries: (JournalEntry | undefined)[] = [];
  /** Places at the start of `#entries` that are removed already. */
  #removed = 0;
  /** Sequence of the entry at place 0, removed or not. */
  #base: number;
  #bytes = 0;

  constructor(bytesMax: number, nextSequence: number) {
    this.#bytesMax = bytesMax;
    this.#base = nextSequence;
  }

  get(sequence: number): JournalEntry | undefined {
    return this.#entries[sequence - this.#base];
  }

  /** Adds the next entry in order. */
  push(entry: JournalEntry): void {
    this.#entries.push(entry);
    this.#bytes += cost(entry);
  }

  /** Gives up the oldest durable entries until the rest is within the limit. */
  trim(durable: number): void {
    while (this.#bytes > this.#bytesMax && this.#base + this.#removed <= durable) {
      this.#bytes -= cost(this.#entries[this.#removed]!);
      this.#entries[this.#removed] = undefined;
      this.#removed += 1;
    }
    if (this.#removed < COMPACT_AT || this.#removed < this.#entries.length / 2) return;
    this.#entries = this.#entries.slice(this.#removed);
    this.#base += this.#removed;
    this.#removed = 0;
  }

  /** Takes back the entries after `sequence`: they were refused. */
  takeBackAfter(sequence: number): void {
    const kept = Math.max(this.#removed, sequence - this.#base + 1);
    for (const entry of this.#entries.splice(kept)) this.#bytes -= cost(entry!);
  }
}

function cost(entry: JournalEntry): number {
  return entry.bytes.length + OVERHEAD_BYTES + (entry.event === undefined ? 0 : PARSED_BYTES);
}
