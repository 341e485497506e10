/**
 * The accounting follower: received, accepted, repeated and rejected events by account and hour of receipt.
 *
 * It reads the journal like every follower, so its figures can be made again from the first entry at any time; repeats and
 * refusals come from the `intake` facts that each submission left.
 *
 * Source: reliability.md P19; features.md RC1.
 */
import type { AccountId } from '../event/types.ts';
import type { Catalog, CatalogChange } from '../store/catalog.ts';
import type { Follower } from '../store/follower.ts';
import type { JournalEntry } from '../store/journal.ts';
import { hourOf, type IntakeCounts } from './intake-ledger.ts';

/** What came in for one account in one hour. `received = accepted + repeated + rejected` by construction. */
export interface ReceivedCounts {
  readonly account: AccountId;
  /** Whole hours since 1970, of receipt. */
  readonly hour: number;
  readonly accepted: number;
  readonly repeated: number;
  readonly rejected: number;
}

const FOLLOWER = 'accounting';

export class EventCounter implements Follower {
  readonly name = FOLLOWER;
  readonly #catalog: Catalog;
  /** All counts, by account and hour. Written only by `take`, after its commit. */
  readonly #counts = new Map<string, ReceivedCounts>();
  #cursor = 0n;

  private constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Reads cursor and counts from the catalog. */
  static async open(catalog: Catalog): Promise<EventCounter> {
    const counter = new EventCounter(catalog);
    counter.#cursor = BigInt((await catalog.get<{ sequence: string }>(['cursor', FOLLOWER]))?.value.sequence ?? '0');
    for (const { value } of await catalog.list<ReceivedCounts>(['accounting', FOLLOWER])) counter.#counts.set(keyOf(value), value);
    return counter;
  }

  cursor(): bigint {
    return this.#cursor;
  }

  /** Counts by account and hour, oldest hour first within an account. */
  counts(): readonly ReceivedCounts[] {
    return [...this.#counts.values()].sort((a, b) => (a.account === b.account ? a.hour - b.hour : a.account < b.account ? -1 : 1));
  }

  async take(entries: readonly JournalEntry[]): Promise<bigint> {
    const changed = new Map<string, ReceivedCounts>();
    const add = (account: AccountId, hour: number, more: Partial<ReceivedCounts>) => {
      const key = keyOf({ account, hour });
      const before = changed.get(key) ?? this.#counts.get(key) ?? { account, hour, accepted: 0, repeated: 0, rejected: 0 };
      changed.set(key, {
        account,
        hour,
        accepted: before.accepted + (more.accepted ?? 0),
        repeated: before.repeated + (more.repeated ?? 0),
        rejected: before.rejected + (more.rejected ?? 0),
      });
    };
    for (const entry of entries) {
      if (entry.kind === 'event') add(entry.account, hourOf(entry.receivedAtMs), { accepted: 1 });
      else if (entry.factKind === 'intake') for (const counts of countsOf(entry)) add(counts.account, counts.hour, counts);
    }
    const last = entries.at(-1)!.sequence;
    const changes: CatalogChange[] = [...changed.values()].map((value) => ({
      key: ['accounting', FOLLOWER, value.account, String(value.hour)],
      value,
      expected: 'any',
    }));
    await this.#catalog.commit([...changes, { key: ['cursor', FOLLOWER], value: { sequence: String(last) }, expected: 'any' }]);
    for (const [key, value] of changed) this.#counts.set(key, value);
    this.#cursor = last;
    return last;
  }
}

/** Reads an `intake` fact. Our own bytes: the journal's checksum vouches for them. */
function countsOf(entry: JournalEntry): readonly IntakeCounts[] {
  return (JSON.parse(new TextDecoder().decode(entry.bytes)) as { counts: readonly IntakeCounts[] }).counts;
}

function keyOf({ account, hour }: { account: AccountId; hour: number }): string {
  return `${account}/${hour}`;
}
