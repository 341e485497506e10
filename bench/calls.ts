/**
 * Prints what one call costs the server: rate over two connections, and processor time, which depends little on other load.
 *
 * Run: `npm run build && node bench/run.mjs calls [seconds for each kind, default 5]`.
 * Input: a page without a signature, submissions of 1 and of 10 synthetic events, and two calls of an API; 3 s of each before
 * it is measured. Every call but the page is signed, and leaves an event of its own or brings some.
 * Reference: the page, which is the HTTP server alone.
 */
import { BatchSender, loadText, processorSeconds, RecordSource, startMeasured } from './measured-server.ts';

const seconds = Number(process.argv[2] ?? 5);
const WARM_UP_S = 3;
const LANES = [0, 1] as const;

const records = new RecordSource();
const { client, server, end } = await startMeasured();
const senders = (count: number) => LANES.map(() => new BatchSender(client, records, count));
const [ones, tens] = [senders(1), senders(10)];
const form = {
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: Buffer.from('Action=GetCallerIdentity&Version=2011-06-15'),
};
const calls: Readonly<Record<string, (lane: 0 | 1) => Promise<unknown>>> = {
  'a page': () => client.page('/healthz'),
  'a submission of 1 event': (lane) => ones[lane]!.send(),
  'a submission of 10 events': (lane) => tens[lane]!.send(),
  GetCallerIdentity: () => client.send('sts', 'POST', '/', form),
  DescribeTrails: () => client.cloudtrail('DescribeTrails', {}),
};

async function callFor(durationS: number, call: (lane: 0 | 1) => Promise<unknown>): Promise<number> {
  const until = performance.now() + durationS * 1_000;
  let count = 0;
  await Promise.all(
    LANES.map(async (lane) => {
      for (; performance.now() < until; count++) await call(lane);
    }),
  );
  return count;
}

try {
  for (const [name, call] of Object.entries(calls)) {
    await callFor(WARM_UP_S, call);
    const before = processorSeconds(server.pid);
    const count = await callFor(seconds, call);
    const after = processorSeconds(server.pid);
    const cost = (which: 'all' | 'main') => (((after[which] - before[which]) * 1_000) / count).toFixed(2);
    console.log(
      `${name}: ${Math.round(count / seconds)} calls/s, ${cost('all')} ms of processor time a call, ${cost('main')} of them on the main thread (${loadText()})`,
    );
  }
} finally {
  await end();
}
