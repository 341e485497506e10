/**
 * Keeps the books in the catalog, so that a start goes on with the count instead of reading the whole journal again.
 *
 * A book's place and its hours are saved in one commit. What is saved says which events of the journal were counted, never more, and is
 * thrown away when it does not fit what is there now: the journal ends before it or holds another event at its end, an entry that was
 * damaged can be read again (the follower counts it then), or the follower stands before it. Then the count begins anew.
 *
 * `['book', follower]`: the place. `['book-day', follower, account, day]`: the hours of one day, since a document for each hour would
 * make hundreds of thousands.
 */
import type { Catalog, CatalogChange } from '../store/catalog.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import { readRange } from '../store/passed-over.ts';
import { Book, type SavedLine, type SavedPlace } from './book.ts';

export type SavedBooksCatalog = Pick<Catalog, 'list' | 'commit'>;

interface PlaceDocument {
  readonly start: string;
  readonly at: string;
  readonly lastTaken: { readonly sequence: string; readonly id: string } | null;
  readonly damaged: readonly { readonly from: string; readonly to: string }[];
}

interface DayDocument {
  readonly account: string;
  /** Whole days since 1970. */
  readonly day: number;
  /** By hour of the day: events that the follower took, and those of them that it holds. */
  readonly hours: Readonly<Record<string, readonly [taken: number, held: number]>>;
}

const HOURS = 24;

/** What was saved: the names of all, and the books of those that fit the journal. */
export interface SavedBooks {
  readonly names: ReadonlySet<string>;
  /** Whoever goes on with one takes it out. */
  readonly books: Map<string, Book>;
}

export async function loadBooks(catalog: SavedBooksCatalog, journal: Pick<Journal, 'head' | 'read' | 'fetch'>): Promise<SavedBooks> {
  const names = new Set<string>();
  const books = new Map<string, Book>();
  for (const { key, value } of await catalog.list<PlaceDocument>(['book'])) {
    const name = key[1]!;
    names.add(name);
    const place = readPlace(value);
    if (!(await isOf(journal, place))) continue;
    const days = await catalog.list<DayDocument>(['book-day', name]);
    books.set(name, new Book(name, place.start, { place, lines: days.flatMap((day) => linesOf(day.value)) }));
  }
  return { names, books };
}

/**
 * Saves what changed of the books, and takes away those of followers that are gone.
 * @param gone Names of saved books that are no more.
 * @throws the catalog's error: nothing was saved, and all of it is handed out again the next time.
 */
export async function saveBooks(catalog: SavedBooksCatalog, books: readonly Book[], gone: readonly string[]): Promise<void> {
  // The days of another book under the name, and of one that is gone.
  const stale: CatalogChange[] = [];
  for (const name of [...gone, ...books.filter((book) => !book.isSaved()).map(({ follower }) => follower)])
    for (const { key } of await catalog.list(['book-day', name])) stale.push({ key, value: undefined, expected: 'any' });

  // From here to the commit nothing is awaited: what is handed out of a book is of one moment.
  const handedOut = books.flatMap((book) => {
    const changes = book.handOut();
    return changes === undefined ? [] : [{ book, ...changes }];
  });
  const changes = new Map(stale.map((change) => [change.key.join('\0'), change]));
  for (const name of gone) changes.set(`book\0${name}`, { key: ['book', name], value: undefined, expected: 'any' });
  for (const { book, place, lines } of handedOut) {
    // Several hours of a day are one document.
    const days = new Map(lines.map((line) => [`${line.account}/${dayOf(line)}`, line]));
    for (const change of [placeChange(book.follower, place), ...Array.from(days.values(), (line) => dayChange(book, line))])
      changes.set(change.key.join('\0'), change);
  }
  if (changes.size === 0) return;
  try {
    await catalog.commit([...changes.values()]);
  } catch (error) {
    for (const { takeBack } of handedOut) takeBack();
    throw error;
  }
}

/** Whether a place is one of this journal, and nothing that was damaged can be read again. */
async function isOf(journal: Pick<Journal, 'head' | 'read' | 'fetch'>, { at, lastTaken, damaged }: SavedPlace): Promise<boolean> {
  if (at > journal.head()) return false;
  for (const range of damaged) if (await readRange(journal, range, () => undefined)) return false;
  if (lastTaken === undefined) return true;
  try {
    return (await journal.fetch([lastTaken.sequence]))[0]?.id === lastTaken.id;
  } catch (error) {
    // It went bad after it was counted.
    if (error instanceof JournalDamaged) return true;
    throw error;
  }
}

function readPlace({ start, at, lastTaken, damaged }: PlaceDocument): SavedPlace {
  return {
    start: BigInt(start),
    at: BigInt(at),
    lastTaken: lastTaken === null ? undefined : { sequence: BigInt(lastTaken.sequence), id: lastTaken.id },
    damaged: damaged.map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) })),
  };
}

function placeChange(follower: string, { start, at, lastTaken, damaged }: SavedPlace): CatalogChange {
  const value: PlaceDocument = {
    start: `${start}`,
    at: `${at}`,
    lastTaken: lastTaken === undefined ? null : { sequence: `${lastTaken.sequence}`, id: lastTaken.id },
    damaged: damaged.map(({ from, to }) => ({ from: `${from}`, to: `${to}` })),
  };
  return { key: ['book', follower], value, expected: 'any' };
}

function linesOf({ account, day, hours }: DayDocument): readonly SavedLine[] {
  return Object.entries(hours).map(([hour, [taken, held]]) => ({ account, hour: day * HOURS + Number(hour), taken, held }));
}

/** Whole days since 1970. */
function dayOf({ hour }: SavedLine): number {
  return Math.floor(hour / HOURS);
}

/** The whole day of a line. */
function dayChange(book: Book, line: SavedLine): CatalogChange {
  const { account } = line;
  const day = dayOf(line);
  const hours = Object.fromEntries(
    Array.from({ length: HOURS }, (_, at) => [at, book.savedLine(account, day * HOURS + at)] as const).flatMap(([at, saved]) =>
      saved === undefined || saved.taken === 0 ? [] : [[at, [saved.taken, saved.held] as const]],
    ),
  );
  const value: DayDocument = { account, day, hours };
  return { key: ['book-day', book.follower, account, String(day)], value, expected: 'any' };
}
