/**
 * The worker thread that writes one history run from a table in shared memory, given as its worker data, and then ends.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { outcomeOf } from './run-task.ts';

parentPort!.postMessage(outcomeOf(workerData));
