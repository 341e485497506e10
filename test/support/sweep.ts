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

/**
 * The steps of a part that are still to be done. A step counts as done when the next one is asked for; one that throws is not done.
 * Tells how far it is, and the seed.
 * @param name of the part, of letters, digits and hyphens.
 * @param fixedSeed of a part that is the same in every run; absent: one by chance.
 */
export function* sweepSteps(name: string, amount: number, fixedSeed?: number): Generator<SweepStep> {
  const progress = readProgress(name);
  const seed = fixedSeed ?? progress?.seed ?? Number(process.env['SNOWTRAIL_SEED'] ?? Date.now() % 1_000_000);
  const first = Math.min(progress?.done ?? 0, amount);
  const told = fixedSeed === undefined ? `, SNOWTRAIL_SEED=${seed}` : '';
  console.log(`${name}: ${first} of ${amount}${told}`);
  const startMs = performance.now();
  for (let index = first, toldMs = startMs; index < amount; index++) {
    yield { index, seed: stepSeed(seed, name, index) };
    writeProgress(name, { seed, done: index + 1 });
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
