/**
 * Prints how long an event waits for its acknowledgement at 2,000 events/s, as a multiple of a 4 KiB `fdatasync`.
 *
 * Run: `npm run build && node bench/run.mjs acknowledge [seconds, default 20]`.
 * Input: requests of 10 synthetic records each, due every 5 ms, over signed HTTP to the built server with a trail. A time
 * is measured from when the request was due, so that a stall counts for all that it delays. The same rate for 15 seconds
 * comes before, unmeasured: so long the compiler takes a good part of a core.
 * Noise: the reference is measured in the same seconds on the same file system; both at p50 and p99.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { loadText, quantile, RecordSource, startMeasured, submitAll } from './measured-server.ts';

const EVENTS_PER_SECOND = 2_000;
const BATCH = 10;
const WARM_UP_S = 15;
const EVERY_MS = (1_000 * BATCH) / EVENTS_PER_SECOND;
const seconds = Number(process.argv[2] ?? 20);

const records = new RecordSource();
const { client, server, end } = await startMeasured({ flushInterval: '5s' });
try {
  await submitAll(client, records.document(BATCH));
  await sendFor(WARM_UP_S);
  const ending = new AbortController();
  const syncing = syncTimes(server.dataDir, ending.signal);
  const from = performance.now();
  const times = await sendFor(seconds);
  const rate = (times.length * BATCH) / ((performance.now() - from) / 1_000);
  ending.abort();
  const syncs = await syncing;
  const [p50, p99, sync50, sync99] = [quantile(times, 0.5), quantile(times, 0.99), quantile(syncs, 0.5), quantile(syncs, 0.99)];
  console.log(
    `acknowledge: p99 ${p99.toFixed(1)} ms, ${(p99 / sync99).toFixed(1)} times a 4 KiB fdatasync (p50 ${p50.toFixed(1)} ms; fdatasync p50 ${sync50.toFixed(2)}, p99 ${sync99.toFixed(2)} ms; ` +
      `${Math.round(rate)} events/s of ${Math.round(records.meanBytes)} bytes in requests of ${BATCH}, ${times.length} requests, ${syncs.length} syncs, ${loadText()})`,
  );
} finally {
  await end();
}

/** Sends at the rate, and waits for all answers. @returns how long each took from when it was due, in milliseconds. */
async function sendFor(durationS: number): Promise<number[]> {
  const times: number[] = [];
  const underWay: Promise<void>[] = [];
  const from = performance.now();
  for (let index = 0; index < Math.round((durationS * 1_000) / EVERY_MS); index++) {
    const dueMs = from + index * EVERY_MS;
    while (performance.now() < dueMs) await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
    underWay.push(submitAll(client, records.document(BATCH)).then(() => void times.push(performance.now() - dueMs)));
  }
  await Promise.all(underWay);
  return times;
}

/** Times of 4 KiB written and synced, one every 20 ms, in milliseconds. */
async function syncTimes(folder: string, signal: AbortSignal): Promise<number[]> {
  const file = await open(join(folder, 'bench-sync'), 'w');
  const times: number[] = [];
  try {
    while (!signal.aborted) {
      const from = performance.now();
      await file.write(Buffer.alloc(4_096));
      await file.datasync();
      times.push(performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await file.close();
  }
  return times;
}
