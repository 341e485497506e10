/**
 * How much of a fault test runs: some of it always, all of it in a sweep (`SNOWTRAIL_SWEEP=1`, `npm run test:faults`).
 *
 * `SNOWTRAIL_SEED` repeats a run. With `SNOWTRAIL_PROGRESS=FOLDER` each part of a sweep notes there how far it has come, and goes on
 * there when it is run again: with the same seed, after its last step that passed. reliability.md §3, "Test time".
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether everything is to run, however long it takes. */
export const IS_SWEEP = process.env['SNOWTRAIL_SWEEP'] === '1';

/** A long part says this often how far it is. */
const TOLD_EVERY_MS = 30_000;

/** One step of a part. */
export interface SweepStep {
  /** From 0. */
  readonly index: number;
  /** Follows from the part's seed, its name and the index alone; a whole number below 2³². */
  readonly seed: number;
}

/** How a part of a sweep is run. */
export interface SweepOptions {
  /** Of a part that is the same in every run; absent: one by chance. */
  readonly seed?: number;
  /** A check follows every so many steps, and after the last: only then the steps before it count as done. */
  readonly checkedEvery?: number;
  /** What the part counts over all its steps, also over those of earlier runs: what was noted of them is put in at the beginning. */
  readonly totals?: Record<string, number>;
}

/**
 * The steps of a part that are still to be done. A step counts as done when the next one is asked for; one that throws is not done.
 * Tells how far it is, and the seed.
 * @param name of the part, of letters, digits and hyphens.
 */
export function* sweepSteps(name: string, amount: number, options: SweepOptions = {}): Generator<SweepStep> {
  const { seed: fixedSeed, checkedEvery = 1, totals = {} } = options;
  const progress = readProgress(name);
  Object.assign(totals, progress?.totals);
  const seed = fixedSeed ?? progress?.seed ?? Number(process.env['SNOWTRAIL_SEED'] ?? Date.now() % 1_000_000);
  const first = Math.min(progress?.done ?? 0, amount);
  const told = fixedSeed === undefined ? `, SNOWTRAIL_SEED=${seed}` : '';
  console.log(`${name}: ${first} of ${amount}${told}`);
  const startMs = performance.now();
  for (let index = first, toldMs = startMs; index < amount; index++) {
    yield { index, seed: stepSeed(seed, name, index) };
    if ((index + 1) % checkedEvery === 0 || index + 1 === amount) writeProgress(name, { seed, done: index + 1, totals });
    if (performance.now() - toldMs < TOLD_EVERY_MS) continue;
    toldMs = performance.now();
    console.log(`${name}: ${index + 1} of ${amount} after ${Math.round((toldMs - startMs) / 1_000)} s${told}`);
  }
}

function stepSeed(seed: number, name: string, index: number): number {
  return createHash('sha256').update(`${seed}/${name}/${index}`).digest().readUInt32BE();
}

interface Progress {
  readonly seed: number;
  /** Steps that passed. */
  readonly done: number;
  /** What was counted in them. */
  readonly totals: Readonly<Record<string, number>>;
}

const folder = process.env['SNOWTRAIL_PROGRESS'];

function readProgress(name: string): Progress | undefined {
  if (folder === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Progress;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all: a sweep may be ended at any moment. */
function writeProgress(name: string, progress: Progress): void {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.json`);
  writeFileSync(`${path}.new`, `${JSON.stringify(progress)}\n`);
  renameSync(`${path}.new`, path);
}
