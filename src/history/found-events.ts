/**
 * Events as searches look at them: fetched from the journal and read, the ones used last kept in memory.
 *
 * The same pages are asked for again and again (the newest events, the trail of one user), and reading an event from disk
 * costs more than all else that a look-up does with it. An entry never changes, so what is kept is never wrong.
 */

import type { ParseTools } from '../event/parse-event.ts';
import type { KnownEvent } from '../event/types.ts';
import { eventOf } from '../store/event-of.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';

/** What is looked at of an entry. */
export type FoundEntry = Pick<JournalEntry, 'sequence' | 'source' | 'account' | 'region' | 'id' | 'receivedAtMs' | 'bytes'>;

export interface FoundEvent {
  readonly entry: FoundEntry;
  readonly event: KnownEvent;
}

/** What an event costs in memory beside its bytes, measured with records of 1,348 bytes. */
const OVERHEAD_BYTES = 1_600;
/** Some 11,000 events. */
const BYTES_MAX = 32 * 2 ** 20;

export class FoundEvents {
  readonly #journal: Pick<Journal, 'fetch'>;
  readonly #tools: ParseTools;
  /** In order of use, oldest first. */
  readonly #held = new Map<bigint, FoundEvent>();
  #bytes = 0;

  constructor(journal: Pick<Journal, 'fetch'>, tools: ParseTools) {
    this.#journal = journal;
    this.#tools = tools;
  }

  /**
   * The events of these sequences, in their order; `undefined` for one that is damaged.
   * @throws the system's error when the device does not read.
   */
  async fetch(sequences: readonly bigint[]): Promise<readonly (FoundEvent | undefined)[]> {
    const found = sequences.map((sequence) => this.#use(sequence));
    const missing = sequences.filter((_, place) => found[place] === undefined);
    if (missing.length === 0) return found;
    const entries = (await this.#fetchReadable(missing)).values();
    return found.map((held) => {
      if (held !== undefined) return held;
      const entry = entries.next().value;
      return entry === undefined ? undefined : this.#read(entry);
    });
  }

  /** All at once; and where that meets damage, one by one. */
  async #fetchReadable(sequences: readonly bigint[]): Promise<readonly (JournalEntry | undefined)[]> {
    try {
      return await this.#journal.fetch(sequences);
    } catch (error) {
      if (!(error instanceof JournalDamaged)) throw error;
      if (sequences.length === 1) return [undefined];
      return (await Promise.all(sequences.map((sequence) => this.#fetchReadable([sequence])))).flat();
    }
  }

  #use(sequence: bigint): FoundEvent | undefined {
    const held = this.#held.get(sequence);
    if (held === undefined) return undefined;
    this.#held.delete(sequence);
    this.#held.set(sequence, held);
    return held;
  }

  #read(entry: JournalEntry): FoundEvent {
    // The journal holds it in memory itself.
    if (entry.event !== undefined) return { entry, event: entry.event };
    const { sequence, source, account, region, id, receivedAtMs } = entry;
    // A copy: the bytes are a view of a whole block of the journal. Small ones share memory with a few others.
    const bytes = Buffer.from(entry.bytes);
    const event = eventOf({ ...entry, bytes }, this.#tools);
    const found = { entry: { sequence, source, account, region, id, receivedAtMs, bytes }, event };
    this.#keep(found);
    return found;
  }

  #keep(found: FoundEvent): void {
    const { sequence } = found.entry;
    // Two look-ups may have read the same event.
    if (this.#held.has(sequence)) return;
    this.#held.set(sequence, found);
    this.#bytes += costOf(found);
    for (const [oldest, held] of this.#held) {
      if (this.#bytes <= BYTES_MAX) return;
      this.#held.delete(oldest);
      this.#bytes -= costOf(held);
    }
  }
}

function costOf({ entry }: FoundEvent): number {
  return entry.bytes.length + OVERHEAD_BYTES;
}
