/**
 * The history follower: every accepted event becomes a row of the look-up index.
 *
 * There are two places in the journal to remember. What is *counted* is durable in the catalog, with the counts. What
 * is *indexed* the index itself knows: after a restart, or when a part of it was lost, that is less, and the entries
 * between are read from the journal again and not counted twice. Meanwhile `catchingUp` says so, and look-ups are
 * refused instead of answered in part.
 *
 * Damaged entries are passed over and kept as such: look-ups that may miss one of them say so (`find-events.ts`). Once
 * they can be read again, the next start counts them and makes the part of the index anew that lacks them.
 *
 * Filtered: an event whose id belongs to another event of its account. Facts are skipped.
 * Source: DESIGN §1, §5; spec/history.md; reliability.md F11, P8, P19.
 */

import type { ParseTools } from '../event/parse-event.ts';
import type { EpochMs } from '../event/types.ts';
import type { Catalog, CatalogChange } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import { eventOf } from '../store/event-of.ts';
import type { Follower, HourCount } from '../store/follower.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import { HourTable } from '../store/hour-table.ts';
import type { Journal, JournalDamage, JournalEntry } from '../store/journal.ts';
import { forgetPassedOver, keepPassedOver, listPassedOver, newRanges, type PassedOver, readRange } from '../store/passed-over.ts';
import { countEntries } from './count-entries.ts';
import { historyRow } from './history-row.ts';

/** How long event history goes back: 90 days. */
export const HISTORY_MS = 90 * 86_400_000;
/**
 * How often rows past that are dropped for good, by a clock that did not jump all that time; until then queries leave
 * them out by time. So a clock that is wrong at a start or for a while takes nothing (F28, F30).
 */
const EXPIRY_INTERVAL_MS = 3_600_000;
/** A clock that moved further against the monotonic one has jumped. */
const JUMP_MS = 60_000;
const FOLLOWER = 'history';
/** Entries read again at a time. */
const READ_LIMIT = 5_000;

export interface HistoryFollowerDeps {
  readonly index: HistoryIndex;
  readonly journal: Pick<Journal, 'read' | 'fetch' | 'head'>;
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly sha256: ParseTools['sha256'];
}

export interface HistoryFollower extends Follower {
  /** Last entry that is in `counts`. Not below `cursor()`. */
  countedTo(): bigint;
  /** Delivered and filtered events by account and hour of receipt, as they are in the catalog. */
  counts(): readonly HourCount[];
  /** Those of them that changed since the last call; all at the first. For the books alone. */
  changedCounts(): readonly HourCount[];
  /** Set while entries that were indexed before have to be indexed again: look-ups would miss them. */
  catchingUp(): { readonly coveredTo: bigint; readonly target: bigint } | undefined;
  /** Damaged entries that are not in the index, in order. */
  passedOver(): readonly PassedOver[];
}

/** Reads what was counted. The index may be anything from empty to ahead of that. */
export async function openHistoryFollower(deps: HistoryFollowerDeps): Promise<HistoryFollower> {
  const cursor = await deps.catalog.get<{ readonly sequence: string }>(['cursor', FOLLOWER]);
  const counts = await deps.catalog.list<HourCount>(['accounting', FOLLOWER]);
  const history = new HistoryIndexer(deps, {
    countedTo: BigInt(cursor?.value.sequence ?? '0'),
    counts: counts.map((document) => document.value),
    passedOver: await listPassedOver(deps.catalog, FOLLOWER),
  });
  await history.takeWhatCanBeReadAgain();
  return history;
}

class HistoryIndexer implements HistoryFollower {
  readonly name = FOLLOWER;
  readonly #deps: HistoryFollowerDeps;
  /** By account and hour. Written only by `take`, after its commit. */
  readonly #counts: HourTable<HourCount>;
  #countedTo: bigint;
  /** Since when the clock has not jumped and nothing has expired. */
  #steadySince: { readonly nowMs: EpochMs; readonly monotonicMs: number };

  #passedOver: readonly PassedOver[];

  constructor(
    deps: HistoryFollowerDeps,
    stored: { readonly countedTo: bigint; readonly counts: readonly HourCount[]; readonly passedOver: readonly PassedOver[] },
  ) {
    this.#deps = deps;
    this.#countedTo = stored.countedTo;
    this.#counts = new HourTable(stored.counts);
    this.#passedOver = stored.passedOver;
    this.#steadySince = this.#clocks();
  }

  cursor(): bigint {
    return this.catchingUp()?.coveredTo ?? this.#countedTo;
  }

  countedTo(): bigint {
    return this.#countedTo;
  }

  counts(): readonly HourCount[] {
    return this.#counts.all();
  }

  changedCounts(): readonly HourCount[] {
    return this.#counts.takeChanged();
  }

  catchingUp(): { readonly coveredTo: bigint; readonly target: bigint } | undefined {
    const coveredTo = this.#deps.index.coveredTo();
    // A journal that was put back may end before (F46): there is no more to be had than it holds.
    const head = this.#deps.journal.head();
    const isCut = head < this.#countedTo;
    const target = isCut ? head : this.#countedTo;
    return coveredTo < target ? { coveredTo, target } : undefined;
  }

  passedOver(): readonly PassedOver[] {
    return this.#passedOver;
  }

  async passOver(damage: JournalDamage): Promise<void> {
    const { catalog, index } = this.#deps;
    const { to } = damage;
    const at = { cursor: this.cursor(), countedTo: this.#countedTo, known: this.#passedOver };
    const ranges = await newRanges(this.#deps, damage, at);
    const isCounted = to <= this.#countedTo;
    await catalog.commit([...ranges.map((range) => keepPassedOver(FOLLOWER, range)), ...(isCounted ? [] : [cursorAt(to)])]);
    // INVARIANT: it is said that the entries are missing before the index goes past them.
    this.#passedOver = [...this.#passedOver, ...ranges].sort((a, b) => Number(a.from - b.from));
    if (!isCounted) this.#countedTo = to;
    // An index that lost a run meanwhile is made anew from further back: nothing is said to be covered that is not.
    const coveredTo = index.coveredTo();
    if (coveredTo >= damage.from - 1n && coveredTo < to) await index.add([], to);
  }

  /** Counts ranges that are whole again, and has the parts of the index that lack them made anew. */
  async takeWhatCanBeReadAgain(): Promise<void> {
    const { catalog, index, journal } = this.#deps;
    for (const range of this.#passedOver) {
      let counts: readonly HourCount[] = [];
      const isWhole = await readRange(journal, range, (entries) => {
        counts = countEntries(
          entries.filter(({ sequence }) => sequence > range.countedTo),
          counts,
        );
      });
      if (!isWhole) continue;
      await index.forget(range.from - 1n, range.to);
      const changed = this.#addTo(counts);
      await catalog.commit([...changed.map(countChange), forgetPassedOver(FOLLOWER, range)]);
      for (const count of changed) this.#counts.set(count);
      this.#passedOver = this.#passedOver.filter((each) => each !== range);
    }
  }

  async take(entries: readonly JournalEntry[]): Promise<bigint> {
    await this.#index(entries);
    await this.#count(entries);
    await this.#expire();
    return entries.at(-1)!.sequence;
  }

  /** Indexes up to the last entry given; what the index lacks before the first one is read from the journal. */
  async #index(entries: readonly JournalEntry[]): Promise<void> {
    const { index, journal } = this.#deps;
    const first = entries[0]!.sequence;
    const last = entries.at(-1)!.sequence;
    for (let from = index.coveredTo(); from < last; from = index.coveredTo()) {
      const next = from >= first - 1n ? entries : await journal.read(from, READ_LIMIT);
      const to = next.at(-1)!.sequence < last ? next.at(-1)!.sequence : last;
      const rows = next.filter((entry) => entry.sequence > from && entry.sequence <= to).flatMap((entry) => this.#row(entry));
      // While the journal was read, a query may have found damage: the index then covers less, and `rows` would leave a gap.
      if (index.coveredTo() === from) await index.add(rows, to);
    }
  }

  #row(entry: JournalEntry) {
    if (entry.kind !== 'event' || entry.isConflicting) return [];
    return [historyRow(entry, eventOf(entry, this.#deps))];
  }

  /** Counts the entries that are not counted yet; the counts and the cursor become durable together. */
  async #count(entries: readonly JournalEntry[]): Promise<void> {
    const last = entries.at(-1)!.sequence;
    if (last <= this.#countedTo) return;
    const changed = this.#addTo(countEntries(entries.filter((entry) => entry.sequence > this.#countedTo)));
    await this.#deps.catalog.commit([...changed.map(countChange), cursorAt(last)]);
    for (const count of changed) this.#counts.set(count);
    this.#countedTo = last;
  }

  /** The counts of the hours that these change. */
  #addTo(counts: readonly HourCount[]): readonly HourCount[] {
    return counts.map((more) => {
      const before = this.#counts.get(more);
      return { ...more, delivered: more.delivered + (before?.delivered ?? 0), filtered: more.filtered + (before?.filtered ?? 0) };
    });
  }

  async #expire(): Promise<void> {
    const clocks = this.#clocks();
    const passedMs = clocks.monotonicMs - this.#steadySince.monotonicMs;
    const hasJumped = Math.abs(clocks.nowMs - this.#steadySince.nowMs - passedMs) > JUMP_MS;
    if (!hasJumped && passedMs < EXPIRY_INTERVAL_MS) return;
    if (!hasJumped) await this.#deps.index.expire(clocks.nowMs - HISTORY_MS);
    this.#steadySince = clocks;
  }

  #clocks(): { readonly nowMs: EpochMs; readonly monotonicMs: number } {
    return { nowMs: this.#deps.clock.nowMs(), monotonicMs: this.#deps.clock.monotonicMs() };
  }
}

function countChange(count: HourCount): CatalogChange {
  return { key: ['accounting', FOLLOWER, count.account, String(count.hour)], value: count, expected: 'any' };
}

function cursorAt(sequence: bigint): CatalogChange {
  return { key: ['cursor', FOLLOWER], value: { sequence: String(sequence) }, expected: 'any' };
}
