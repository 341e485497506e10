/**
 * Seals a segment in a worker thread, so that compressing doesn't hold up appends.
 */
import { Worker } from 'node:worker_threads';
import { workerUrl } from '../../worker-url.ts';
import type { SealTask } from './seal-segment.ts';

/** What the worker answers: nothing, or why it failed. */
export interface SealOutcome {
  readonly problem?: string;
}

/** As `sealSegment` over the system's files. Ends early, with an error, when `signal` aborts. */
export async function sealInWorker(task: SealTask, signal: AbortSignal): Promise<void> {
  const worker = new Worker(workerUrl('seal-segment'), { workerData: task });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const outcome = await new Promise<SealOutcome>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the sealing worker ended with ${code} before it was done`)));
    });
    if (outcome.problem !== undefined) throw new Error(outcome.problem);
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
