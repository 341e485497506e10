/**
 * A follower: it reads the journal in order from its own cursor and can be run again from any position with the
 * same result.
 *
 * `server/run-follower.ts` reads, hands over, and waits; the follower acts and then saves its cursor together with its
 * accounting in one catalog commit. A follower that hits a bug stops, and says so in `/readyz` and `/metrics`.
 */
import type { JournalDamage, JournalEntry } from './journal.ts';

export interface Follower {
  /** Such as `history`, `tree`, `metrics`, or `trail/<account>/<region>/<name>`. */
  readonly name: string;
  /** Sequence of the last entry that was taken in full and whose cursor is durable (or rebuilt at start). */
  cursor(): bigint;
  /**
   * Takes the entries after `cursor()`, in order and without gaps: 1 to 10,000 of them.
   * Returns the sequence up to which it went. A follower that gathers (a trail between two flushes) may return early.
   * @throws Error for an outage: the same entries come again later, with back-off.
   */
  take(entries: readonly JournalEntry[]): Promise<bigint>;
  /**
   * Goes on behind entries that cannot be read, of which the one after `cursor()` is one; durable on return, as is what
   * says that they are missing (`store/passed-over.ts`). Absent where the follower must be complete: it stops there.
   * @throws Error for an outage: the same damage comes again later.
   */
  passOver?(damage: JournalDamage): Promise<void>;
}

/** Counts of events for one account and hour of receipt (hour = whole hours since 1970). */
export interface HourCount {
  readonly account: string;
  readonly hour: number;
  readonly delivered: number;
  readonly filtered: number;
}
