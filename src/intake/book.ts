/**
 * The book of one follower: what the journal holds of each account and hour, beside what the follower says it did with it.
 *
 * It is counted part by part, in the order of the journal, from two places: up to where the follower is (`taken`), and from there to
 * the journal's head (`pending`). Rows are made only of what changed, and only once a check has counted to its end (`publish`).
 *
 * Damaged entries are in no book. Those that went bad after they were counted as pending leave it again when the follower gets
 * past them.
 */
import type { AccountId } from '../event/types.ts';
import type { HourCount } from '../store/follower.ts';
import { HourTable } from '../store/hour-table.ts';

/** One line of the books. */
export interface BooksRow {
  readonly account: AccountId;
  /** Hour of receipt, in whole hours since 1970. */
  readonly hour: number;
  readonly follower: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly pending: number;
  /** `accepted − delivered − filtered − pending`: 0, or events are lost or doubled. */
  readonly unexplained: number;
}

/** The sums of a follower's rows. What one row lacks and another has too many of does not cancel out in `unexplained`. */
export type BooksTotal = Omit<BooksRow, 'account' | 'hour' | 'follower'>;

/** An event, as far as books need it. */
export interface CountedEvent {
  readonly sequence: bigint;
  readonly id: string;
  readonly account: string;
  readonly hour: number;
}

/** Entries after `from` up to `to`: their events, or that they are damaged. */
export interface BookPart {
  readonly from: bigint;
  readonly to: bigint;
  readonly isDamaged: boolean;
  readonly events: readonly CountedEvent[];
}

/** How far events of an account's hour are counted. */
interface Line {
  readonly account: string;
  readonly hour: number;
  taken: number;
  /** Of `taken`, what the follower holds; 0 where it counts. */
  held: number;
  pending: number;
  /** What the follower says; 0 where it counts nothing. */
  delivered: number;
  filtered: number;
}

/** What of a book outlives a restart: `pending` is counted again. */
export interface SavedPlace {
  readonly start: bigint;
  readonly at: bigint;
  /** The last event of `taken`. */
  readonly lastTaken: Pick<CountedEvent, 'sequence' | 'id'> | undefined;
  readonly damaged: readonly { readonly from: bigint; readonly to: bigint }[];
}

/** One hour of a saved book. */
export interface SavedLine {
  readonly account: string;
  readonly hour: number;
  readonly taken: number;
  readonly held: number;
}

const NOTHING: BooksTotal = { accepted: 0, delivered: 0, filtered: 0, pending: 0, unexplained: 0 };

export class Book {
  readonly follower: string;
  /** Events up to here are none of the follower's business. */
  readonly start: bigint;
  /** Events after `start` up to here are in `taken`: the follower's cursor at the last check. */
  #at: bigint;
  /** Events after `#at` up to here are in `pending`: the journal's head at the last check. */
  #seenTo: bigint;
  #lastTaken: SavedPlace['lastTaken'];
  /** Ranges up to `#at` that could not be read. */
  readonly #damaged: { readonly from: bigint; readonly to: bigint }[];
  readonly #lines = new HourTable<Line>();
  /** Lines that changed since their rows were made. */
  readonly #touched = new Set<Line>();
  /** Lines of which `taken` changed since they were handed out to be saved. */
  #unsaved = new Set<Line>();
  #savedAt: bigint | undefined;
  readonly #rows = new HourTable<BooksRow>();
  readonly #wrong = new Set<BooksRow>();
  #total = NOTHING;

  /** @param saved Where to go on; without it, the count begins at the start. */
  constructor(follower: string, start: bigint, saved?: { readonly place: SavedPlace; readonly lines: readonly SavedLine[] }) {
    this.follower = follower;
    this.start = start;
    this.#at = saved?.place.at ?? start;
    this.#savedAt = saved?.place.at;
    this.#seenTo = this.#at;
    this.#lastTaken = saved?.place.lastTaken;
    this.#damaged = [...(saved?.place.damaged ?? [])];
    for (const line of saved?.lines ?? []) this.#touch({ ...line, pending: 0, delivered: 0, filtered: 0 });
  }

  /** Whether the follower's cursor is where the book can go on: not before the last event that it says was taken. */
  fits(start: bigint, cursor: bigint): boolean {
    return start === this.start && cursor >= (this.#lastTaken?.sequence ?? start);
  }

  /** What the follower says that it did; for a follower that counts. Lines that are not given keep what was said before. */
  state(counts: readonly HourCount[]): void {
    for (const { account, hour, delivered, filtered } of counts) {
      const line = this.#line(account, hour);
      if (line.delivered === delivered && line.filtered === filtered) continue;
      line.delivered = delivered;
      line.filtered = filtered;
      this.#touched.add(line);
    }
  }

  /** The parts that are to be counted yet, for a follower that is at `cursor`. */
  open(cursor: bigint, head: bigint): readonly { readonly from: bigint; readonly to: bigint }[] {
    return [
      { from: this.#at, to: lesser(cursor, head) },
      { from: this.#seenTo, to: head },
    ].filter(({ from, to }) => from < to);
  }

  /**
   * Takes in a part, if the book stands in it.
   * @param isHeld For a follower that counts nothing: whether it holds the events of the part.
   */
  count(part: BookPart, to: { readonly cursor: bigint; readonly head: bigint }, isHeld: boolean): void {
    const advance = (at: bigint, target: bigint) => (at >= part.from && at < part.to && at < target ? lesser(part.to, target) : at);
    const at = advance(this.#at, lesser(to.cursor, to.head));
    const seenTo = advance(this.#seenTo, to.head);
    if (part.isDamaged && at > this.#at) {
      this.#damaged.push({ from: this.#at + 1n, to: at });
      // What was pending may have been of this part, and nobody can tell any more: what follows it is counted again.
      if (this.#seenTo > this.#at) {
        this.#forgetPending(at);
        return;
      }
    }
    for (const { sequence, id, account, hour } of part.events) {
      const isTaken = sequence > this.#at && sequence <= at;
      const isNew = sequence > this.#seenTo && sequence <= seenTo;
      if (!isTaken && !isNew) continue;
      const line = this.#line(account, hour);
      this.#touched.add(line);
      if (isNew && !isTaken) line.pending += 1;
      if (isTaken && !isNew) line.pending -= 1;
      if (!isTaken) continue;
      line.taken += 1;
      if (isHeld) line.held += 1;
      this.#unsaved.add(line);
      this.#lastTaken = { sequence, id };
    }
    this.#at = at;
    this.#seenTo = seenTo;
  }

  /** Makes the rows of what changed. */
  publish(): void {
    for (const line of this.#touched) {
      const before = this.#rows.get(line);
      const row = rowOf(this.follower, line);
      const isEmpty = row.accepted === 0 && row.delivered === 0 && row.filtered === 0;
      if (isEmpty) this.#rows.delete(line);
      else this.#rows.set(row);
      if (before !== undefined) this.#wrong.delete(before);
      if (row.unexplained !== 0) this.#wrong.add(row);
      this.#total = exchange(this.#total, before ?? NOTHING, row);
    }
    this.#touched.clear();
  }

  /** The sums of all rows. */
  total(): BooksTotal {
    return this.#total;
  }

  /** Rows of one account or of all, by account and then by hour. */
  rows(account?: string): readonly BooksRow[] {
    return account === undefined ? this.#rows.all() : this.#rows.of(account);
  }

  /** Rows of the newest hours that have any. */
  newestRows(hours: number): readonly BooksRow[] {
    return this.#rows.newest(hours);
  }

  /** Rows in which something is unexplained, `limit` of them at most. */
  wrongRows(limit: number): readonly BooksRow[] {
    return [...take(this.#wrong, limit)];
  }

  /** How many lines wait to be saved. */
  unsavedCount(): number {
    return this.#unsaved.size;
  }

  /** Whether anything of the book was saved. */
  isSaved(): boolean {
    return this.#savedAt !== undefined;
  }

  /** What is to be saved now; `undefined` when all of it is. Whoever cannot save it says so by `takeBack`. */
  handOut(): { readonly place: SavedPlace; readonly lines: readonly SavedLine[]; readonly takeBack: () => void } | undefined {
    if (this.#savedAt === this.#at) return undefined;
    const [lines, before] = [this.#unsaved, this.#savedAt];
    this.#unsaved = new Set();
    this.#savedAt = this.#at;
    return {
      place: { start: this.start, at: this.#at, lastTaken: this.#lastTaken, damaged: [...this.#damaged] },
      lines: Array.from(lines, ({ account, hour, taken, held }) => ({ account, hour, taken, held })),
      takeBack: () => {
        for (const line of lines) this.#unsaved.add(line);
        this.#savedAt = before;
      },
    };
  }

  /** What is to be saved of an hour beside those that changed. */
  savedLine(account: string, hour: number): SavedLine | undefined {
    return this.#lines.get({ account, hour });
  }

  #forgetPending(at: bigint): void {
    for (const line of this.#lines.all()) {
      if (line.pending === 0) continue;
      line.pending = 0;
      this.#touched.add(line);
    }
    this.#at = at;
    this.#seenTo = at;
  }

  #line(account: string, hour: number): Line {
    return this.#lines.get({ account, hour }) ?? this.#touch({ account, hour, taken: 0, held: 0, pending: 0, delivered: 0, filtered: 0 });
  }

  #touch(line: Line): Line {
    this.#lines.set(line);
    this.#touched.add(line);
    return line;
  }
}

function rowOf(follower: string, { account, hour, taken, held, pending, filtered, ...said }: Line): BooksRow {
  const accepted = taken + pending;
  const delivered = held + said.delivered;
  return {
    account: account as AccountId,
    hour,
    follower,
    accepted,
    delivered,
    filtered,
    pending,
    unexplained: accepted - delivered - filtered - pending,
  };
}

/** A sum in which one row takes the place of another. */
function exchange(total: BooksTotal, before: BooksTotal, after: BooksTotal): BooksTotal {
  return {
    accepted: total.accepted - before.accepted + after.accepted,
    delivered: total.delivered - before.delivered + after.delivered,
    filtered: total.filtered - before.filtered + after.filtered,
    pending: total.pending - before.pending + after.pending,
    unexplained: total.unexplained - Math.abs(before.unexplained) + Math.abs(after.unexplained),
  };
}

function* take<Value>(values: Iterable<Value>, limit: number): Generator<Value> {
  let count = 0;
  for (const value of values) {
    if (count++ >= limit) return;
    yield value;
  }
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
