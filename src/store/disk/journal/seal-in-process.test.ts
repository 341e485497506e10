/**
 * Sealing in a process of its own, as it is shipped: from `dist/`, so that it needs a build.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { newEvent } from '../../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { openDiskJournal } from './disk-journal.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-seal-'));
afterAll(() => rm(root, { recursive: true }));

const isBuilt = existsSync('dist/seal-segment.process.js');
if (!isBuilt && process.env['SNOWTRAIL_REQUIRE_ALL'] === '1')
  throw new Error('what runs beside the server is not built; run `npm run build`');
if (!isBuilt) console.warn('skipped: what runs beside the server is not built; run `npm run build`');

function openIn(folder: string, problems: Error[]) {
  const chance = seededChance('seal');
  return openDiskJournal({
    folder,
    clock: new ManualClock(0),
    chance,
    segmentBytes: 20_000,
    freshBytes: 0,
    reserveBytes: 0,
    report: (problem) => problems.push(problem),
  });
}

test.runIf(isBuilt)('full segments are sealed by a process of their own, while entries are read and appended', async () => {
  const folder = join(root, 'sealed');
  const problems: Error[] = [];
  const journal = await openIn(folder, problems);
  for (let index = 0; index < 200; index++) {
    await journal.append([newEvent(`${index}`, { text: `${index}`.repeat(100) })]);
    const place = (index * 7) % (index + 1);
    expect((await journal.fetch([BigInt(1 + place)])).map(({ id }) => id)).toEqual([`${place}`]);
  }
  await journal.whenSealed();
  const names = await readdir(folder);
  expect(names.filter((name) => name.endsWith('.log')).length).toBe(1);
  expect(names.filter((name) => name.endsWith('.sealed')).length).toBeGreaterThan(2);
  expect((await journal.read(0n, 1_000)).map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
  expect(await journal.scrub()).toEqual([]);
  expect(problems).toEqual([]);
  await journal.close();
});

test.runIf(isBuilt)('a close in the middle of sealing leaves everything to the next start', async () => {
  const folder = join(root, 'closed');
  const problems: Error[] = [];
  const first = await openIn(folder, problems);
  for (let index = 0; index < 100; index++) await first.append([newEvent(`${index}`, { text: 'x'.repeat(500) })]);
  await first.close();
  const second = await openIn(folder, problems);
  expect((await second.read(0n, 1_000)).length).toBe(100);
  await second.whenSealed();
  expect((await second.read(0n, 1_000)).length).toBe(100);
  expect(problems).toEqual([]);
  await second.close();
});

test.runIf(isBuilt && process.platform === 'linux')(
  'a sealing process that is killed (F04) is reported, and its segment is sealed with the next one',
  async () => {
    const folder = join(root, 'killed');
    const problems: Error[] = [];
    const journal = await openIn(folder, problems);
    const append = (index: number) => journal.append([newEvent(`${index}`, { text: 'x'.repeat(500) })]);
    let count = 0;
    let killed = 0;
    while (killed === 0) {
      await append(count++);
      for (const pid of childrenOfThis()) killed = process.kill(pid, 'SIGKILL') ? pid : 0;
    }
    await journal.whenSealed();
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('ended with SIGKILL before its task was done')]);
    for (let more = 0; more < 40; more++) await append(count++);
    await journal.whenSealed();
    expect(problems.length).toBe(1);
    const names = await readdir(folder);
    expect(names.filter((name) => name.endsWith('.log')).length).toBe(1);
    expect((await journal.read(0n, 1_000)).map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
    expect(await journal.scrub()).toEqual([]);
    await journal.close();
  },
);

function childrenOfThis(): number[] {
  return readdirSync('/proc/self/task')
    .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
    .filter((pid) => pid !== '')
    .map(Number);
}
