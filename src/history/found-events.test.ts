import { expect, test } from 'vitest';
import { HistoryRig, record, sha256 } from '../../test/support/history-rig.ts';
import { eventOf } from '../store/event-of.ts';
import type { JournalEntry } from '../store/journal.ts';
import { FoundEvents } from './found-events.ts';

/** A journal of `count` events that counts what is fetched, and hands out entries as a disk does: without parsed events. */
async function journalOf(count: number, padding = '') {
  const rig = await HistoryRig.open();
  await rig.accept(Array.from({ length: count }, (_, index) => record({ eventID: `e${index + 1}`, requestParameters: { padding } })));
  const fetched: bigint[] = [];
  const fetch = async (sequences: readonly bigint[]): Promise<readonly JournalEntry[]> => {
    fetched.push(...sequences);
    const entries = await rig.journal.fetch(sequences);
    return entries.map(({ event: _, ...entry }) => ({ ...entry, bytes: new Uint8Array(entry.bytes) }));
  };
  return { fetch, fetched, fresh: rig.journal };
}

test('events come in the order of the question, whether they are in memory or not', async () => {
  const journal = await journalOf(6);
  const events = new FoundEvents(journal, { sha256 });
  await events.fetch([4n, 2n]);
  const found = await events.fetch([1n, 2n, 6n, 4n, 3n]);
  expect(found.map((each) => [each?.entry.sequence, each?.entry.id, each?.event.eventId])).toEqual(
    [1, 2, 6, 4, 3].map((number) => [BigInt(number), `e${number}`, `e${number}`]),
  );
  expect(journal.fetched).toEqual([4n, 2n, 1n, 6n, 3n]);
});

test('an event from memory is the one of the journal, in bytes of its own', async () => {
  const journal = await journalOf(1);
  const [entry] = await journal.fetch([1n]);
  const events = new FoundEvents({ fetch: async () => [entry!] }, { sha256 });
  const [first] = await events.fetch([1n]);
  const [again] = await events.fetch([1n]);
  expect(again).toBe(first);
  expect(Buffer.from(again!.entry.bytes)).toEqual(Buffer.from(entry!.bytes));
  expect(again!.entry.bytes.buffer).not.toBe(entry!.bytes.buffer);
  expect({ ...again!.event, bytes: undefined }).toEqual({ ...eventOf(entry!, { sha256 }), bytes: undefined });
});

test('an event that the journal itself has in memory is not kept twice', async () => {
  const { fresh } = await journalOf(1);
  const [entry] = await fresh.fetch([1n]);
  const event = { ...eventOf(entry!, { sha256 }), remarks: { defaulted: [], isEventTimeSuspicious: false, hasDuplicateKeys: false } };
  const [found] = await new FoundEvents({ fetch: async () => [{ ...entry!, event }] }, { sha256 }).fetch([1n]);
  expect(found!.event).toBe(event);
  expect(found!.entry.bytes).toBe(entry!.bytes);
});

test('what was used longest ago is forgotten when the limit is reached', async () => {
  const journal = await journalOf(80, 'x'.repeat(500_000));
  const events = new FoundEvents(journal, { sha256 });
  for (let number = 1; number <= 80; number++) await events.fetch([1n, BigInt(number)]);
  journal.fetched.length = 0;
  await events.fetch([1n, 2n, 79n, 80n]);
  expect(journal.fetched).toEqual([2n]);
});

test('a damaged event is left out, the others of the same question are not, and it is found once it can be read', async () => {
  const journal = await journalOf(3);
  const events = new FoundEvents(journal, { sha256 });
  const ids = async () => (await events.fetch([1n, 2n, 3n])).map((found) => found?.entry.id);
  journal.fresh.pretendDamage({ from: 2n, to: 2n, file: 'journal/1.log', reason: 'a block is damaged' });
  expect(await ids()).toEqual(['e1', undefined, 'e3']);
  journal.fresh.pretendDamage();
  expect(await ids()).toEqual(['e1', 'e2', 'e3']);
});
