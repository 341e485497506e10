/**
 * The whole server, simulated: real intake, followers, trails and disk journal, on a clock, chance, files and buckets that
 * the seed decides (reliability.md §3, §7; F01–F06, F10, F13–F17, F19, F23, F24, F28, F29, F33, F34, F37, F40–F43, F45).
 *
 * `SNOWTRAIL_SEED=123` runs that seed alone, `SNOWTRAIL_TRACE=1` tells what happens in it. `SNOWTRAIL_SWEEP=1` runs ten
 * thousand; with `SNOWTRAIL_SEED_FILE=FILE` it goes on after the last seed that the file names.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runSeed } from './run-seed.ts';

const IS_SWEEP = process.env['SNOWTRAIL_SWEEP'] === '1';
const SEEDS = IS_SWEEP ? 10_000 : 40;
const SWEEP_MS_MAX = 6 * 3_600_000;
/** The planted bug must show before this seed. */
const PLANTED_SEEDS_MAX = 100;
const ONLY_SEED = process.env['SNOWTRAIL_SEED'];
const SEED_FILE = process.env['SNOWTRAIL_SEED_FILE'];

/** Seeds to run, in order. */
function seeds(): readonly number[] {
  if (ONLY_SEED !== undefined) return [Number(ONLY_SEED)];
  const first = SEED_FILE !== undefined && existsSync(SEED_FILE) ? Number(readFileSync(SEED_FILE, 'utf8')) + 1 : 0;
  return Array.from({ length: Math.max(0, SEEDS - first) }, (_, index) => first + index);
}

describe('the whole server, simulated', () => {
  test(
    'whatever ends or fails, what was acknowledged is kept, delivered once, signed and explained',
    async () => {
      const total = { entries: 0, acknowledged: 0, delivered: 0, digests: 0, checkpoints: 0, lives: 0 };
      const planned = seeds();
      for (const seed of planned) {
        const outcome = await runSeed({ seed });
        for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += outcome[name];
        if (SEED_FILE !== undefined) writeFileSync(SEED_FILE, `${seed}\n`);
      }
      process.stdout.write(`simulation: ${planned.length} seeds from ${planned[0]}: ${JSON.stringify(total)}\n`);
      // A program that does nothing would keep every promise.
      if (planned.length >= 40) {
        for (const amount of Object.values(total)) expect(amount / planned.length).toBeGreaterThan(3);
        expect(total.acknowledged / planned.length).toBeGreaterThan(40);
      }
    },
    SWEEP_MS_MAX,
  );

  test('a seed decides all that happens: it runs twice in the same way', async () => {
    const [first, second] = [await runSeed({ seed: 7 }), await runSeed({ seed: 7 })];
    expect(second).toEqual(first);
  });

  test('a planted acknowledgement before the sync is found in fewer than a hundred seeds', async () => {
    for (let seed = 0; ; seed++) {
      expect(seed).toBeLessThan(PLANTED_SEEDS_MAX);
      const planted = await runSeed({ seed, unsafeAcknowledgeBeforeSync: true }).then(
        () => undefined,
        (error: Error) => error.message,
      );
      // What it shows is the planted bug alone: without it the seed passes.
      await runSeed({ seed });
      if (planted === undefined) continue;
      expect(planted).toMatch(new RegExp(`^seed ${seed}: .*\\nrepeat it with: SNOWTRAIL_SEED=${seed} `, 's'));
      process.stdout.write(`simulation: the planted bug is found by seed ${seed}\n`);
      return;
    }
  });
});
