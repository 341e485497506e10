/**
 * Prints how long an accepted event takes until a look-up finds it, and until it lies in the trail's bucket.
 *
 * Run: `npm run build && node bench/run.mjs lag [rounds, default 15]`.
 * Input: one synthetic record a round, beside 500 events/s in requests of 50. Flush interval 1 s. The look-up asks
 * `GetEvent` for the id again and again; an object is there when its log file, got from the bucket, holds the id.
 * Reference: the service promises minutes; the targets are 1 s, and the flush interval and 2 s, at p99. With few rounds the p99
 * is the slowest. Noise: the median and the range are printed.
 */
import { gunzipSync } from 'node:zlib';
import type { Client } from '../src/cli/client.ts';
import { BUCKET, loadText, quantile, RecordSource, startMeasured, submitAll } from './measured-server.ts';

const FLUSH_MS = 1_000;
const LIMIT_MS = 60_000;
const rounds = Number(process.argv[2] ?? 15);

const records = new RecordSource();
const { client, end } = await startMeasured({ flushInterval: `${FLUSH_MS / 1_000}s` });
try {
  const ending = new AbortController();
  const beside = sendBeside(ending.signal);
  const seen = new Set<string>();
  const lookUps: number[] = [];
  const objects: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { id, bytes } = records.next();
    await submitAll(client, bytes);
    const from = performance.now();
    const since = async (isThere: () => Promise<boolean>): Promise<number> => {
      while (!(await isThere())) {
        if (performance.now() - from > LIMIT_MS) throw new Error(`event ${id} is not there after ${LIMIT_MS} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return performance.now() - from;
    };
    const [lookUpMs, objectMs] = await Promise.all([since(() => isLookedUp(client, id)), since(() => isDelivered(client, id, seen))]);
    lookUps.push(lookUpMs);
    objects.push(objectMs);
  }
  ending.abort();
  await beside;
  console.log(`lag to look-up: p99 ${spread(lookUps)}, ${(quantile(lookUps, 0.99) / 1_000).toFixed(2)} of the target of 1 s`);
  console.log(
    `lag to object: p99 ${spread(objects)}, ${(quantile(objects, 0.99) / (FLUSH_MS + 2_000)).toFixed(2)} of the target of the flush interval and 2 s (${rounds} rounds, flush interval ${FLUSH_MS} ms, ${loadText()})`,
  );
} finally {
  await end();
}

async function sendBeside(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const pause = new Promise((resolve) => setTimeout(resolve, 100));
    await submitAll(client, records.document(50));
    await pause;
  }
}

async function isLookedUp(from: Client, id: string): Promise<boolean> {
  const body = Buffer.from(JSON.stringify({ EventId: id }));
  const { status } = await from.send('snowtrail', 'POST', '/v1/GetEvent', { headers: { 'content-type': 'application/json' }, body });
  if (status !== 200 && status !== 404) throw new Error(`GetEvent answered ${status}`);
  return status === 200;
}

/** Reads log files that were not read before. @param seen Their keys; grows. */
async function isDelivered(from: Client, id: string, seen: Set<string>): Promise<boolean> {
  let after = '';
  let isFound = false;
  for (;;) {
    const path = `/${BUCKET}?list-type=2&prefix=AWSLogs%2F${after === '' ? '' : `&start-after=${encodeURIComponent(after)}`}`;
    const listing = Buffer.from((await from.send('s3', 'GET', sorted(path))).body).toString();
    const keys = [...listing.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key!);
    for (const key of keys.filter((each) => each.includes('/CloudTrail/') && each.endsWith('.json.gz') && !seen.has(each))) {
      seen.add(key);
      const { body } = await from.send('s3', 'GET', `/${BUCKET}/${key}`);
      isFound ||= gunzipSync(body).includes(id);
    }
    if (!listing.includes('<IsTruncated>true</IsTruncated>')) return isFound;
    after = keys.at(-1)!;
  }
}

/** The query in the order that is signed. */
function sorted(path: string): string {
  const [place, query] = path.split('?') as [string, string];
  return `${place}?${query.split('&').sort().join('&')}`;
}

function spread(values: readonly number[]): string {
  const [p99, median, least, most] = [0.99, 0.5, 0, 1].map((share) => Math.round(quantile(values, share)));
  return `${p99} ms (p50 ${median} [${least}–${most}])`;
}
