import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { ACCOUNT, newEvent, OTHER_ACCOUNT } from '../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../test/support/manual-clock.ts';
import type { Region } from '../event/types.ts';
import type { JournalEntry } from '../store/journal.ts';
import { createMemoryJournal } from '../store/memory/journal.ts';
import { collectBatch } from './collect-batch.ts';

const clock = new ManualClock(0);
const scope = {
  account: ACCOUNT,
  homeRegion: 'eu-central-1' as Region,
  isMultiRegionTrail: true,
  includeGlobalServiceEvents: true,
  selection: {},
};
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());

/** Events of two accounts by turns. */
async function journalOf(count: number) {
  const journal = createMemoryJournal({ clock, chance: seededChance('batch') });
  const event = (index: number) => {
    const record = {
      eventTime: '2026-01-02T03:04:05Z',
      eventSource: 'sqs.amazonaws.com',
      eventName: 'CreateQueue',
      eventCategory: 'Management',
    };
    const bytes = new TextEncoder().encode(JSON.stringify({ eventVersion: '1.11', eventID: `id-${index}`, ...record }));
    return { ...newEvent(`id-${index}`, { account: index % 2 === 0 ? ACCOUNT : OTHER_ACCOUNT }), bytes };
  };
  const events = Array.from({ length: count }, (_, index) => event(index));
  for (let at = 0; at < count; at += 10_000) await journal.append(events.slice(at, at + 10_000));
  return journal;
}

test('a batch keeps the bytes of the records that it takes, and nothing of what was read with them', async () => {
  const memory = await journalOf(20);
  // As the disk reads them: pieces of one buffer.
  const read = async (after: bigint, limit: number): Promise<readonly JournalEntry[]> => {
    const entries = await memory.read(after, limit);
    const piece = Buffer.concat(entries.map(({ bytes }) => bytes));
    const ends = entries.map((_, index) => entries.slice(0, index + 1).reduce((sum, { bytes }) => sum + bytes.length, 0));
    return entries.map((entry, index) => ({ ...entry, bytes: piece.subarray(ends[index]! - entry.bytes.length, ends[index]) }));
  };
  const from = { journal: { read }, clock, sha256 };
  const { groups } = await collectBatch(from, { after: 0n, to: 20n }, scope, { batchBytesMax: 1_000_000, batchFilesMax: 400 });
  const records = groups.flatMap((group) => group.records);
  expect(records).toHaveLength(10);
  expect(records.map(({ buffer }) => buffer.byteLength)).toEqual(records.map(({ length }) => length));
});

test('a batch that is made again within its bounds is the same, whichever limit ended it', async () => {
  const journal = await journalOf(50_020);
  const from = { journal, clock, sha256 };
  const none = { batchBytesMax: Number.POSITIVE_INFINITY, batchFilesMax: Number.POSITIVE_INFINITY };
  const collect = async (to: bigint, limits: Parameters<typeof collectBatch>[3]) => {
    const { groups, ...rest } = await collectBatch(from, { after: 7n, to }, scope, limits);
    return { ...rest, groups: groups.map(({ records, ...group }) => ({ ...group, records: Buffer.concat(records).toString() })) };
  };
  const byEntries = await collect(journal.head(), none);
  expect(byEntries.to).toBe(50_007n);
  const byBytes = await collect(journal.head(), { ...none, batchBytesMax: 100_000 });
  expect(byBytes.to).toBeLessThan(2_000n);
  for (const first of [byEntries, byBytes]) expect(await collect(first.to, none)).toEqual(first);
});
