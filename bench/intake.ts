/**
 * Prints how fast a whole server makes events durable, as a ratio of `JSON.parse` of the same records on one core.
 *
 * Run: `npm run build && node bench/run.mjs intake [seconds, default 10] [connections, default 4]`.
 * Input: batches of 100 synthetic records over signed HTTP from some connections, to the built server with a trail, all
 * followers on. The sender is this process and shares the machine's cores with the server.
 * Noise: the rate of each second is kept; the slowest and the fastest are printed. `JSON.parse` is measured before and after.
 */
import { anonymousMiB } from '../test/support/anonymous-memory.ts';
import {
  BatchSender,
  followerLags,
  loadText,
  processorSeconds,
  quantile,
  RecordSource,
  startMeasured,
  whenCaughtUp,
} from './measured-server.ts';

const BATCH = 100;
const CATCH_UP_MS = 120_000;
const seconds = Number(process.argv[2] ?? 10);
const connections = Number(process.argv[3] ?? 4);

const records = new RecordSource();
const parseBefore = records.parseRate();
const { client, server, startMs, end } = await startMeasured({ flushInterval: '5s' });
try {
  const idleMiB = anonymousMiB(server.pid);
  const perSecond = Array.from({ length: seconds }, () => 0);
  let [sent, peakMiB] = [0, 0];
  const processorBefore = processorSeconds(server.pid);
  const from = performance.now();
  const sampler = setInterval(() => {
    peakMiB = Math.max(peakMiB, anonymousMiB(server.pid));
  }, 250);
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const sender = new BatchSender(client, records, BATCH);
      while (performance.now() - from < seconds * 1_000) {
        await sender.send();
        sent += BATCH;
        const second = Math.floor((performance.now() - from) / 1_000);
        if (second < seconds) perSecond[second]! += BATCH;
      }
    }),
  );
  const rate = sent / ((performance.now() - from) / 1_000);
  const processorAfter = processorSeconds(server.pid);
  const microseconds = (which: 'all' | 'main') => Math.round(((processorAfter[which] - processorBefore[which]) * 1e6) / sent);
  const lags = await followerLags(client);
  const caughtUpMs = await whenCaughtUp(client, ['history', 'trail'], CATCH_UP_MS);
  clearInterval(sampler);
  const parse = quantile([parseBefore, records.parseRate()], 0.5);
  console.log(
    `intake: ${(rate / parse).toFixed(3)} of JSON.parse (${Math.round(rate)} [${Math.min(...perSecond)}–${Math.max(...perSecond)}] against ${Math.round(parse)} events/s; ` +
      `${sent} events of ${Math.round(records.meanBytes)} bytes, batches of ${BATCH}, ${connections} connections, ${seconds} s, ${loadText()})`,
  );
  console.log(
    `  behind at the end, in entries: ${[...lags].map(([name, lag]) => `${name} ${lag}`).join(', ')}; history and trail caught up after ${(caughtUpMs / 1_000).toFixed(1)} s`,
  );
  console.log(`  processor time of the server: ${microseconds('all')} µs an event, ${microseconds('main')} of them on its main thread`);
  console.log(`  RssAnon idle ${Math.round(idleMiB)} MiB, at most ${Math.round(peakMiB)} MiB; start ${Math.round(startMs)} ms`);
} finally {
  await end();
}
