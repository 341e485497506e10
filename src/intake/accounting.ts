/**
 * Joins what came in with what each follower did, by account and hour, and names what does not add up.
 *
 * `received = accepted + repeated + rejected` and, for each follower, `accepted = delivered + filtered + pending`.
 * What is pending is counted in the journal itself, from the follower's cursor on, so the equation is a check and not a
 * definition: an event that a follower lost shows as unexplained.
 *
 * Entries that are damaged in the journal are passed over and counted as such: whose they were and whether they were
 * events cannot be known any more. A follower that had counted them then shows fewer unexplained events than none.
 *
 * Source: DESIGN §1 "Nothing is lost in silence"; reliability.md P8, P19, F45.
 */
import type { AccountId } from '../event/types.ts';
import type { HourCount } from '../store/follower.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import { readPast } from '../store/read-past.ts';
import { hourOf } from './intake-ledger.ts';

/** A follower, as far as accounting needs it. */
export interface CountedFollower {
  readonly name: string;
  /** Events up to here are in `counts`. */
  cursor(): bigint;
  /** Events up to here were there before the follower began, and are none of its business (a trail made later). */
  start(): bigint;
  counts(): readonly HourCount[];
}

/** One line of the books. */
export interface AccountingRow {
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

/** The journal recounted. */
export interface Books {
  /** One for each follower, account and hour. */
  readonly rows: readonly AccountingRow[];
  /** Entries that are damaged: in no row as accepted or pending. */
  readonly unreadable: number;
}

/** Events of the journal by account and hour, in a range of sequences. */
type Tally = Map<string, number>;

const READ_LIMIT = 10_000;

/**
 * Recounts the journal from its first entry and holds each follower against it.
 *
 * Reads everything: for `doctor` and tests, not for a scrape.
 * @throws the system's error when the device does not read, and what `signal` was aborted with.
 */
export async function reconcile(journal: Journal, followers: readonly CountedFollower[], signal?: AbortSignal): Promise<Books> {
  // Cursors and counts are read in one go, before the count: what a follower does meanwhile is past its cursor here.
  const books = followers.map((follower) => ({
    name: follower.name,
    cursor: follower.cursor(),
    start: follower.start(),
    counts: new Map(follower.counts().map((count) => [`${count.account}/${count.hour}`, count])),
    accepted: new Map() as Tally,
    pending: new Map() as Tally,
  }));
  const head = journal.head();
  let after = 0n;
  let unreadable = 0n;
  while (after < head) {
    signal?.throwIfAborted();
    const entries = await readPast(journal, after, READ_LIMIT);
    if (entries instanceof JournalDamaged) {
      const { to } = entries.damage;
      unreadable += to - after;
      after = to;
      continue;
    }
    for (const entry of entries) {
      if (entry.kind !== 'event' || entry.sequence > head) continue;
      const key = `${entry.account}/${hourOf(entry.receivedAtMs)}`;
      for (const book of books) {
        if (entry.sequence <= book.start) continue;
        add(book.accepted, key);
        if (entry.sequence > book.cursor) add(book.pending, key);
      }
    }
    after = entries.at(-1)?.sequence ?? head;
  }
  const rows = books.flatMap((book) => [...new Set([...book.accepted.keys(), ...book.counts.keys()])].sort().map((key) => row(book, key)));
  return { rows, unreadable: Number(unreadable) };
}

function row(book: { name: string; counts: ReadonlyMap<string, HourCount>; accepted: Tally; pending: Tally }, key: string): AccountingRow {
  const [account, hour] = key.split('/') as [AccountId, string];
  const accepted = book.accepted.get(key) ?? 0;
  const pending = book.pending.get(key) ?? 0;
  const { delivered, filtered } = book.counts.get(key) ?? { delivered: 0, filtered: 0 };
  return {
    account,
    hour: new Date(Number(hour) * 3_600_000).toISOString(),
    follower: book.name,
    accepted,
    delivered,
    filtered,
    pending,
    unexplained: accepted - delivered - filtered - pending,
  };
}

function add(tally: Tally, key: string): void {
  tally.set(key, (tally.get(key) ?? 0) + 1);
}
