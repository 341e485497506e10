/**
 * The books: holds what each follower says that it did against the journal, and names what does not add up.
 *
 * `accepted = delivered + filtered + pending` for each follower, account and hour. `accepted` and `pending` are counted in the
 * journal itself, `delivered` and `filtered` are what the follower counted, so the equation is a check and not a definition: an
 * event that a follower lost shows as unexplained.
 *
 * The count runs along: each check reads what came since the last one, and what a follower took since then. It lives in
 * memory. After a start the first check counts from the first entry, which also holds counts of earlier runs against the
 * journal; in the background it rests, so that requests don't notice.
 *
 * Entries that are damaged are passed over: whose they were and whether they were events cannot be known. A follower that had
 * counted them then shows fewer unexplained events than none, once the journal is counted again.
 *
 * Source: DESIGN §1 "Nothing is lost in silence"; reliability.md P8, P19, F45.
 */
import type { AccountId } from '../event/types.ts';
import { accountHourKey, hourOf, readAccountHourKey, startOfHour } from '../store/account-hour.ts';
import type { Clock } from '../store/clock.ts';
import type { HourCount } from '../store/follower.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';
import { readPast } from '../store/read-past.ts';

/** A follower, as far as its books need it. */
export interface CountedFollower {
  readonly name: string;
  /** Events up to here are in `counts`. */
  cursor(): bigint;
  /** Events up to here were there before the follower began, and are none of its business (a trail made later). */
  start(): bigint;
  /** Empty where `holds` takes its place. */
  counts(): readonly HourCount[];
  /**
   * For a follower that keeps every entry at the place of its sequence and counts nothing: whether it holds this one. Asked
   * for the last entry of each part that is read: one entry left out or doubled moves all that follow.
   */
  readonly holds?: (entry: JournalEntry) => Promise<boolean>;
}

/** One line of the books. */
export interface BooksRow {
  readonly account: AccountId;
  /** Start of the hour of receipt, ISO 8601. */
  readonly hour: string;
  readonly follower: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly pending: number;
  /** `accepted − delivered − filtered − pending`: 0, or events are lost or doubled, or were counted before they were damaged. */
  readonly unexplained: number;
}

/** What a check found. */
export interface BooksState {
  /** One for each follower, account and hour. */
  readonly rows: readonly BooksRow[];
  /** The journal's head when it was checked: everything up to there is in the rows. */
  readonly head: bigint;
  /** Entries that are known to be damaged. */
  readonly unreadable: number;
}

/** Events by account and hour. */
type Tally = Map<string, number>;

/** How far the events of one follower are counted. */
interface Book {
  readonly start: bigint;
  /** Events after `start` up to here are in `taken`: the follower's cursor at the last check. */
  at: bigint;
  /** Events after `at` up to here are in `pending`: the journal's head at the last check. */
  seenTo: bigint;
  /** The last event in `taken`; `start` when there is none. */
  lastTaken: bigint;
  readonly taken: Tally;
  readonly pending: Tally;
  /** Of `taken`, what the follower holds; used where it counts nothing itself. */
  readonly held: Tally;
}

/** What a follower said when a check began. */
interface Statement {
  readonly follower: CountedFollower;
  readonly book: Book;
  readonly cursor: bigint;
  readonly counts: readonly HourCount[];
}

export interface BooksDeps {
  readonly journal: Pick<Journal, 'head' | 'read' | 'damage'>;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
  readonly followers: () => readonly CountedFollower[];
}

/** How often the books are checked (P19). */
const INTERVAL_MS = 60_000;
/** Entries read at one go. */
const READ_LIMIT = 500;
/** In the background, rest for so many times what the work took. */
const REST_SHARE = 4;

export class Books {
  readonly #deps: BooksDeps;
  readonly #books = new Map<string, Book>();
  /** The check under way. */
  #checking: Promise<unknown> | undefined;
  /** The check that begins after it, for all who asked meanwhile. */
  #next: Promise<BooksState> | undefined;
  /** Somebody who may hurry it waits for an answer: no rests. */
  #isHurried = false;
  #last: BooksState | undefined;

  constructor(deps: BooksDeps) {
    this.#deps = deps;
  }

  /** What the last check found; `undefined` before the first has ended. */
  last(): BooksState | undefined {
    return this.#last;
  }

  /**
   * Checks the books as of now, or of a moment after the call: all who ask while one check is under way share the next.
   * @param isHurried Lifts the rests, until the check that is asked for has ended: for administrators. A count of a whole journal
   *   without rests slows all requests.
   * @throws the system's error when the journal's device does not read; what was counted stays, and the next check goes on there.
   */
  check({ isHurried }: { readonly isHurried: boolean }): Promise<BooksState> {
    if (isHurried) this.#isHurried = true;
    this.#next ??= this.#afterLast();
    return this.#next;
  }

  /**
   * Checks each minute until `signal` aborts. Never throws.
   * @param report Told when a check failed.
   */
  async run(signal: AbortSignal, report: (error: unknown) => void): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#next ??= this.#afterLast(signal);
        await this.#next;
      } catch (error) {
        if (!signal.aborted) report(error);
      }
      await this.#deps.clock.sleep(INTERVAL_MS, signal);
    }
  }

  async #afterLast(signal?: AbortSignal): Promise<BooksState> {
    await this.#checking?.catch(() => undefined);
    this.#next = undefined;
    const checking = this.#check(signal);
    this.#checking = checking;
    return checking;
  }

  async #check(signal?: AbortSignal): Promise<BooksState> {
    const { journal } = this.#deps;
    try {
      // Head, cursors and counts are read in one go: what is done meanwhile is past them here.
      const statements = this.#askFollowers();
      const head = journal.head();
      await this.#countUp(statements, head, signal);
      const unreadable = journal.damage().reduce((sum, { from, to }) => sum + Number(to - from) + 1, 0);
      this.#last = { rows: statements.flatMap(rowsOf), head, unreadable };
      return this.#last;
    } finally {
      // Who hurries asked for the next check where one is due.
      if (this.#next === undefined) this.#isHurried = false;
    }
  }

  /** Goes on with every book up to its follower's cursor, and to the head. */
  async #countUp(statements: readonly Statement[], head: bigint, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (let place = nextPlace(statements, head); place !== undefined; place = nextPlace(statements, head)) {
      signal?.throwIfAborted();
      const startedMs = clock.monotonicMs();
      const part = await this.#read(place.from, place.to);
      await count(statements, head, part);
      if (!this.#isHurried && part.to < head) await clock.sleep((clock.monotonicMs() - startedMs) * REST_SHARE, signal);
    }
  }

  /**
   * Opens a book for each new follower, and anew for one that began again or fell back; closes those of followers that are gone.
   *
   * Who falls back over events will take them again, so they are pending, and what it counted is held against its new cursor. Over
   * facts alone nothing changes: a trail does that at each failure (`load-trail.ts`).
   */
  #askFollowers(): readonly Statement[] {
    const statements = this.#deps.followers().map((follower): Statement => {
      const { name } = follower;
      const [start, cursor] = [follower.start(), follower.cursor()];
      let book = this.#books.get(name);
      if (book === undefined || book.start !== start || cursor < book.lastTaken) {
        book = { start, at: start, seenTo: start, lastTaken: start, taken: new Map(), pending: new Map(), held: new Map() };
        this.#books.set(name, book);
      }
      return { follower, book, cursor, counts: follower.counts() };
    });
    const names = new Set(statements.map(({ follower }) => follower.name));
    for (const name of this.#books.keys()) if (!names.has(name)) this.#books.delete(name);
    return statements;
  }

  async #read(from: bigint, to: bigint): Promise<Part> {
    const read = await readPast(this.#deps.journal, from, Math.min(Number(to - from), READ_LIMIT));
    if (read instanceof JournalDamaged) return { from, to: read.damage.to, entries: [] };
    return { from, to: read.at(-1)?.sequence ?? to, entries: read };
  }
}

/** Entries after `from` up to `to`; without those that are damaged. */
interface Part {
  readonly from: bigint;
  readonly to: bigint;
  readonly entries: readonly JournalEntry[];
}

/** The lowest place where a book has to be gone on with, and how far from there; `undefined` when all are complete. */
function nextPlace(statements: readonly Statement[], head: bigint): { readonly from: bigint; readonly to: bigint } | undefined {
  let place: { from: bigint; to: bigint } | undefined;
  for (const { book, cursor } of statements) {
    for (const [from, to] of [
      [book.at, lesser(cursor, head)],
      [book.seenTo, head],
    ] as const) {
      if (from >= to) continue;
      if (place === undefined || from < place.from) place = { from, to };
      else if (from === place.from && to > place.to) place.to = to;
    }
  }
  return place;
}

/** Adds a part to each book that stands in it. Nothing else is done in between, so a book is never half ahead. */
async function count(statements: readonly Statement[], head: bigint, part: Part): Promise<void> {
  const isHeld = await Promise.all(
    statements.map(async ({ follower, cursor }) => {
      const last = part.entries.findLast(({ sequence }) => sequence <= cursor);
      return last !== undefined && (await follower.holds?.(last)) === true;
    }),
  );
  const events = part.entries
    .filter(({ kind }) => kind === 'event')
    .map(({ sequence, account, receivedAtMs }) => ({ sequence, key: accountHourKey({ account, hour: hourOf(receivedAtMs) }) }));
  for (const [index, { book, cursor }] of statements.entries()) {
    const advance = (at: bigint, target: bigint) => (at >= part.from && at < part.to && at < target ? lesser(part.to, target) : at);
    const at = advance(book.at, lesser(cursor, head));
    const seenTo = advance(book.seenTo, head);
    if (at === book.at && seenTo === book.seenTo) continue;
    for (const { key, sequence } of events) {
      const isTaken = sequence > book.at && sequence <= at;
      const isNew = sequence > book.seenTo && sequence <= seenTo;
      if (isTaken) {
        add(book.taken, key, 1);
        book.lastTaken = sequence;
      }
      if (isTaken && isHeld[index]) add(book.held, key, 1);
      if (isNew && !isTaken) add(book.pending, key, 1);
      if (isTaken && !isNew) add(book.pending, key, -1);
    }
    book.at = at;
    book.seenTo = seenTo;
  }
}

function rowsOf({ follower, book, counts }: Statement): readonly BooksRow[] {
  const stated =
    follower.holds === undefined
      ? new Map(counts.map((each) => [accountHourKey(each), each]))
      : new Map(Array.from(book.held, ([key, delivered]) => [key, { delivered, filtered: 0 }]));
  const keys = [...new Set([...book.taken.keys(), ...book.pending.keys(), ...stated.keys()])].sort();
  return keys.map((key) => {
    const { account, hour } = readAccountHourKey(key);
    const pending = book.pending.get(key) ?? 0;
    const accepted = (book.taken.get(key) ?? 0) + pending;
    const { delivered, filtered } = stated.get(key) ?? { delivered: 0, filtered: 0 };
    return {
      account,
      hour: startOfHour(hour),
      follower: follower.name,
      accepted,
      delivered,
      filtered,
      pending,
      unexplained: accepted - delivered - filtered - pending,
    };
  });
}

function add(tally: Tally, key: string, more: number): void {
  const sum = (tally.get(key) ?? 0) + more;
  if (sum === 0) tally.delete(key);
  else tally.set(key, sum);
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
