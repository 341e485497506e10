/**
 * The accounting follower: received, accepted, repeated and rejected events by account and hour of receipt.
 *
 * Two sides that do not know of each other: `accepted` counts the events that are in the journal; `received`, `repeated` and
 * `rejected` are what the submissions said in the facts that close them. So an event that the journal lost, or holds
 * twice, makes the books differ. A call to this server's own APIs is one event and its own submission.
 *
 * It reads the journal like every follower, so its figures can be made again from the first entry at any time.
 *
 * Entries that are damaged are passed over and kept as such: the books then name how many nobody can count. Once they can
 * be read again, the next start counts them.
 *
 * Source: reliability.md P8, P19; features.md RC1.
 */
import { decodeSubmission, isSubmitted, type SubmissionCounts } from '../event/submission.ts';
import type { AccountId } from '../event/types.ts';
import { accountHourKey, hourOf } from '../store/account-hour.ts';
import type { Catalog, CatalogChange } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import type { Follower, HourCount } from '../store/follower.ts';
import { HourTable } from '../store/hour-table.ts';
import type { Journal, JournalDamage, JournalEntry } from '../store/journal.ts';
import { forgetPassedOver, keepPassedOver, listPassedOver, newRanges, type PassedOver, readRange } from '../store/passed-over.ts';

/** What came in for one account in one hour. */
export interface ReceivedCounts extends SubmissionCounts {
  /** Accepted events whose submission's fact was not read yet: it follows them. */
  readonly open: number;
}

/** `received − accepted − repeated − rejected`: 0, or events are lost, doubled, or nobody is known to have sent them. */
export function unexplainedOf({ received, accepted, open, repeated, rejected }: ReceivedCounts): number {
  return received - (accepted - open) - repeated - rejected;
}

/** Sums over accounts and hours. What one hour lacks and another has too many of does not cancel out in `unexplained`. */
export interface ReceivedTotals {
  readonly received: number;
  readonly accepted: number;
  readonly repeated: number;
  readonly rejected: number;
  readonly unexplained: number;
}

export interface EventCounterDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  readonly journal: Pick<Journal, 'read' | 'fetch' | 'head'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const FOLLOWER = 'accounting';

export class EventCounter implements Follower {
  readonly name = FOLLOWER;
  readonly #deps: EventCounterDeps;
  /** All counts, by account and hour. Written only by `#keep`, after a commit. */
  readonly #counts = new HourTable<ReceivedCounts>();
  /** Those with events whose submission is open: few, and mostly none. */
  readonly #open = new Map<string, ReceivedCounts>();
  #totals: ReceivedTotals = { received: 0, accepted: 0, repeated: 0, rejected: 0, unexplained: 0 };
  #cursor = 0n;
  #passedOver: readonly PassedOver[] = [];

  private constructor(deps: EventCounterDeps) {
    this.#deps = deps;
  }

  /** Reads cursor and counts from the catalog, and counts what can be read again. */
  static async open(deps: EventCounterDeps): Promise<EventCounter> {
    const { catalog } = deps;
    const counter = new EventCounter(deps);
    counter.#cursor = BigInt((await catalog.get<{ sequence: string }>(['cursor', FOLLOWER]))?.value.sequence ?? '0');
    for (const { value } of await catalog.list<ReceivedCounts>(['accounting', FOLLOWER])) counter.#keep(value);
    counter.#passedOver = await listPassedOver(catalog, FOLLOWER);
    for (const range of counter.#passedOver) await counter.#countAgain(range);
    return counter;
  }

  cursor(): bigint {
    return this.#cursor;
  }

  /** Counts of one account or of all, by account and then by hour. */
  counts(account?: string): readonly ReceivedCounts[] {
    return account === undefined ? this.#counts.all() : this.#counts.of(account);
  }

  /** Counts of the newest hours that have any. */
  newestCounts(hours: number): readonly ReceivedCounts[] {
    return this.#counts.newest(hours);
  }

  /** The sums of all counts. */
  totals(): ReceivedTotals {
    return this.#totals;
  }

  /** Damaged entries that are not counted. */
  passedOver(): readonly PassedOver[] {
    return this.#passedOver;
  }

  /** The counts as what a follower says that it took. */
  acceptedCounts(): readonly HourCount[] {
    return this.#counts.all().map(asTaken);
  }

  /** Those of them that changed since the last call; all at the first. For the books alone. */
  changedAcceptedCounts(): readonly HourCount[] {
    return this.#counts.takeChanged().map(asTaken);
  }

  async take(entries: readonly JournalEntry[]): Promise<bigint> {
    const changed = new Map<string, ReceivedCounts>();
    const add = this.#adderTo(changed);
    // Whatever follows the events of a submission ends it: its own fact, or something that shows that the fact is missing.
    let open = [...this.#open.values()];
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
      addClosed(entry, add);
    }
    const last = entries.at(-1)!.sequence;
    await this.#save(changed, [cursorAt(last)], last);
    return last;
  }

  async passOver(damage: JournalDamage): Promise<void> {
    const ranges = await newRanges(this.#deps, damage, { cursor: this.#cursor, countedTo: this.#cursor, known: this.#passedOver });
    // The fact of a submission that is open here is among them, or comes after them and speaks of more than was read.
    const changed = new Map(Array.from(this.#open, ([key, count]) => [key, { ...count, open: 0 }]));
    await this.#save(changed, [...ranges.map((range) => keepPassedOver(FOLLOWER, range)), cursorAt(damage.to)], damage.to);
    this.#passedOver = [...this.#passedOver, ...ranges];
  }

  /** Takes what was passed over, if all of it can be read. What follows it was counted long ago: nothing of it is open. */
  async #countAgain(range: PassedOver): Promise<void> {
    const changed = new Map<string, ReceivedCounts>();
    const add = this.#adderTo(changed);
    const isWhole = await readRange(this.#deps.journal, range, (entries) => {
      for (const entry of entries) {
        if (isSubmitted(entry)) add(entry.account, hourOf(entry.receivedAtMs), { accepted: 1 });
        else addClosed(entry, add);
      }
    });
    if (!isWhole) return;
    await this.#save(changed, [forgetPassedOver(FOLLOWER, range)]);
    this.#passedOver = this.#passedOver.filter((each) => each !== range);
  }

  /** What adds to the counts of an account's hour; the sums go into `changed`. */
  #adderTo(changed: Map<string, ReceivedCounts>): Add {
    return (account, hour, more) => {
      const key = accountHourKey({ account, hour });
      const before = changed.get(key) ?? this.#counts.get({ account, hour }) ?? noneOf(account, hour);
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
  }

  /** Cursor and counts change in one turn: who asks never sees one without the other. */
  async #save(changed: ReadonlyMap<string, ReceivedCounts>, others: readonly CatalogChange[], cursor = this.#cursor): Promise<void> {
    const changes: CatalogChange[] = [...changed.values()].map((value) => ({
      key: ['accounting', FOLLOWER, value.account, String(value.hour)],
      value,
      expected: 'any',
    }));
    await this.#deps.catalog.commit([...changes, ...others]);
    for (const value of changed.values()) this.#keep(value);
    this.#cursor = cursor;
  }

  #keep(count: ReceivedCounts): void {
    const before = this.#counts.get(count) ?? noneOf(count.account, count.hour);
    this.#counts.set(count);
    if (count.open > 0) this.#open.set(accountHourKey(count), count);
    else this.#open.delete(accountHourKey(count));
    const { received, accepted, repeated, rejected, unexplained } = this.#totals;
    this.#totals = {
      received: received - before.received + count.received,
      accepted: accepted - before.accepted + count.accepted,
      repeated: repeated - before.repeated + count.repeated,
      rejected: rejected - before.rejected + count.rejected,
      unexplained: unexplained - Math.abs(unexplainedOf(before)) + Math.abs(unexplainedOf(count)),
    };
  }
}

type Add = (account: AccountId, hour: number, more: Partial<ReceivedCounts>) => void;

/** Adds an entry that belongs to no open submission: a call to this server, or the fact that closes a submission. */
function addClosed(entry: JournalEntry, add: Add): void {
  if (entry.kind === 'event') add(entry.account, hourOf(entry.receivedAtMs), { received: 1, accepted: 1 });
  else if (entry.factKind === 'intake')
    for (const { account, hour, received, repeated, rejected } of decodeSubmission(entry.bytes).counts)
      add(account, hour, { received, repeated, rejected });
}

function cursorAt(sequence: bigint): CatalogChange {
  return { key: ['cursor', FOLLOWER], value: { sequence: String(sequence) }, expected: 'any' };
}

function asTaken({ account, hour, accepted }: ReceivedCounts): HourCount {
  return { account, hour, delivered: accepted, filtered: 0 };
}

function noneOf(account: AccountId, hour: number): ReceivedCounts {
  return { account, hour, received: 0, accepted: 0, repeated: 0, rejected: 0, open: 0 };
}
