import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeJournal } from '../../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import type { AccountId, Region } from '../../../event/types.ts';
import { type Files, nodeFiles } from '../files.ts';
import { type DiskJournalOptions, openDiskJournal } from './disk-journal.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

describeJournal('disk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'snowtrail-journal-'));
  folders.push(root);
  return await openRig(nodeFiles, join(root, 'journal'), {});
});

describeJournal('disk, with small segments and nothing kept in memory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'snowtrail-journal-'));
  folders.push(root);
  return await openRig(nodeFiles, join(root, 'journal'), { segmentBytes: 300, freshBytes: 0, cacheBytes: 0, sealing: 'in-place' });
});

describeJournal('disk over simulated files', async () => openRig(new SimulatedFiles({ seed: 1 }), '/journal', {}));

describeJournal('disk over simulated files, with small segments', async () =>
  openRig(new SimulatedFiles({ seed: 1 }), '/journal', { segmentBytes: 1_000, freshBytes: 0 }),
);

test('a journal with more small entries in its open segment than a call can have arguments is opened again', {
  timeout: 60_000,
}, async () => {
  const { journal, reopen } = await openRig(new SimulatedFiles({ seed: 1 }), '/journal', {});
  const place = { account: '111122223333' as AccountId, region: 'eu-central-1' as Region, receivedAtMs: 1 };
  const bytes = new Uint8Array(1);
  for (let first = 0; first < 150_000; first += 10_000)
    await journal.append(
      Array.from({ length: 10_000 }, (_, at) => ({
        kind: 'fact' as const,
        factKind: 'loss' as const,
        factId: `${first + at}`,
        ...place,
        bytes,
      })),
    );
  const again = await reopen();
  expect(again.head()).toBe(150_000n);
  await again.close();
});

/** A journal whose disk can be made full or broken while it is in use. */
async function openRig(files: Files, folder: string, more: Partial<DiskJournalOptions>) {
  let state: 'ok' | 'full' | 'failed' = 'ok';
  const breakable: Files = {
    ...bound(files),
    async open(path, mode) {
      const file = await files.open(path, mode);
      return {
        read: (into, position) => file.read(into, position),
        write: async (parts, position) => {
          if (state === 'failed') throw Object.assign(new Error('EIO: write'), { code: 'EIO' });
          return await file.write(parts, position);
        },
        truncate: (size) => file.truncate(size),
        datasync: () => file.datasync(),
        sizeBytes: () => file.sizeBytes(),
        close: () => file.close(),
      };
    },
    async space(path) {
      const space = await files.space(path);
      return state === 'full' ? { ...space, freeBytes: 0 } : space;
    },
  };
  const clock = new ManualClock(0);
  const open = (seed: string) =>
    openDiskJournal({ folder, files: breakable, clock, chance: seededChance(seed), reserveBytes: 1, sealing: 'in-place', ...more });
  const journal = await open('first');
  return {
    journal,
    keepsFresh: more.freshBytes !== 0,
    reopen: async () => {
      await journal.close();
      return await open('second');
    },
    pretend: (wanted: 'ok' | 'full' | 'failed') => {
      state = wanted;
      // Free space is asked for once a second.
      clock.pass(1_000);
    },
  };
}

function bound(files: Files): Files {
  return {
    makeFolder: (path) => files.makeFolder(path),
    list: (folder) => files.list(folder),
    open: (path, mode) => files.open(path, mode),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncFolder: (path) => files.syncFolder(path),
    space: (path) => files.space(path),
  };
}
