/**
 * The disk journal answers as the one in memory does, whatever is asked in whatever order, over restarts and seals.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ACCOUNT, newEvent, newFact, OTHER_ACCOUNT, plain } from '../../../../test/stores/journal.contract.ts';
import { ManualClock, seededChance } from '../../../../test/support/manual-clock.ts';
import { SimulatedFiles } from '../../../../test/support/simulated-files.ts';
import type { NewEntry } from '../../journal.ts';
import { createMemoryJournal } from '../../memory/journal.ts';
import { type DiskJournal, openDiskJournal } from './disk-journal.ts';

type Step =
  | { readonly kind: 'append'; readonly batches: readonly (readonly NewEntry[])[] }
  | { readonly kind: 'read'; readonly after: number; readonly limit: number }
  | { readonly kind: 'fetch'; readonly places: readonly number[] }
  | { readonly kind: 'find'; readonly id: string }
  | { readonly kind: 'seal' | 'close' | 'kill' };

// Few ids and few texts: repeats and conflicts are the rule.
const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'ü');
const text = fc.constantFrom('', 'x', 'y'.repeat(300));
const account = fc.constantFrom(ACCOUNT, OTHER_ACCOUNT);
const entry = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ id, text, account, receivedAtMs: fc.nat(2 ** 40) }).map(({ id, ...rest }) => newEvent(id, rest) as NewEntry),
  },
  { weight: 3, arbitrary: fc.uuid().map((uuid) => newEvent(uuid) as NewEntry) },
  { weight: 1, arbitrary: fc.tuple(id, text).map(([id, text]) => newFact(id, text) as NewEntry) },
);
const batch = fc.array(entry, { minLength: 1, maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), batches: fc.array(batch, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), after: fc.nat(60), limit: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fetch' as const), places: fc.array(fc.nat(), { maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('find' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('seal' as const, 'close' as const, 'kill' as const) }) },
);
const sizes = fc.record({
  segmentBytes: fc.constantFrom(400, 2_000, 1_000_000),
  freshBytes: fc.constantFrom(0, 3_000, 1_000_000),
  groupBytes: fc.constantFrom(100, 1_000, 1_000_000),
  cacheBytes: fc.constantFrom(0, 1_000_000),
});

test('every answer is the one of the reference', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(step, { minLength: 5, maxLength: 25 }), async (options, steps) => {
      let files = new SimulatedFiles({ seed: 1 });
      const open = async (): Promise<DiskJournal> =>
        await openDiskJournal({ folder: '/journal', files, clock: new ManualClock(0), chance: seededChance('disk'), ...options });
      const memory = createMemoryJournal({ clock: new ManualClock(0), chance: seededChance('memory') });
      let disk = await open();
      for (const each of steps) {
        switch (each.kind) {
          case 'append': {
            const ours = await Promise.all(each.batches.map((entries) => disk.append(entries)));
            const theirs = await Promise.all(each.batches.map((entries) => memory.append(entries)));
            expect(ours).toEqual(theirs);
            break;
          }
          case 'read': {
            const after = BigInt(each.after);
            expect((await disk.read(after, each.limit)).map(plain)).toEqual((await memory.read(after, each.limit)).map(plain));
            break;
          }
          case 'fetch': {
            if (memory.head() === 0n) break;
            const sequences = each.places.map((place) => BigInt(place % Number(memory.head())) + 1n);
            expect((await disk.fetch(sequences)).map(plain)).toEqual((await memory.fetch(sequences)).map(plain));
            break;
          }
          case 'find':
            expect(await disk.find(ACCOUNT, each.id)).toBe(await memory.find(ACCOUNT, each.id));
            break;
          case 'seal':
            await disk.whenSealed();
            break;
          case 'close':
            await disk.close();
            disk = await open();
            break;
          case 'kill':
            // Everything was acknowledged, so everything is there.
            files.end('power-cut');
            files = files.restart();
            disk = await open();
        }
        expect(disk.head()).toBe(memory.head());
        expect(disk.damage()).toEqual([]);
      }
      await disk.close();
    }),
    { numRuns: 100 },
  );
}, 120_000);
