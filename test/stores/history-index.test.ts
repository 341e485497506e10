/**
 * The contract of history indexes over memory and disk, and that the one on disk equals the one that looks at every row.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../../src/event/types.ts';
import { type DiskHistoryIndex, openDiskHistoryIndex } from '../../src/store/disk/history-index/disk-history-index.ts';
import type { HistoryAttribute, HistoryQuery, HistoryRow, HistoryScope } from '../../src/store/history-index.ts';
import { createMemoryHistoryIndex } from '../../src/store/memory/history-index.ts';
import { historyIndexContract } from './history-index.contract.ts';

const root = mkdtempSync(join(tmpdir(), 'snowtrail-history-'));
const termKey = new Uint8Array(32).fill(7);
let folders = 0;

function newFolder(): string {
  folders += 1;
  return join(root, String(folders));
}

afterAll(() => rmSync(root, { recursive: true, force: true }));

historyIndexContract('memory', async () => createMemoryHistoryIndex());
historyIndexContract('disk, all in one table', () => openDiskHistoryIndex({ folder: newFolder(), termKey, workers: false }));
historyIndexContract('disk, a run for each row', () =>
  openDiskHistoryIndex({ folder: newFolder(), termKey, workers: false, tableRows: 1 }),
);
historyIndexContract('disk, a run for each three rows', () =>
  openDiskHistoryIndex({ folder: newFolder(), termKey, workers: false, tableRows: 3 }),
);

const scopes: readonly HistoryScope[] = ['us-east-1', 'eu-west-1', 'eu-central-1'].flatMap((region) =>
  (['management', 'data'] as const).map((category) => ({ account: '111122223333' as AccountId, region: region as Region, category })),
);
const values: Readonly<Partial<Record<HistoryAttribute, readonly string[]>>> = {
  EventName: ['A', 'B', 'C'],
  ReadOnly: ['true', 'false'],
  ResourceName: ['r1', 'r2', 'r3', 'r4', 'r5', 'r6'],
};

const anyTerm = fc
  .constantFrom<HistoryAttribute>('EventName', 'ReadOnly', 'ResourceName')
  .chain((attribute) => fc.constantFrom(...values[attribute]!).map((value) => ({ attribute, value })));
// Few times, some far off: many rows share one, and late rows fall between old ones.
const anyTime = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }).map((at) => 1_700_000_000_000 + at * 1000) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 41 }) },
);
const anyRow = fc.record({
  scope: fc.constantFrom(...scopes),
  timeMs: anyTime,
  step: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: 5_000_000 }) }),
  terms: fc.array(anyTerm, { maxLength: 4 }),
});
const anyQuery = fc.record({
  scopes: fc.subarray([...scopes], { minLength: 1 }),
  terms: fc.array(anyTerm, { maxLength: 3 }),
  bounds: fc.tuple(anyTime, anyTime),
  isBounded: fc.boolean(),
  order: fc.constantFrom('newest' as const, 'oldest' as const),
  limit: fc.integer({ min: 1, max: 60 }),
  sequenceShare: fc.double({ min: 0, max: 1, noNaN: true }),
});
const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), rows: fc.array(anyRow, { maxLength: 60 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('query' as const), query: anyQuery }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), before: anyTime }) },
);

describe('the index on disk', () => {
  test('gives what looking at every row gives, across runs, merges, restarts and pages', async () => {
    let queries = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 12, maxLength: 40 }), fc.constantFrom(1, 7, 64, 300), async (steps, tableRows) => {
        const folder = newFolder();
        const open = (): Promise<DiskHistoryIndex> => openDiskHistoryIndex({ folder, termKey, workers: false, tableRows });
        let disk = await open();
        const memory = createMemoryHistoryIndex();
        const given: HistoryRow[] = [];
        let sequence = 0n;
        let floorMs = 0;
        for (const step of steps) {
          if (step.kind === 'add') {
            const rows = step.rows.map(({ scope, timeMs, terms, step: by }): HistoryRow => {
              sequence += BigInt(by);
              return { scope, timeMs, terms, sequence };
            });
            given.push(...rows);
            await disk.add(rows, sequence);
            await memory.add(rows, sequence);
            expect(disk.coveredTo()).toBe(sequence);
          } else if (step.kind === 'restart') {
            await disk.close();
            disk = await open();
            await disk.expire(floorMs);
            await disk.add(
              given.filter((row) => row.sequence > disk.coveredTo()),
              sequence,
            );
          } else if (step.kind === 'settle') {
            await disk.settle();
          } else if (step.kind === 'expire') {
            // Times lie within 40 seconds: the floor mostly takes a part of them.
            floorMs = Math.max(floorMs, step.before);
            await disk.expire(floorMs);
            await memory.expire(floorMs);
          } else {
            const { bounds, isBounded, sequenceShare, ...rest } = step.query;
            const [fromMs, toMs] = isBounded ? [Math.min(...bounds), Math.max(...bounds)] : [0, 2 ** 42];
            const sequenceMax = sequenceShare > 0.5 ? sequence : BigInt(Math.floor(Number(sequence) * sequenceShare * 2));
            for (let after = undefined as HistoryQuery['after'], page = 0; page < 4; page += 1) {
              const query: HistoryQuery = { ...rest, fromMs, toMs, sequenceMax, ...(after === undefined ? {} : { after }) };
              const [found, expected] = [await disk.query(query), await memory.query(query)];
              queries += 1;
              expect(found).toEqual(expected);
              after = expected.at(-1);
              if (after === undefined) break;
            }
          }
        }
        const asText = (scope: HistoryScope): string => JSON.stringify(scope);
        expect(disk.scopes().map(asText).sort()).toEqual(memory.scopes().map(asText).sort());
        await disk.settle();
        expect(disk.dropped()).toEqual([]);
        await disk.close();
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 100 },
    );
    expect(queries).toBeGreaterThan(300);
  }, 180_000);
});
