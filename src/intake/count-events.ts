/**
 * The accounting follower: received, accepted, repeated and rejected events by account and hour of receipt.
 *
 * Two sides that do not know of each other: `accepted` counts the events that are in the journal; `received`, `repeated` and
 * `rejected` are what the submissions said in the facts that close them. So an event that the journal lost, or holds
 * twice, makes the books differ. A call to this server's own APIs is one event and its own submission.
 *
 * It reads the journal like every follower, so its figures can be made again from the first entry at any time.
 *
 * Source: reliability.md P19; features.md RC1.
 */
import { decodeSubmission, isSubmitted, type SubmissionCounts } from '../event/submission.ts';
import type { AccountId } from '../event/types.ts';
import type { Catalog, CatalogChange } from '../store/catalog.ts';
import type { Follower } from '../store/follower.ts';
import type { JournalEntry } from '../store/journal.ts';
import { hourOf } from './intake-ledger.ts';

/** What came in for one account in one hour. */
export interface ReceivedCounts extends SubmissionCounts {
  /** Accepted events whose submission's fact was not read yet: it follows them. */
  readonly open: number;
}

/** `received − accepted − repeated − rejected`: 0, or events are lost, doubled, or nobody is known to have sent them. */
export function unexplainedOf({ received, accepted, open, repeated, rejected }: ReceivedCounts): number {
  return received - (accepted - open) - repeated - rejected;
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
      const before = changed.get(key) ?? this.#counts.get(key) ?? noneOf(account, hour);
      changed.set(key, {
        account,
        hour,
        received: before.received + (more.received ?? 0),
        accepted: before.accepted + (more.accepted ?? 0),
        repeated: before.repeated + (more.repeated ?? 0),
        rejected: before.rejected + (more.rejected ?? 0),
        open: before.open + (more.open ?? 0),
      });
    };
    // Whatever follows the events of a submission ends it: its own fact, or something that shows that the fact is missing.
    let open = [...this.#counts.values()].filter((count) => count.open > 0);
    const endSubmission = () => {
      for (const { account, hour, open: events } of open) add(account, hour, { open: -events });
      open = [];
    };
    for (const entry of entries) {
      const hour = hourOf(entry.receivedAtMs);
      if (isSubmitted(entry)) {
        add(entry.account, hour, { accepted: 1, open: 1 });
        open.push({ ...noneOf(entry.account, hour), open: 1 });
        continue;
      }
      endSubmission();
      if (entry.kind === 'event') add(entry.account, hour, { received: 1, accepted: 1 });
      else if (entry.factKind === 'intake')
        for (const { account, hour: of, received, repeated, rejected } of decodeSubmission(entry.bytes).counts)
          add(account, of, { received, repeated, rejected });
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

function noneOf(account: AccountId, hour: number): ReceivedCounts {
  return { account, hour, received: 0, accepted: 0, repeated: 0, rejected: 0, open: 0 };
}

function keyOf({ account, hour }: { account: AccountId; hour: number }): string {
  return `${account}/${hour}`;
}
