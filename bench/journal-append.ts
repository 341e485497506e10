/**
 * Prints how fast events become durable in the journal, as a ratio of `JSON.parse` of the same bytes on one core, and how
 * long an acknowledgement takes at 2,000 events/s beside a 4 KiB `fdatasync`.
 *
 * Run: `node bench/journal-append.ts [FOLDER]` with Node 22.18 or newer; on Node 20 bundle it first:
 * `npx esbuild bench/journal-append.ts --bundle --packages=external --platform=node --format=esm --outfile=dist/journal-append.mjs`.
 * Input: events of 1.3 KB in batches of 100 from 8 callers at once, for 10 seconds, into FOLDER (default: a new one in the system's
 * temporary folder), sealing included. Start from the root of the checkout after `npm run build`.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccountId, Region } from '../src/event/types.ts';
import { openDiskJournal } from '../src/store/disk/journal/disk-journal.ts';
import type { NewEvent } from '../src/store/journal.ts';

const CALLERS = 8;
const BATCH = 100;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const ACCOUNT = '123456789012' as AccountId;
const REGION = 'us-east-1' as Region;

const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
};
const chance = { bytes: (count: number) => randomBytes(count), uuid: () => randomUUID(), fraction: () => Math.random() };

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'snowtrail-bench-')));
const events = Array.from({ length: 20_000 }, (_, index) => sampleRecord(index));
const parse = rateOfParsing();

const journal = await openDiskJournal({
  folder: join(folder, 'journal'),
  clock,
  chance,
  report: (problem) => console.error(problem.message),
});
const cpuFrom = process.cpuUsage();
let sent = 0;
const delays: number[] = [];
const from = performance.now();
const until = from + SECONDS * 1_000;
await Promise.all(
  Array.from({ length: CALLERS }, async () => {
    while (performance.now() < until) {
      const batch = Array.from({ length: BATCH }, () => newEvent(sent++));
      const began = performance.now();
      await journal.append(batch);
      delays.push(performance.now() - began);
    }
  }),
);
const rate = sent / ((performance.now() - from) / 1_000);
const memory = process.memoryUsage();
const cpu = process.cpuUsage(cpuFrom);
const sealFrom = performance.now();
await journal.whenSealed();
const sealSeconds = (performance.now() - sealFrom) / 1_000;

const acknowledgements = await atSteadyRate();
const syncs = await syncTimes();
await journal.close();
const startFrom = performance.now();
const again = await openDiskJournal({ folder: join(folder, 'journal'), clock, chance });
const startMs = performance.now() - startFrom;
const head = again.head();
await again.close();
const names = await readdir(join(folder, 'journal'));
const sizes = await Promise.all(
  names.filter((name) => !name.endsWith('.log')).map(async (name) => (await stat(join(folder, 'journal', name))).size),
);
await rm(folder, { recursive: true });

console.log(
  `journal-append: ${(rate / parse).toFixed(2)} of JSON.parse (${Math.round(rate)} against ${Math.round(parse)} events/s, ${CALLERS} callers, batches of ${BATCH}, ${SECONDS} s)`,
);
console.log(
  `  batch p50 ${quantile(delays, 0.5)} ms, p99 ${quantile(delays, 0.99)} ms; rss ${Math.round(memory.rss / 1_048_576)} MiB, array buffers ${Math.round(memory.arrayBuffers / 1_048_576)} MiB; ${((cpu.user + cpu.system) / sent) >> 0} µs of processor an event; sealing went on for ${sealSeconds.toFixed(1)} s`,
);
console.log(
  `journal-acknowledge: p99 ${quantile(acknowledgements, 0.99)} ms at 2,000 events/s, ${(Number(quantile(acknowledgements, 0.99)) / Number(quantile(syncs, 0.99))).toFixed(1)} times a 4 KiB fdatasync (p99 ${quantile(syncs, 0.99)} ms)`,
);
console.log(
  `  start with ${head} entries: ${Math.round(startMs)} ms; sealed and index: ${Math.round(sizes.reduce((a, b) => a + b, 0) / 1_048_576)} MiB`,
);

function newEvent(number: number): NewEvent {
  const eventId = `${number.toString(16).padStart(8, '0')}-5b6c-4d7e-8f90-a1b2c3d4e5f6`;
  const bytes = Buffer.from(events[number % events.length]!);
  bytes.write(eventId, bytes.indexOf('EVENT-ID'), 'latin1');
  return { kind: 'event', source: 'record', eventId, account: ACCOUNT, region: REGION, receivedAtMs: Date.now(), bytes };
}

/** Acknowledgement times of single events sent at a steady rate. */
async function atSteadyRate(): Promise<number[]> {
  const times: number[] = [];
  const under: Promise<void>[] = [];
  const began = performance.now();
  for (let index = 0; index < 10_000; ) {
    const due = Math.min(10_000, Math.floor((performance.now() - began) * 2));
    for (; index < due; index++) {
      const at = performance.now();
      under.push(journal.append([newEvent(sent++)]).then(() => void times.push(performance.now() - at)));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(under);
  return times;
}

async function syncTimes(): Promise<number[]> {
  const file = await open(join(folder, 'sync'), 'w');
  const times: number[] = [];
  const block = Buffer.alloc(4_096);
  for (let index = 0; index < 1_000; index++) {
    const at = performance.now();
    await file.write(block, 0, block.length, index * 4_096);
    await file.datasync();
    times.push(performance.now() - at);
  }
  await file.close();
  return times;
}

function rateOfParsing(): number {
  const began = performance.now();
  for (let round = 0; round < 5; round++) for (const event of events) JSON.parse(event);
  return (5 * events.length) / ((performance.now() - began) / 1_000);
}

function quantile(values: readonly number[], part: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(2);
}

function sampleRecord(index: number): string {
  const number = index.toString(16).padStart(12, '0');
  return JSON.stringify({
    eventVersion: '1.11',
    userIdentity: {
      type: 'AssumedRole',
      principalId: `AROA${number.toUpperCase()}:worker-${index % 50}`,
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Worker${index % 20}/worker-${index % 50}`,
      accountId: ACCOUNT,
      accessKeyId: `ASIA${number.toUpperCase()}`,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: `AROA${number.toUpperCase()}`,
          arn: `arn:aws:iam::${ACCOUNT}:role/Worker${index % 20}`,
          accountId: ACCOUNT,
          userName: `Worker${index % 20}`,
        },
        attributes: { creationDate: '2025-01-02T03:04:05Z', mfaAuthenticated: 'false' },
      },
    },
    eventTime: '2025-01-02T03:04:05Z',
    eventSource: 's3.amazonaws.com',
    eventName: ['PutObject', 'GetObject', 'ListBuckets', 'DeleteObject'][index % 4],
    awsRegion: REGION,
    sourceIPAddress: `10.${index % 256}.${(index >> 8) % 256}.7`,
    userAgent: '[aws-sdk-js/3.600.0 os/linux lang/js md/nodejs#20.11.0 api/s3#3.600.0]',
    requestParameters: {
      bucketName: `bucket-${index % 300}`,
      key: `folder/${number}/object.json`,
      Host: `bucket-${index % 300}.s3.amazonaws.com`,
    },
    responseElements: { 'x-amz-server-side-encryption': 'AES256' },
    additionalEventData: {
      SignatureVersion: 'SigV4',
      CipherSuite: 'TLS_AES_128_GCM_SHA256',
      bytesTransferredIn: index,
      AuthenticationMethod: 'AuthHeader',
      'x-amz-id-2': `${number}${number}${number}`,
    },
    requestID: number.toUpperCase(),
    eventID: 'EVENT-ID____________________________',
    readOnly: index % 4 === 1,
    resources: [{ type: 'AWS::S3::Object', ARN: `arn:aws:s3:::bucket-${index % 300}/folder/${number}/object.json` }],
    eventType: 'AwsApiCall',
    managementEvent: false,
    recipientAccountId: ACCOUNT,
    eventCategory: 'Data',
  });
}
