import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock, seededChance } from '../../test/support/manual-clock.ts';
import type { AccountId, Region } from '../event/types.ts';
import { type DiskJournal, openDiskJournal } from '../store/disk/journal/disk-journal.ts';
import type { Journal } from '../store/journal.ts';
import { scrubJournal } from './scrub-journal.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let folder: string;
let journal: DiskJournal;
const clock = new ManualClock(Date.UTC(2026, 0, 2));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-scrub-'));
  journal = await openDiskJournal({ folder, clock, chance: seededChance('scrub'), sealing: 'never', segmentBytes: 4_096 });
  for (let count = 1; count <= 30; count++) await append(`event-${count}`);
});

afterEach(async () => {
  await journal.close();
  await rm(folder, { recursive: true });
});

async function append(eventId: string): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify({ eventID: eventId, filler: 'x'.repeat(300) }));
  const account = '222222222222' as AccountId;
  await journal.append([
    { kind: 'event', source: 'record', account, region: 'eu-central-1' as Region, eventId, receivedAtMs: clock.nowMs(), bytes },
  ]);
}

/** Changes a byte of an event on the disk, behind the back of the journal that has the file open. */
async function damage(eventId: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name));
    const at = bytes.indexOf(`"${eventId}"`);
    if (at < 0) continue;
    bytes[at + 3]! ^= 1;
    await writeFile(join(folder, name), bytes);
    return;
  }
  throw new Error(`no file holds ${eventId}`);
}

/** Starts scrubbing; `pass` lets time go by until the scrubber has rested between all segments and waits for its next turn. */
function start(of: Pick<Journal, 'scrub' | 'damage'>) {
  const stopping = new AbortController();
  const told: string[] = [];
  let passes = 0;
  const watched: typeof of = {
    damage: () => of.damage(),
    scrub: async (signal, rest) => {
      try {
        return await of.scrub(signal, rest);
      } finally {
        passes += 1;
      }
    },
  };
  const ended = scrubJournal(
    { clock, journal: watched, report: (problem) => told.push(problem.kind === 'damaged' ? problem.damage.reason : String(problem.error)) },
    stopping.signal,
  );
  const pass = async (ms: number) => {
    const before = passes;
    await clock.someoneSleeps();
    clock.pass(ms);
    while (passes === before) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      clock.pass(1_000);
    }
    await clock.someoneSleeps();
  };
  const stop = async () => {
    stopping.abort();
    await ended;
  };
  return { told, pass, passes: () => passes, stop };
}

describe('scrubJournal', () => {
  test('damage that nobody has read is found a few minutes after the start, and told once (P8)', async () => {
    await damage('event-17');
    const scrubber = start(journal);
    expect(journal.damage()).toEqual([]);
    await scrubber.pass(5 * MINUTE_MS);
    expect(journal.damage()).toMatchObject([{ from: 17n, to: 17n }]);
    expect(scrubber.told).toEqual([expect.stringMatching(/frames are damaged at byte/)]);
    await scrubber.pass(12 * HOUR_MS);
    expect(scrubber.told).toHaveLength(1);
    await scrubber.stop();
  });

  test('damage of later is found by a pass within the next 12 hours', async () => {
    const scrubber = start(journal);
    await scrubber.pass(5 * MINUTE_MS);
    expect(scrubber.told).toEqual([]);
    await damage('event-3');
    await scrubber.pass(12 * HOUR_MS);
    expect(journal.damage()).toMatchObject([{ from: 3n, to: 3n }]);
    await scrubber.stop();
  });

  test('a pass that cannot read is told, and the next one is made all the same', async () => {
    let failures = 1;
    const scrub: Journal['scrub'] = (...given) => (failures-- > 0 ? Promise.reject(new Error('EIO')) : journal.scrub(...given));
    const scrubber = start({ scrub, damage: () => journal.damage() });
    await damage('event-3');
    await scrubber.pass(5 * MINUTE_MS);
    await scrubber.pass(12 * HOUR_MS);
    expect(scrubber.told).toEqual(['Error: EIO', expect.stringMatching(/frames are damaged/)]);
    await scrubber.stop();
  });

  test('a stop ends it within a pass, while it rests between two segments', async () => {
    const scrubber = start(journal);
    await clock.someoneSleeps();
    clock.pass(5 * MINUTE_MS);
    await clock.someoneSleeps();
    expect(scrubber.passes()).toBe(0);
    await scrubber.stop();
    expect(scrubber.passes()).toBe(1);
  });
});
