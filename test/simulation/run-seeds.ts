/**
 * Runs every second seed of the simulation: two files of tests share the seeds, so that two cores do.
 *
 * `SNOWTRAIL_SEED=123` runs that seed alone, in the file whose turn it is. The seeds are 0 and up in every run; how many, and where
 * a sweep goes on, `sweep.ts` says.
 */
import { expect } from 'vitest';
import { IS_SWEEP, sweepSteps } from '../support/sweep.ts';
import { runSeed } from './run-seed.ts';

/** Of both files together. */
const SEEDS = IS_SWEEP ? 10_000 : 200;
/** What a file may take. */
export const SEEDS_MS_MAX = IS_SWEEP ? 6 * 3_600_000 : 600_000;
/** Fewer may have nothing in them by chance. */
const TOLD_MIN = 40;
const ONLY_SEED = process.env['SNOWTRAIL_SEED'];

/** @throws Error of the first seed that breaks a promise: it names the seed. */
export async function runSeeds(which: 'even' | 'odd'): Promise<void> {
  const offset = which === 'even' ? 0 : 1;
  const totals = { seeds: 0, entries: 0, acknowledged: 0, delivered: 0, aggregated: 0, digests: 0, checkpoints: 0, lives: 0 };
  for (const seed of seedsOf(which, offset, totals)) {
    const outcome = { ...(await runSeed({ seed })), seeds: 1 };
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += outcome[name];
  }
  const { seeds: count, ...total } = totals;
  console.log(`simulation: ${count} ${which} seeds: ${JSON.stringify(total)}`);
  // A program that does nothing would keep every promise.
  if (count < TOLD_MIN) return;
  for (const amount of Object.values(total)) expect(amount / count).toBeGreaterThan(3);
  expect(total.acknowledged / count).toBeGreaterThan(40);
}

function* seedsOf(which: 'even' | 'odd', offset: number, totals: Record<string, number>): Generator<number> {
  if (ONLY_SEED === undefined)
    for (const { index } of sweepSteps(`simulation-${which}`, SEEDS / 2, { seed: 0, totals })) yield 2 * index + offset;
  else if (Number(ONLY_SEED) % 2 === offset) yield Number(ONLY_SEED);
}
