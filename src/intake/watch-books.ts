/**
 * The books: holds what each follower says that it did against the journal, and names what does not add up.
 *
 * `accepted = delivered + filtered + pending` for each follower, account and hour. `accepted` and `pending` are counted in the
 * journal itself, `delivered` and `filtered` are what the follower counted, so the equation is a check and not a definition: an
 * event that a follower lost shows as unexplained.
 *
 * The count runs along: each check reads what came since the last one, and what a follower took since then. It is saved each
 * minute (`saved-books.ts`), and a start goes on with it. Where nothing was saved, or what was does not fit, the first check counts
 * from the first entry; in the background it rests, so that requests don't notice.
 *
 * Entries that are damaged are passed over: whose they were and whether they were events cannot be known.
 *
 * Source: DESIGN §1 "Nothing is lost in silence"; reliability.md P8, P19, F45.
 */
import { hourOf } from '../store/account-hour.ts';
import type { Clock } from '../store/clock.ts';
import type { HourCount } from '../store/follower.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';
import { readPast } from '../store/read-past.ts';
import { Book, type BookPart, type BooksRow, type BooksTotal } from './book.ts';
import { loadBooks, type SavedBooks, type SavedBooksCatalog, saveBooks } from './saved-books.ts';

/** A follower, as far as its books need it. */
export interface CountedFollower {
  readonly name: string;
  /** Events up to here are in `counts`. */
  cursor(): bigint;
  /** Events up to here were there before the follower began, and are none of its business (a trail made later). */
  start(): bigint;
  /** Empty where `holds` takes its place. */
  counts(): readonly HourCount[];
  /** Those of the counts that changed since this was called last; all of them at the first call. For the books alone. */
  changedCounts(): readonly HourCount[];
  /**
   * For a follower that keeps every entry at the place of its sequence and counts nothing: whether it holds this one. Asked
   * for the last entry of each part that is read: one entry left out or doubled moves all that follow.
   */
  readonly holds?: (entry: JournalEntry) => Promise<boolean>;
}

/** Entries that a follower has not taken yet; 0 for one that is past the journal's end, since part of the journal is gone (F46). */
export function lagOf(head: bigint, follower: Pick<CountedFollower, 'cursor'>): number {
  return Math.max(0, Number(head - follower.cursor()));
}

/** What a check found. */
export interface BooksState {
  /** The journal's head when it was checked: everything up to there is in the rows. */
  readonly head: bigint;
  /** Entries that are known to be damaged. */
  readonly unreadable: number;
  /** Sums of the rows, by follower. */
  readonly totals: ReadonlyMap<string, BooksTotal>;
  /**
   * One row for each follower, account and hour, of one account or of all. As the last check found them: a check that ended
   * meanwhile shows.
   */
  rows(account?: string): readonly BooksRow[];
  /** The rows of the newest hours that have any, follower by follower. */
  newestRows(hours: number): readonly BooksRow[];
  /** Rows in which something is unexplained, `limit` of each follower at most. */
  wrongRows(limit: number): readonly BooksRow[];
}

/** What a follower said when a check began. */
interface Statement {
  readonly follower: CountedFollower;
  readonly book: Book;
  readonly cursor: bigint;
}

export interface BooksDeps {
  readonly journal: Pick<Journal, 'head' | 'read' | 'fetch' | 'damage'>;
  readonly clock: Pick<Clock, 'sleep' | 'monotonicMs'>;
  readonly followers: () => readonly CountedFollower[];
  /** Where the books are saved; absent where nothing may be written. */
  readonly catalog?: SavedBooksCatalog | undefined;
}

/** How often the books are checked (P19). */
const INTERVAL_MS = 60_000;
/** Entries read at one go. */
const READ_LIMIT = 500;
/** So many hours of all books that changed are saved while a long count is under way. */
const UNSAVED_MAX = 5_000;
/** In the background, rest for so many times what the work took. */
const REST_SHARE = 4;

export class Books {
  readonly #deps: BooksDeps;
  readonly #books = new Map<string, Book>();
  /** Saved by an earlier run, until a follower goes on with them; absent before they were read. */
  #saved: SavedBooks | undefined;
  /** Names of books that are in the catalog. */
  #savedNames = new Set<string>();
  /** The save under way: they come one after the other. */
  #saving: Promise<void> = Promise.resolve();
  /** The check under way. */
  #checking: Promise<unknown> | undefined;
  /** The check that begins after it, for all who asked meanwhile. */
  #next: Promise<BooksState> | undefined;
  /** Somebody who may hurry it waits for an answer: no rests. */
  #isHurried = false;
  #last: BooksState | undefined;
  /** Ends the checks that begin during a run, whoever asks for them. */
  #stop: AbortSignal | undefined;

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
   * AbortError when the run ends meanwhile.
   */
  check({ isHurried }: { readonly isHurried: boolean }): Promise<BooksState> {
    if (isHurried) this.#isHurried = true;
    this.#next ??= this.#afterLast();
    return this.#next;
  }

  /**
   * Checks and saves the books each minute until `signal` aborts. Never throws.
   * @param report Told when that failed.
   */
  async run(signal: AbortSignal, report: (error: unknown) => void): Promise<void> {
    this.#stop = signal;
    while (!signal.aborted) {
      try {
        this.#next ??= this.#afterLast();
        await this.#next;
        await this.#save();
      } catch (error) {
        if (!signal.aborted) report(error);
      }
      await this.#deps.clock.sleep(INTERVAL_MS, signal);
    }
    this.#stop = undefined;
  }

  async #afterLast(): Promise<BooksState> {
    await this.#checking?.catch(() => undefined);
    this.#next = undefined;
    const checking = this.#check(this.#stop);
    this.#checking = checking;
    return checking;
  }

  async #check(signal?: AbortSignal): Promise<BooksState> {
    const { journal } = this.#deps;
    try {
      await this.#load();
      // Head, cursors and counts are read in one go: what is done meanwhile is past them here.
      const statements = this.#askFollowers();
      const head = journal.head();
      await this.#countUp(statements, head, signal);
      const unreadable = journal.damage().reduce((sum, { from, to }) => sum + Number(to - from) + 1, 0);
      for (const { book } of statements) book.publish();
      const books = statements.map(({ book }) => book);
      this.#last = {
        head,
        unreadable,
        totals: new Map(books.map((book) => [book.follower, book.total()])),
        rows: (account) => books.flatMap((book) => book.rows(account)),
        newestRows: (hours) => books.flatMap((book) => book.newestRows(hours)),
        wrongRows: (limit) => books.flatMap((book) => book.wrongRows(limit)),
      };
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
      if (this.#unsavedCount() > UNSAVED_MAX) await this.#save();
      if (!this.#isHurried && part.to < head) await clock.sleep((clock.monotonicMs() - startedMs) * REST_SHARE, signal);
    }
  }

  /**
   * Opens a book for each new follower, and anew for one that began again or fell back; closes those of followers that
   * are gone.
   *
   * Who falls back over events will take them again, so they are pending, and what it counted is held against its new cursor. Over
   * facts alone nothing changes: a trail does that at each failure (`saved-trail.ts`).
   */
  #askFollowers(): readonly Statement[] {
    const statements = this.#deps.followers().map((follower): Statement => {
      const [start, cursor] = [follower.start(), follower.cursor()];
      const changed = follower.changedCounts();
      const known = this.#books.get(follower.name);
      if (known?.fits(start, cursor)) {
        known.state(changed);
        return { follower, book: known, cursor };
      }
      const book = this.#openBook(follower.name, start, cursor);
      book.state(follower.counts());
      return { follower, book, cursor };
    });
    const names = new Set(statements.map(({ follower }) => follower.name));
    for (const name of this.#books.keys()) if (!names.has(name)) this.#books.delete(name);
    return statements;
  }

  /** Goes on with the saved book, if there is one and it fits; else begins anew. */
  #openBook(name: string, start: bigint, cursor: bigint): Book {
    const saved = this.#books.has(name) ? undefined : this.#saved?.books.get(name);
    const book = saved?.fits(start, cursor) ? saved : new Book(name, start);
    this.#books.set(name, book);
    this.#saved?.books.delete(name);
    return book;
  }

  /** Reads what was saved, once. */
  async #load(): Promise<void> {
    const { catalog, journal } = this.#deps;
    if (catalog === undefined || this.#saved !== undefined) return;
    this.#saved = await loadBooks(catalog, journal);
    this.#savedNames = new Set(this.#saved.names);
  }

  #save(): Promise<void> {
    const saving = this.#saving.then(async () => {
      const { catalog } = this.#deps;
      if (catalog === undefined) return;
      const books = [...this.#books.values()];
      const gone = [...this.#savedNames].filter((name) => !this.#books.has(name));
      await saveBooks(catalog, books, gone);
      this.#savedNames = new Set(books.filter((book) => book.isSaved()).map(({ follower }) => follower));
    });
    this.#saving = saving.catch(() => undefined);
    return saving;
  }

  #unsavedCount(): number {
    return [...this.#books.values()].reduce((sum, book) => sum + book.unsavedCount(), 0);
  }

  async #read(from: bigint, to: bigint): Promise<Part> {
    const read = await readPast(this.#deps.journal, from, Math.min(Number(to - from), READ_LIMIT));
    if (read instanceof JournalDamaged) return { from, to: read.damage.to, isDamaged: true, entries: [], events: [] };
    const events = read
      .filter(({ kind }) => kind === 'event')
      .map(({ sequence, id, account, receivedAtMs }) => ({ sequence, id, account, hour: hourOf(receivedAtMs) }));
    return { from, to: read.at(-1)?.sequence ?? to, isDamaged: false, entries: read, events };
  }
}

interface Part extends BookPart {
  readonly entries: readonly JournalEntry[];
}

/** The lowest place where a book has to be gone on with, and how far from there; `undefined` when all are complete. */
function nextPlace(statements: readonly Statement[], head: bigint): { readonly from: bigint; readonly to: bigint } | undefined {
  let place: { readonly from: bigint; readonly to: bigint } | undefined;
  for (const { from, to } of statements.flatMap(({ book, cursor }) => book.open(cursor, head))) {
    if (place === undefined || from < place.from || (from === place.from && to > place.to)) place = { from, to };
  }
  return place;
}

/** Adds a part to each book that stands in it. All books at once, so that none is ever half ahead. */
async function count(statements: readonly Statement[], head: bigint, part: Part): Promise<void> {
  const isHeld = await Promise.all(
    statements.map(async ({ follower, cursor }) => {
      const last = part.entries.findLast(({ sequence }) => sequence <= cursor);
      return last !== undefined && (await follower.holds?.(last)) === true;
    }),
  );
  for (const [index, { book, cursor }] of statements.entries()) book.count(part, { cursor, head }, isHeld[index]!);
}
