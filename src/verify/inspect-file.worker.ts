/**
 * A thread that inspects files: takes a list of them, answers with their facts in the same order.
 */
import { parentPort } from 'node:worker_threads';
import { type FileToInspect, inspectFile } from './inspect-file.ts';

parentPort?.on('message', (files: readonly FileToInspect[]) => {
  parentPort?.postMessage(files.map(inspectFile));
});
