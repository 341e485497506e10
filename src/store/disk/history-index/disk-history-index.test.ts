/**
 * What the index on disk does with crashes, damage and workers. Its answers are compared with the memory index in
 * `test/stores/history-index.test.ts`.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../../../event/types.ts';
import { HistoryDamaged, type HistoryIndex, type HistoryQuery, type HistoryRow, type HistoryScope } from '../../history-index.ts';
import { type DiskHistoryIndex, openDiskHistoryIndex } from './disk-history-index.ts';

const root = mkdtempSync(join(tmpdir(), 'snowtrail-history-'));
const termKey = Uint8Array.from({ length: 32 }, (_, at) => at * 7);
const scope: HistoryScope = { account: '111122223333' as AccountId, region: 'eu-central-1' as Region, category: 'management' };
const TABLE = 100;
let folders = 0;

function newFolder(): string {
  folders += 1;
  return join(root, String(folders));
}

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Row `sequence`: one second after the one before, with an id of its own and one of three names. */
function rowAt(sequence: number): HistoryRow {
  return {
    scope,
    sequence: BigInt(sequence),
    timeMs: 1_700_000_000_000 + sequence * 1000,
    terms: [
      { attribute: 'EventId', value: `id-${sequence}` },
      { attribute: 'EventName', value: `Name${sequence % 3}` },
    ],
  };
}

/** The rows of the sequences after `after` up to `to`. */
function rows(after: number, to: number): HistoryRow[] {
  return Array.from({ length: to - after }, (_, at) => rowAt(after + 1 + at));
}

const everything: HistoryQuery = { scopes: [scope], terms: [], fromMs: 0, toMs: 2 ** 42, sequenceMax: 2n ** 40n, limit: 10_000 };

async function found(index: HistoryIndex, query: Partial<HistoryQuery> = {}): Promise<number[]> {
  return (await index.query({ ...everything, ...query })).map((position) => Number(position.sequence));
}

const descending = (to: number, after = 0): number[] => Array.from({ length: to - after }, (_, at) => to - at);

function open(
  folder: string,
  change: { workers?: boolean; termKey?: Uint8Array; report?: (problem: Error) => void } = {},
): Promise<DiskHistoryIndex> {
  return openDiskHistoryIndex({ folder, termKey, workers: false, tableRows: TABLE, ...change });
}

/** An index of `to` rows whose full tables are runs, closed again. */
async function written(to: number): Promise<string> {
  const folder = newFolder();
  const index = await open(folder);
  await index.add(rows(0, to), BigInt(to));
  await index.settle();
  await index.close();
  return folder;
}

const runFiles = (folder: string): string[] => readdirSync(folder).sort();
const name = (after: number, to: number): string => `run-${String(after).padStart(16, '0')}-${String(to).padStart(16, '0')}`;

/** What the follower does: gives the journal's entries again from where the index says. */
async function rebuild(index: HistoryIndex, head: number): Promise<void> {
  for (let at = Number(index.coveredTo()); at < head; at = Number(index.coveredTo())) {
    await index.add(rows(at, Math.min(head, at + 37)), BigInt(Math.min(head, at + 37)));
  }
}

describe('runs', () => {
  test('eight tables become one run, four of those the next, and the rest is replayed after a restart', async () => {
    const folder = newFolder();
    const index = await open(folder);
    await index.add(rows(0, 3450), 3450n);
    await index.settle();
    expect(index.runRows()).toEqual([3200, 100, 100]);
    expect(await found(index)).toEqual(descending(3450));
    await index.close();
    const again = await open(folder);
    expect(again.coveredTo()).toBe(3400n);
    expect(await found(again)).toEqual(descending(3400));
    await rebuild(again, 3450);
    expect(await found(again)).toEqual(descending(3450));
    expect(await found(again, { terms: [{ attribute: 'EventId', value: 'id-1234' }] })).toEqual([1234]);
    await again.close();
  });

  test('a look-up that meets a long list seeks to the time asked for, in both orders', async () => {
    const index = await open(await written(3200));
    const terms = [{ attribute: 'EventName' as const, value: 'Name1' }];
    const toMs = rowAt(1501).timeMs;
    expect(await found(index, { terms, toMs, limit: 3 })).toEqual([1501, 1498, 1495]);
    expect(await found(index, { terms, fromMs: toMs, order: 'oldest', limit: 3 })).toEqual([1501, 1504, 1507]);
    expect(await found(index, { terms: [...terms, { attribute: 'EventId', value: 'id-1501' }] })).toEqual([1501]);
    expect(await found(index, { terms: [...terms, { attribute: 'EventId', value: 'id-1502' }] })).toEqual([]);
    await index.close();
  });

  test('a token from before a merge goes on after it', async () => {
    const index = await open(newFolder());
    await index.add(rows(0, 750), 750n);
    await index.settle();
    expect(index.runRows()).toEqual([100, 100, 100, 100, 100, 100, 100]);
    const after = (await index.query({ ...everything, limit: 120 })).at(-1)!;
    await index.add(rows(750, 850), 850n);
    await index.settle();
    expect(index.runRows()).toEqual([800]);
    expect(await found(index, { after, sequenceMax: 750n })).toEqual(descending(630));
    await index.close();
  });

  test('a run of more than 65,536 rows finds every one of them', async () => {
    const folder = newFolder();
    const index = await openDiskHistoryIndex({ folder, termKey, workers: false, tableRows: 20_000 });
    for (let at = 0; at < 160_000; at += 20_000) await index.add(rows(at, at + 20_000), BigInt(at + 20_000));
    await index.settle();
    expect(index.runRows()).toEqual([160_000]);
    for (let sequence = 1; sequence <= 160_000; sequence += 997) {
      expect(await found(index, { terms: [{ attribute: 'EventId', value: `id-${sequence}` }] })).toEqual([sequence]);
    }
    expect(await found(index, { terms: [{ attribute: 'EventName', value: 'Name1' }], limit: 2 })).toEqual([160_000, 159_997]);
    expect(await found(index, { terms: [{ attribute: 'EventName', value: 'Name1' }], limit: 2, toMs: rowAt(70_000).timeMs })).toEqual([
      70_000, 69_997,
    ]);
    expect(await found(index, { limit: 3, order: 'oldest', fromMs: rowAt(66_000).timeMs })).toEqual([66_000, 66_001, 66_002]);
    await index.close();
  });

  test('expired runs are emptied, and stay covered after a restart', async () => {
    const folder = await written(1000);
    const index = await open(folder);
    await index.expire(rowAt(950).timeMs);
    await index.settle();
    expect(index.runRows()).toEqual([0, 0, 100]);
    expect(runFiles(folder)).toEqual([`${name(0, 800)}.dir`, `${name(800, 900)}.dir`, `${name(900, 1000)}.data`, `${name(900, 1000)}.dir`]);
    expect(await found(index)).toEqual(descending(1000, 949));
    await index.close();
    const again = await open(folder);
    expect(again.coveredTo()).toBe(1000n);
    expect(again.dropped()).toEqual([]);
    await again.close();
  });

  test('a worker thread writes and merges the same runs', async () => {
    await bundleWorker();
    const folder = newFolder();
    const index = await open(folder, { workers: true });
    await index.add(rows(0, 850), 850n);
    expect(await found(index)).toEqual(descending(850));
    await index.settle();
    expect(index.runRows()).toEqual([800]);
    expect(await found(index)).toEqual(descending(850));
    await index.close();
    const here = await written(850);
    expect(runFiles(folder)).toEqual(runFiles(here));
    for (const file of runFiles(folder)) expect(readFileSync(join(folder, file)).equals(readFileSync(join(here, file)))).toBe(true);
  });
});

describe('an index that keeps its files', () => {
  const contents = (folder: string) => runFiles(folder).map((file) => [file, readFileSync(join(folder, file)).toString('hex')]);

  test('answers from rows in memory, two tables of them beyond what is on disk, and the folder stays as it is', async () => {
    const folder = await written(750);
    const before = contents(folder);
    const index = await open(folder);
    index.keepFiles();
    await rebuild(index, 899);
    await index.expire(rowAt(201).timeMs);
    await index.settle();
    expect(await found(index)).toEqual(descending(899, 200));
    await expect(index.add(rows(899, 950), 950n)).rejects.toThrow('history is only read');
    expect([index.coveredTo(), (await found(index)).length]).toEqual([900n, 700]);
    await index.close();
    expect(contents(folder)).toEqual(before);
    const again = await open(folder);
    expect(again.coveredTo()).toBe(700n);
    await again.close();
  });

  test('makes a part anew in memory alone', async () => {
    const folder = await written(300);
    const before = contents(folder);
    const index = await open(folder);
    index.keepFiles();
    await index.forget(120n, 140n);
    expect(index.coveredTo()).toBe(100n);
    await rebuild(index, 350);
    expect(await found(index)).toEqual(descending(350));
    await index.close();
    expect(contents(folder)).toEqual(before);
  });
});

describe('crashes', () => {
  test('a run without its directory, and a directory that was not renamed yet, are deleted at start', async () => {
    const folder = await written(250);
    writeFileSync(join(folder, `${name(200, 300)}.data`), 'half a run');
    writeFileSync(join(folder, `${name(200, 300)}.dir.new`), 'half a directory');
    const index = await open(folder);
    expect(index.coveredTo()).toBe(200n);
    expect(index.dropped()).toEqual([]);
    expect(runFiles(folder)).toEqual([`${name(0, 100)}.data`, `${name(0, 100)}.dir`, `${name(100, 200)}.data`, `${name(100, 200)}.dir`]);
    await index.close();
  });

  test('the inputs of a merge that was finished just before the crash are deleted, also when some are gone already', async () => {
    const inputs = await written(700);
    const folder = await written(800);
    for (const file of runFiles(inputs).filter((file) => !file.startsWith(name(100, 200))))
      copyFileSync(join(inputs, file), join(folder, file));
    const index = await open(folder);
    expect(index.dropped()).toEqual([]);
    expect(index.runRows()).toEqual([800]);
    expect(await found(index)).toEqual(descending(800));
    expect(runFiles(folder)).toEqual([`${name(0, 800)}.data`, `${name(0, 800)}.dir`]);
    await index.close();
  });

  test('a damaged merge whose inputs are still there gives way to them', async () => {
    const folder = await written(700);
    const merged = await written(800);
    for (const ending of ['data', 'dir'])
      copyFileSync(join(merged, `${name(0, 800)}.${ending}`), join(folder, `${name(0, 800)}.${ending}`));
    flipByte(join(folder, `${name(0, 800)}.dir`), 100);
    const index = await open(folder);
    expect(index.coveredTo()).toBe(700n);
    expect(await found(index)).toEqual(descending(700));
    await index.close();
  });
});

describe('damage', () => {
  for (const [what, damage] of Object.entries<(folder: string) => void>({
    'its directory is gone': (folder) => unlinkSync(join(folder, `${name(800, 900)}.dir`)),
    'its directory has a flipped bit': (folder) => flipByte(join(folder, `${name(800, 900)}.dir`), 300),
    'its directory was cut': (folder) => truncateSync(join(folder, `${name(800, 900)}.dir`), 11),
    'its data is gone': (folder) => unlinkSync(join(folder, `${name(800, 900)}.data`)),
    'its data was cut': (folder) => truncateSync(join(folder, `${name(800, 900)}.data`), 500),
  })) {
    test(`a run in the middle is rebuilt from the journal when ${what}`, async () => {
      const folder = await written(1050);
      damage(folder);
      const index = await open(folder);
      expect(index.coveredTo()).toBe(800n);
      expect(await found(index)).toEqual([...descending(1000, 900), ...descending(800)]);
      // Only the hole is filled: what follows is covered again at once.
      await index.add(rows(800, 870), 870n);
      expect(index.coveredTo()).toBe(870n);
      await index.add(rows(870, 940), 940n);
      expect(index.coveredTo()).toBe(1000n);
      await rebuild(index, 1050);
      await index.settle();
      expect(await found(index)).toEqual(descending(1050));
      expect(index.runRows()).toEqual([800, 100, 100]);
      await index.close();
      const again = await open(folder);
      expect(again.coveredTo()).toBe(1000n);
      expect(again.dropped()).toEqual([]);
      await again.close();
    });
  }

  test('every flipped byte of the data is found before anything is answered from it', async () => {
    const folder = await written(100);
    const path = join(folder, `${name(0, 100)}.data`);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 15)) {
      flipByte(path, at);
      const index = await open(folder);
      await expect(index.query(everything)).rejects.toThrow(HistoryDamaged);
      expect(index.coveredTo()).toBe(0n);
      await rebuild(index, 100);
      expect(await found(index)).toEqual(descending(100));
      await index.close();
      writeFileSync(path, whole);
      copyFileSync(join(await written(100), `${name(0, 100)}.dir`), join(folder, `${name(0, 100)}.dir`));
    }
  });

  test('damage found by a query while new rows wait in the table: the hole is filled, nothing is lost or doubled', async () => {
    const folder = await written(1000);
    flipByte(join(folder, `${name(900, 1000)}.data`), 5);
    flipByte(join(folder, `${name(0, 800)}.data`), 5);
    const index = await open(folder);
    await index.add(rows(1000, 1042), 1042n);
    await expect(index.query(everything)).rejects.toThrow(/run-0000000000000900.*fails its CRC-32/);
    expect(index.coveredTo()).toBe(900n);
    await expect(index.query(everything)).rejects.toThrow(/run-0000000000000000/);
    expect(index.coveredTo()).toBe(0n);
    expect(index.dropped().map(({ after, to }) => [after, to])).toEqual([
      [900n, 1000n],
      [0n, 800n],
    ]);
    await rebuild(index, 1060);
    expect(index.coveredTo()).toBe(1060n);
    expect(await found(index)).toEqual(descending(1060));
    await index.close();
    expect(existsSync(join(folder, `${name(800, 900)}.dir`))).toBe(true);
  });

  test('a merge that fails is told, hides nothing, and is done with the next table', async () => {
    const folder = newFolder();
    const problems: Error[] = [];
    const index = await open(folder, { report: (problem) => problems.push(problem) });
    const inTheWay = join(folder, `${name(0, 800)}.data`);
    mkdirSync(inTheWay);
    await index.add(rows(0, 800), 800n);
    await index.settle();
    expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('history runs are not merged')]);
    expect(await found(index)).toEqual(descending(800));
    rmdirSync(inTheWay);
    await index.add(rows(800, 900), 900n);
    await index.settle();
    expect(index.runRows()).toEqual([800, 100]);
    expect(await found(index)).toEqual(descending(900));
    expect(problems.length).toBe(1);
    await index.close();
  });

  test('damage found by a merge drops the damaged run and leaves the others', async () => {
    const folder = await written(700);
    flipByte(join(folder, `${name(300, 400)}.data`), 5);
    const index = await open(folder);
    await index.add(rows(700, 801), 801n);
    await index.settle();
    expect(index.dropped().map((dropped) => dropped.run)).toEqual([name(300, 400)]);
    expect(index.coveredTo()).toBe(300n);
    await rebuild(index, 801);
    expect(await found(index)).toEqual(descending(801));
    await index.close();
  });

  test('runs of another term key are dropped, as no term would be found in them', async () => {
    const folder = await written(200);
    const index = await open(folder, { termKey: new Uint8Array(32) });
    expect(index.coveredTo()).toBe(0n);
    expect(index.dropped()).toHaveLength(2);
    await index.close();
  });
});

describe('a disk that refuses', () => {
  test('a full table stays in memory and visible; the rows that found no room come again', async () => {
    const folder = newFolder();
    const index = await open(folder);
    rmSync(folder, { recursive: true });
    await expect(index.add(rows(0, 350), 350n)).rejects.toThrow(/ENOENT/);
    expect(index.coveredTo()).toBe(200n);
    expect(await found(index)).toEqual(descending(200));
    await rebuildFolder(folder);
    await index.add(rows(200, 350), 350n);
    await index.settle();
    expect(await found(index)).toEqual(descending(350));
    expect(index.runRows()).toEqual([100, 100, 100]);
    await index.close();
  });
});

async function rebuildFolder(folder: string): Promise<void> {
  const other = await open(folder);
  await other.close();
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at % statSync(path).size]! ^= 0x10;
  writeFileSync(path, bytes);
}

/** The worker and the process as `npm run build` bundles them, from the present source. */
async function bundleWorker(): Promise<void> {
  await build({
    entryPoints: ['build-run.worker', 'merge-runs.process'].map((name) => `src/store/disk/history-index/${name}.ts`),
    outdir: 'dist',
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
}
