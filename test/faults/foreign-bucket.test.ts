/**
 * What networks and overloaded services do to trails that deliver to a foreign S3, all at once, one fault for each trail.
 *
 * One server, events all the time, and five buckets of moto, each behind a proxy that does harm (`fault-proxy.ts`). What
 * comes out at the end: each acknowledged event in exactly one log file of each bucket, and five whole chains of digests.
 * reliability.md F16–F20, F45, F53; P3, P10, P23. `SNOWTRAIL_SWEEP=1`: longer outages, more faults.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer, type ServerAccess } from '../../src/cli/find-server.ts';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { FaultProxy, type SeenRequest } from '../support/fault-proxy.ts';
import { LEDGER_ACCOUNT, LEDGER_FLAGS, Ledger, newIds, sendBatch, untilAcknowledged } from '../support/ledger.ts';
import { runCli } from '../support/run-cli.ts';
import { randomFrom } from '../support/simulated-files.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { freePort, hasCommands, startTool, type Tool, untilAnswers } from '../support/start-tool.ts';
import { IS_SWEEP } from '../support/sweep.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Four hours, sixty times faster, in the sweep. */
const OUTAGE_MS = IS_SWEEP ? 240_000 : 12_000;
/** How long every second request is refused. */
const THROTTLED_MS = IS_SWEEP ? 60_000 : 8_000;
/** Puts of each kind that are cut. */
const CUTS = IS_SWEEP ? 20 : 3;
const SEED = Number(process.env['SNOWTRAIL_SEED'] ?? Date.now() % 1_000_000);
/** The longest back-off after a failure is a minute. */
const RECOVERY_MS = 90_000;
const BATCH_MS = 100;

const TRAILS = ['away', 'throttled', 'silent', 'trickling', 'cut'] as const;
type TrailName = (typeof TRAILS)[number];
const bucketOf = (trail: TrailName) => `bucket-${trail}`;
const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to put faults between a trail and its bucket');

interface TrailStatus {
  readonly IsLogging: boolean;
  readonly LatestDeliveryError?: string;
}

describe.skipIf(!hasMoto || aws === undefined)('trails into buckets behind a faulty network', () => {
  const ledger = new Ledger();
  const proxies = new Map<TrailName, FaultProxy>();
  /** Ids of the events of each log file that was read, by trail and key. */
  const logFiles = new Map<string, readonly string[]>();
  let folder: string;
  let flags: readonly string[];
  let moto: Tool;
  let s3: S3Client;
  let server: StartedServer;
  let access: ServerAccess;
  let client: Client;
  const load = { isOn: true, ended: Promise.resolve() };

  beforeAll(async () => {
    console.log(`SNOWTRAIL_SEED=${SEED}`);
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    moto = startTool('moto_server', ['-H', '127.0.0.1', '-p', new URL(endpoint).port]);
    await untilAnswers(endpoint, moto);
    const credentials = { accessKeyId: 'snowtrail', secretAccessKey: 'snowtrail-secret' };
    s3 = new S3Client({ endpoint, region: 'us-east-1', credentials: { ...credentials }, forcePathStyle: true });
    const buckets: Record<string, object> = {};
    for (const trail of TRAILS) {
      const Bucket = bucketOf(trail);
      await s3.send(new CreateBucketCommand({ Bucket }));
      await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(bucketPolicy(Bucket, LEDGER_ACCOUNT)) }));
      const proxy = await FaultProxy.start(endpoint);
      proxies.set(trail, proxy);
      buckets[Bucket] = { endpoint: proxy.url, region: 'us-east-1', credentials };
    }
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-network-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ storage: { buckets } }));
    // Longer intervals than the ledger's: every object is read again at the end, and moto is slow.
    flags = ['--config', config, ...LEDGER_FLAGS, '--flush-interval', '1s', '--digest-interval', '10s'];
    await start();
    for (const trail of TRAILS) {
      await client.cloudtrail('CreateTrail', { Name: trail, S3BucketName: bucketOf(trail), EnableLogFileValidation: true });
      await client.cloudtrail('StartLogging', { Name: trail });
    }
    load.ended = sendSteadily();
    await Promise.all(TRAILS.map((trail) => untilDeliveredMore(trail, 1)));
  });

  afterAll(async () => {
    load.isOn = false;
    await load.ended;
    await server?.kill();
    s3?.destroy();
    for (const proxy of proxies.values()) await proxy.close();
    await moto?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  async function start(): Promise<void> {
    server = await startServer({ dataDir: join(folder, 'data'), flags });
    access = await findServer({ dataDir: server.dataDir });
    client = new Client(access);
  }

  /** Some events ten times a second, whatever the buckets do. What a stopping server refuses is not sent again. */
  async function sendSteadily(): Promise<void> {
    while (load.isOn) {
      await sendBatch(access, ledger, newIds(3));
      await sleep(BATCH_MS);
    }
  }

  const proxyOf = (trail: TrailName): FaultProxy => proxies.get(trail)!;
  const statusOf = (trail: TrailName) => client.cloudtrail<TrailStatus>('GetTrailStatus', { Name: trail });

  /** Puts of log files that the S3 has seen, whole. */
  function putsOf(trail: TrailName): readonly SeenRequest[] {
    return proxyOf(trail).seen.filter((seen) => isLogFilePut(seen) && (seen.fault === undefined || seen.fault === 'answer-lost'));
  }

  async function untilDeliveredMore(trail: TrailName, more: number): Promise<void> {
    const wanted = putsOf(trail).length + more;
    await until(`${trail}: ${more} more log files`, () => putsOf(trail).length >= wanted);
  }

  test.concurrent('nobody listens there for a while (F16): the status names it, events are taken, and all of it is caught up in order', async () => {
    const proxy = proxyOf('away');
    await proxy.close();
    const acknowledged = ledger.acknowledged.size;
    await sleep(OUTAGE_MS);
    expect(await statusOf('away')).toHaveProperty('IsLogging', true);
    expect((await statusOf('away')).LatestDeliveryError).toBe('ECONNREFUSED');
    expect(ledger.acknowledged.size).toBeGreaterThan(acknowledged + OUTAGE_MS / BATCH_MS / 4);
    const before = putsOf('away').length;
    await proxy.open();
    await untilDeliveredMore('away', 3);
    await until('away: no error any more', async () => (await statusOf('away')).LatestDeliveryError === undefined);
    // Each log file begins after the one that was put before it.
    const places: bigint[] = [];
    for (const { path } of putsOf('away').slice(before)) {
      const own = (await readLogFile('away', keyOf('away', path))).flatMap((id) => ledger.acknowledged.get(id) ?? []);
      if (own.length > 0) places.push(BigInt(own[0]!));
    }
    expect(places.length).toBeGreaterThan(1);
    expect(places).toEqual([...places].sort((one, other) => (one < other ? -1 : 1)));
  });

  test.concurrent('it refuses with 503 SlowDown (F17): it is asked at most once a second, and with every second request refused nothing is put twice', async () => {
    const proxy = proxyOf('throttled');
    const from = proxy.seen.length;
    proxy.decide = () => 'throttled';
    await until('throttled: four tries', () => refusedSince(proxy, from).length >= 4);
    expect(await statusOf('throttled')).toHaveProperty('IsLogging', true);
    expect((await statusOf('throttled')).LatestDeliveryError).toMatch(/SlowDown|ServiceUnavailable/);
    const times = refusedSince(proxy, from).map(({ atMs }) => atMs);
    const gaps = times.slice(1).map((atMs, index) => atMs - times[index]!);
    for (const gapMs of gaps) expect(gapMs).toBeGreaterThan(950);
    const random = randomFrom(SEED);
    proxy.decide = () => (random() < 0.5 ? 'throttled' : undefined);
    await sleep(THROTTLED_MS);
    proxy.decide = () => undefined;
    await untilDeliveredMore('throttled', 2);
    const paths = putsOf('throttled').map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
  });

  test.concurrent('it takes a put and never answers (F18): the put is given up after its time, no other trail waits, and the status does not name it', async () => {
    const proxy = proxyOf('silent');
    let silent = 0;
    proxy.decide = (seen) => (isLogFilePut(seen) && silent++ < 1 ? 'silent' : undefined);
    await until('silent: a put', () => silent > 0);
    const before = proxy.seen.length;
    await untilDeliveredMore('cut', 3);
    expect(proxy.seen.length).toBe(before);
    await until('silent: asked again', () => proxy.seen.length > before);
    expect(await statusOf('silent')).not.toHaveProperty('LatestDeliveryError');
    await untilDeliveredMore('silent', 2);
  });

  test.concurrent('its answers come a byte a second (F18): they are given up after their time, and delivery goes on when they come again', async () => {
    const proxy = proxyOf('trickling');
    const from = proxy.seen.length;
    let slow = 0;
    proxy.decide = ({ method, path }) => (method === 'GET' && path.includes('policy') && slow++ < 1 ? 'trickle' : undefined);
    await until('trickling: an answer', () => proxy.seen.some(({ fault }) => fault === 'trickle'));
    const first = proxy.seen.slice(from).find(({ fault }) => fault === 'trickle')!;
    await until('trickling: asked again', () => proxy.seen.at(-1)!.atMs > first.atMs + 1_000);
    const again = proxy.seen.find(({ atMs }) => atMs > first.atMs + 1_000)!;
    // The policy has some hundred bytes: whoever waits for all of it waits for minutes.
    expect(again.atMs - first.atMs).toBeLessThan(40_000);
    await untilDeliveredMore('trickling', 2);
  });

  test.concurrent('connections are cut within a put, or before its answer (F19): each object is there once, whether or not the answer came', async () => {
    const proxy = proxyOf('cut');
    const known = new Set<string>();
    proxy.decide = (seen) => {
      if (!isLogFilePut(seen) || known.has(seen.path) || known.size >= 2 * CUTS) return undefined;
      known.add(seen.path);
      return known.size % 2 === 0 ? 'answer-lost' : 'body-cut';
    };
    await until('cut: all puts that are to be cut', () => known.size >= 2 * CUTS);
    await untilDeliveredMore('cut', 2);
    // What the S3 took is found by its hash and not put again; what it did not take is.
    const whole = putsOf('cut').filter(({ path }) => known.has(path));
    expect(whole.map(({ path }) => path).sort()).toEqual([...known].sort());
    expect(whole.filter(({ fault }) => fault === 'answer-lost')).toHaveLength(CUTS);
  });

  test('asked to stop while every bucket is silent and trails are behind (F53): exits 0 within ten seconds, and delivers after the next start', async () => {
    for (const proxy of proxies.values()) proxy.decide = () => 'silent';
    await untilAcknowledged(ledger, 30);
    const startMs = performance.now();
    expect(await server.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    for (const proxy of proxies.values()) {
      await proxy.close();
      proxy.decide = () => undefined;
      await proxy.open();
    }
    await start();
    await untilAcknowledged(ledger, 30);
    await Promise.all(TRAILS.map((trail) => untilDeliveredMore(trail, 1)));
  });

  test('after all of that, each bucket holds each acknowledged event once, the chains are whole, and the books are at nought (F16–F19, F45)', async () => {
    load.isOn = false;
    await load.ended;
    const acknowledged = [...ledger.acknowledged.keys()];
    for (const trail of TRAILS) {
      let places = await readLogFiles(trail);
      await until(`${trail}: all events`, async () => {
        places = await readLogFiles(trail);
        return acknowledged.every((id) => places.has(id));
      });
      const wrong = [...places].filter(([, keys]) => keys.length !== 1);
      expect(wrong, trail).toEqual([]);
    }
    expect(ledger.contradictions).toEqual([]);
    expect(await client.call('GetAccounting')).toMatchObject({ Unexplained: 0 });
    const verified = await runCli(['verify', '--data-dir', server.dataDir]);
    expect(verified.exitCode, verified.text + verified.stderr).toBe(0);
    const env = clientEnvironment(server.url, access, 'us-east-1');
    const from = `${new Date(Date.now() - 3_600_000).toISOString().slice(0, 19)}Z`;
    const arn = `arn:aws:cloudtrail:us-east-1:${LEDGER_ACCOUNT}:trail/away`;
    const validated = await run(aws!, ['cloudtrail', 'validate-logs', '--trail-arn', arn, '--start-time', from, '--verbose'], { env });
    expect(validated.code, validated.stdout + validated.stderr).toBe(0);
    expect(validated.stdout).toMatch(
      /\n(\d+)\/\1 digest files valid\n(?:(\d+)\/\2 backfill digest files valid\n)?(\d+)\/\3 log files valid/,
    );
    console.log(`${acknowledged.length} events in each of ${TRAILS.length} buckets; ${verified.text.trim().split('\n').at(-1)}`);
  });

  test('a log file that the bucket lost is named by verify, which exits 1 (F20)', async () => {
    const { path } = putsOf('cut')[0]!;
    const Key = keyOf('cut', path);
    await s3.send(new DeleteObjectCommand({ Bucket: bucketOf('cut'), Key }));
    const verified = await runCli(['verify', 'cut', '--data-dir', server.dataDir]);
    expect(verified.exitCode).toBe(1);
    expect(verified.text).toContain(Key);
  });

  /** Keys of the log files that hold an event, by its id. */
  async function readLogFiles(trail: TrailName): Promise<Map<string, string[]>> {
    const places = new Map<string, string[]>();
    const page = { Bucket: bucketOf(trail), Prefix: `AWSLogs/${LEDGER_ACCOUNT}/CloudTrail/` };
    for (let after: string | undefined; ; ) {
      const { Contents = [], IsTruncated } = await s3.send(new ListObjectsV2Command({ ...page, ...(after && { StartAfter: after }) }));
      for (const { Key } of Contents)
        if (Key!.endsWith('.json.gz')) for (const id of await readLogFile(trail, Key!)) places.set(id, [...(places.get(id) ?? []), Key!]);
      after = Contents.at(-1)?.Key;
      if (!IsTruncated) return places;
    }
  }

  /** Ids of a log file's events, in its order. */
  async function readLogFile(trail: TrailName, Key: string): Promise<readonly string[]> {
    const known = logFiles.get(`${trail}/${Key}`);
    if (known !== undefined) return known;
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucketOf(trail), Key }));
    const { Records } = JSON.parse(gunzipSync(await Body!.transformToByteArray()).toString()) as { Records: { eventID: string }[] };
    const ids = Records.map(({ eventID }) => eventID);
    logFiles.set(`${trail}/${Key}`, ids);
    return ids;
  }
});

function isLogFilePut({ method, path }: Pick<SeenRequest, 'method' | 'path'>): boolean {
  return method === 'PUT' && /\/CloudTrail\/.*\.json\.gz/.test(path);
}

/** The object's key in a request's path. */
function keyOf(trail: TrailName, path: string): string {
  return decodeURIComponent(new URL(path, 'http://s3').pathname.slice(`/${bucketOf(trail)}/`.length));
}

function refusedSince(proxy: FaultProxy, from: number): readonly SeenRequest[] {
  return proxy.seen.slice(from).filter(({ fault }) => fault === 'throttled');
}

/** Waits for what must come. @throws Error that says what did not come in time. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + RECOVERY_MS; !(await isSo()); await sleep(100))
    if (performance.now() > endMs) throw new Error(`${what}: did not come in ${RECOVERY_MS} ms`);
}
