/**
 * The worker thread that writes and merges history runs: one task, given as its worker data, then it ends.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { RunDamaged } from './run-directory.ts';
import { type RunTaskOutcome, runTask } from './run-task.ts';

parentPort!.postMessage(outcomeOf());

function outcomeOf(): RunTaskOutcome {
  try {
    runTask(workerData);
    return { kind: 'done' };
  } catch (error) {
    if (error instanceof RunDamaged) return { kind: 'damaged', run: error.run, message: error.reason };
    return { kind: 'failed', message: error instanceof Error ? error.message : String(error) };
  }
}
