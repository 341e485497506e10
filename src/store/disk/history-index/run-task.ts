/**
 * The work that is done beside the intake: building a run, merging runs. In a worker thread, or here.
 *
 * A worker lives for one task: merging takes a hundred megabytes for some seconds, and a thread that ends gives all of
 * it back.
 */
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../../worker-url.ts';
import { type BuildRun, buildRun } from './build-run.ts';
import { type MergeRuns, mergeRuns } from './merge-runs.ts';
import { RunDamaged } from './run-directory.ts';

export type RunTask = BuildRun | MergeRuns;

/** How a worker says what became of its task. An `Error` loses its class on the way. */
export type RunTaskOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'damaged'; readonly run: string; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** Does a task in this thread. @throws RunDamaged when an input is damaged; Error when the disk refuses. */
export function runTask(task: RunTask): void {
  if (task.kind === 'build') buildRun(task);
  else mergeRuns(task);
}

/** Does a task in a worker thread. @throws as `runTask`. */
export async function runTaskInWorker(task: RunTask): Promise<void> {
  const worker = new Worker(workerUrl('build-run'), { workerData: task });
  try {
    const outcome = await new Promise<RunTaskOutcome>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) =>
        reject(new Error(`the worker that writes history runs ended with code ${code} before its task was done`)),
      );
    });
    if (outcome.kind === 'damaged') throw new RunDamaged(outcome.run, outcome.message);
    if (outcome.kind === 'failed') throw new Error(`a history run cannot be written: ${outcome.message}`);
  } finally {
    await worker.terminate();
  }
}
