/**
 * A thread that inspects files: takes a list of them, answers with their facts in the same order.
 */
import { parentPort } from 'node:worker_threads';
import { type InspectMessage, inspectFile } from './inspect-file.ts';

parentPort?.on('message', ({ bytes, files }: InspectMessage) => {
  parentPort?.postMessage(files.map(({ kind, from, to }) => inspectFile({ kind, bytes: bytes.subarray(from, to) })));
});
