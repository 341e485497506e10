/**
 * Ranges of damaged entries that a follower went past, kept in the catalog.
 *
 * A follower that may be incomplete, as long as it says so, does not stop at damage for ever (P8): it keeps a range here
 * first, in the same commit as its cursor, and goes on behind it. The range stays until its entries can be read again
 * (a segment was put back from a backup) and the follower has taken them. What must never pretend to be complete, the
 * evidence tree and trails, has no such ranges: it stops.
 *
 * Source: reliability.md P8; docs/decisions/0010-who-passes-over-damage.md.
 */
import type { EpochMs } from '../event/types.ts';
import type { Catalog, CatalogChange, CatalogKey } from './catalog.ts';
import { type Journal, type JournalDamage, JournalDamaged, type JournalEntry } from './journal.ts';
import { readPast } from './read-past.ts';

/** Entries that a follower has not taken, because they could not be read. */
export interface PassedOver extends JournalDamage {
  /** Entries of the range up to here had been counted before they were damaged; `0n` when none had. */
  readonly countedTo: bigint;
  /** None of them was received later than this, by the clocks of their neighbours. */
  readonly receivedToMs: EpochMs;
}

interface StoredRange {
  readonly from: string;
  readonly to: string;
  readonly file: string;
  readonly reason: string;
  readonly countedTo: string;
  readonly receivedToMs: EpochMs;
}

const READ_LIMIT = 1_000;

/** The ranges of a follower, in order. */
export async function listPassedOver(catalog: Pick<Catalog, 'list'>, follower: string): Promise<readonly PassedOver[]> {
  const documents = await catalog.list<StoredRange>(['passed-over', follower]);
  return documents.map(({ value }) => ({
    from: BigInt(value.from),
    to: BigInt(value.to),
    file: value.file,
    reason: value.reason,
    countedTo: BigInt(value.countedTo),
    receivedToMs: value.receivedToMs,
  }));
}

/** Keeps a range. */
export function keepPassedOver(follower: string, range: PassedOver): CatalogChange {
  const { from, to, file, reason, countedTo, receivedToMs } = range;
  const value: StoredRange = { from: `${from}`, to: `${to}`, file, reason, countedTo: `${countedTo}`, receivedToMs };
  return { key: keyOf(follower, range), value, expected: 'any' };
}

/** Forgets a range: its entries were taken. */
export function forgetPassedOver(follower: string, range: PassedOver): CatalogChange {
  return { key: keyOf(follower, range), value: undefined, expected: 'any' };
}

/**
 * The ranges that a follower has to keep for damage that it passes over: all of it but what it took already, and what it
 * passed over before.
 *
 * @param at.cursor Last entry that the follower took.
 * @param at.countedTo Last entry that the follower counted, or passed over.
 * @param at.known What it passed over before, in order.
 */
export async function newRanges(
  deps: { readonly journal: Pick<Journal, 'fetch' | 'head'>; readonly clock: { nowMs(): EpochMs } },
  damage: JournalDamage,
  at: { readonly cursor: bigint; readonly countedTo: bigint; readonly known: readonly PassedOver[] },
): Promise<readonly PassedOver[]> {
  const from = damage.from > at.cursor ? damage.from : at.cursor + 1n;
  const before = await receivedAt(deps.journal, from - 1n);
  const after = await receivedAt(deps.journal, damage.to + 1n);
  const receivedToMs = after === undefined ? deps.clock.nowMs() : Math.max(before ?? after, after);
  const ranges: PassedOver[] = [];
  const add = (first: bigint, to: bigint): void => {
    if (first <= to)
      ranges.push({
        from: first,
        to,
        file: damage.file,
        reason: damage.reason,
        countedTo: at.countedTo < first ? 0n : at.countedTo,
        receivedToMs,
      });
  };
  let next = from;
  for (const known of at.known.filter((each) => each.to >= from && each.from <= damage.to)) {
    add(next, known.from - 1n);
    next = known.to + 1n;
  }
  add(next, damage.to);
  return ranges;
}

/** Hands all entries of a range to `use`, some at a time. Returns whether all could be read; if not, stops. */
export async function readRange(
  journal: Pick<Journal, 'read'>,
  range: Pick<PassedOver, 'from' | 'to'>,
  use: (entries: readonly JournalEntry[]) => void,
): Promise<boolean> {
  for (let after = range.from - 1n; after < range.to; ) {
    const read = await readPast(journal, after, READ_LIMIT);
    if (read instanceof JournalDamaged) return false;
    const entries = read.filter(({ sequence }) => sequence <= range.to);
    // The journal ends before the range does: another copy of it was put in place.
    if (entries.length === 0) return false;
    use(entries);
    after = entries.at(-1)!.sequence;
  }
  return true;
}

/** When an entry was received; `undefined` when there is none, or it cannot be read. */
async function receivedAt(journal: Pick<Journal, 'fetch' | 'head'>, sequence: bigint): Promise<EpochMs | undefined> {
  if (sequence < 1n || sequence > journal.head()) return undefined;
  try {
    return (await journal.fetch([sequence]))[0]!.receivedAtMs;
  } catch (error) {
    if (error instanceof JournalDamaged) return undefined;
    throw error;
  }
}

function keyOf(follower: string, { from }: PassedOver): CatalogKey {
  return ['passed-over', follower, String(from).padStart(16, '0')];
}
