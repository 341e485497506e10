/**
 * The worker thread that seals one segment, given as its worker data, and then ends.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { nodeFiles } from '../files.ts';
import type { SealOutcome } from './seal-in-worker.ts';
import { sealSegment } from './seal-segment.ts';

sealSegment(nodeFiles, workerData).then(
  () => answer({}),
  (error: unknown) => answer({ problem: error instanceof Error ? error.message : String(error) }),
);

function answer(outcome: SealOutcome): void {
  parentPort!.postMessage(outcome);
}
