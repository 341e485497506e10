/**
 * Looks at entries of the journal one after the other, and lets requests have their turn meanwhile.
 */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../store/clock.ts';
import type { Journal, JournalEntry } from '../store/journal.ts';

/** Entries read at one go, while those before them are looked at: under load a read waits long for its turn at the disk. */
const READ_LIMIT = 1_000;
/**
 * How long entries are looked at in one turn of the event loop: half as long as the turn before took without this, so that requests come
 * first, and yet a trail gets a third of the main thread under an intake without end.
 */
const TURN_MIN_MS = 1;
const TURN_MAX_MS = 10;
/** Entries between two looks at the clock. */
const LOOK_EVERY = 16;

/**
 * @param range.to Last sequence that may be looked at; it is durable already.
 * @param take False when the entry is not taken, and none after it.
 * @returns Last sequence that was taken; `range.after` when there was none.
 */
export async function readInTurns(
  from: { readonly journal: Pick<Journal, 'read'>; readonly clock: Pick<Clock, 'monotonicMs'> },
  range: { readonly after: bigint; readonly to: bigint },
  take: (entry: JournalEntry) => boolean,
): Promise<bigint> {
  let taken = range.after;
  let seen = 0;
  let turnEndMs = from.clock.monotonicMs() + TURN_MIN_MS;
  for await (const entries of readAhead(from.journal, Number(range.after), Number(range.to))) {
    for (const entry of entries) {
      if (seen++ % LOOK_EVERY === 0 && from.clock.monotonicMs() >= turnEndMs) turnEndMs = await nextTurn(from.clock);
      assert(entry.sequence === taken + 1n, `the journal is read without gaps: ${entry.sequence} came after ${taken}`);
      if (!take(entry)) return taken;
      taken = entry.sequence;
    }
  }
  return taken;
}

/** Entries after `after` up to `end`, in pieces; the next piece is being read while one is looked at. */
async function* readAhead(journal: Pick<Journal, 'read'>, after: number, end: number): AsyncGenerator<readonly JournalEntry[]> {
  const read = async (from: number): Promise<readonly JournalEntry[]> => {
    const entries = await journal.read(BigInt(from), Math.min(READ_LIMIT, end - from));
    assert(entries.length > 0, `the journal has entries up to ${end} and gave none after ${from}`);
    return entries;
  };
  if (after >= end) return;
  let next = read(after);
  for (let at = after; at < end; ) {
    const entries = await next;
    at += entries.length;
    if (at < end) {
      next = read(at);
      // Told when it is its turn; nobody asks when the batch is full before.
      next.catch(() => undefined);
    }
    yield entries;
  }
}

/** Lets others have their turn. @returns when this one is over, on the monotonic clock. */
async function nextTurn(clock: Pick<Clock, 'monotonicMs'>): Promise<number> {
  const fromMs = clock.monotonicMs();
  await setImmediate();
  const nowMs = clock.monotonicMs();
  return nowMs + Math.min(TURN_MAX_MS, Math.max(TURN_MIN_MS, (nowMs - fromMs) / 2));
}
