/**
 * The work that is done beside the intake: building a run, merging runs.
 *
 * A build reads a table that lies in shared memory, so it is done in a worker thread; a merge reads files, and takes a hundred
 * megabytes for some seconds: it has a process of its own. Either lives for one task.
 */
import { Worker } from 'node:worker_threads';
import { builtFile } from '../../built-file.ts';
import { performInProcess } from '../task-process.ts';
import { type BuildRun, buildRun } from './build-run.ts';
import { type MergeRuns, mergeRuns } from './merge-runs.ts';
import { RunDamaged } from './run-directory.ts';

export type RunTask = BuildRun | MergeRuns;

/** What became of a task that was done elsewhere. An `Error` loses its class on the way. */
export type RunTaskOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'damaged'; readonly run: string; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** Does a task in this thread. @throws RunDamaged when an input is damaged; Error when the disk refuses. */
export function runTask(task: RunTask): void {
  if (task.kind === 'build') buildRun(task);
  else mergeRuns(task);
}

/** Does a task in this thread, for somebody elsewhere. */
export function outcomeOf(task: RunTask): RunTaskOutcome {
  try {
    runTask(task);
    return { kind: 'done' };
  } catch (error) {
    if (error instanceof RunDamaged) return { kind: 'damaged', run: error.run, message: error.reason };
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}

/** Does a task beside this thread. A merge ends early, with an error, when `signal` aborts. @throws as `runTask`. */
export async function runTaskBeside(task: RunTask, signal: AbortSignal): Promise<void> {
  const outcome = task.kind === 'build' ? await buildInWorker(task) : await performInProcess<RunTaskOutcome>('merge-runs', task, signal);
  if (outcome.kind === 'damaged') throw new RunDamaged(outcome.run, outcome.message);
  if (outcome.kind === 'failed') throw new Error(`a history run cannot be written: ${outcome.message}`);
}

async function buildInWorker(task: BuildRun): Promise<RunTaskOutcome> {
  const worker = new Worker(builtFile('build-run.worker'), { workerData: task });
  try {
    return await new Promise<RunTaskOutcome>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) =>
        reject(new Error(`the worker that writes history runs ended with code ${code} before its task was done`)),
      );
    });
  } finally {
    await worker.terminate();
  }
}
