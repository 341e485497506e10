/**
 * The main job, told with the clients that people have: the AWS CLI, boto3 and the JavaScript SDK against a running
 * server, from a new data directory to evidence that `aws cloudtrail validate-logs` and `snowtrail verify` accept.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  CloudTrailClient,
  DescribeTrailsCommand,
  GetTrailStatusCommand,
  LookupEventsCommand,
  paginateLookupEvents,
} from '@aws-sdk/client-cloudtrail';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { openDiskKeys } from '../../src/store/disk/keys.ts';
import type { Keys } from '../../src/store/keys.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { findAwsCli, findBoto3, run } from '../support/clients.ts';
import type { MemoryBucket } from '../support/evidence-builder.ts';
import { type ShownTrail, serveEvidence } from '../support/evidence-endpoint.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { type Chains, chainsOf, copyBucket, TAMPERS, withLogs } from '../support/tamper-delivered.ts';
import { testDataFolder } from '../support/test-data.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const ACCOUNT = '123837392027';
const BUCKET = 'trail-bucket';
const RECORDS = 1_534;

const aws = await findAwsCli();
const python = await findBoto3();
const data = testDataFolder();
const isPossible = aws !== undefined && data !== undefined;

/** The policy that CloudTrail's guide asks for. */
function bucketPolicy(account: string): string {
  const principal = { Service: 'cloudtrail.amazonaws.com' };
  const sourceArn = { 'aws:SourceArn': `arn:aws:cloudtrail:us-east-1:${account}:trail/main` };
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AWSCloudTrailAclCheck20150319',
        Effect: 'Allow',
        Principal: principal,
        Action: 's3:GetBucketAcl',
        Resource: `arn:aws:s3:::${BUCKET}`,
        Condition: { StringEquals: sourceArn },
      },
      {
        Sid: 'AWSCloudTrailWrite20150319',
        Effect: 'Allow',
        Principal: principal,
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${account}/*`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control', ...sourceArn } },
      },
    ],
  });
}

/** What `snowtrail env` prints, as an environment for a client. */
async function environmentOf(server: StartedServer, ...flags: string[]): Promise<Record<string, string>> {
  const { text, exitCode } = await runCli(['env', '--data-dir', server.dataDir, ...flags]);
  expect(exitCode).toBe(0);
  const lines = [...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!] as const);
  return { ...(process.env as Record<string, string>), AWS_EC2_METADATA_DISABLED: 'true', ...Object.fromEntries(lines) };
}

async function cli(env: Record<string, string>, ...args: string[]) {
  const result = await run(aws!, args, { env, timeoutMs: 90_000 });
  expect(`${result.code} ${result.stderr}`, `aws ${args.join(' ')}`).toMatch(/^0 /);
  return result.stdout.trim() === '' ? undefined : JSON.parse(result.stdout.startsWith('{') ? result.stdout : 'null');
}

async function makeTrail(env: Record<string, string>, account: string): Promise<void> {
  await cli(env, 's3api', 'create-bucket', '--bucket', BUCKET);
  await cli(env, 's3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', bucketPolicy(account));
  await cli(
    env,
    'cloudtrail',
    'create-trail',
    '--name',
    'main',
    '--s3-bucket-name',
    BUCKET,
    '--enable-log-file-validation',
    '--is-multi-region-trail',
  );
  await cli(env, 'cloudtrail', 'start-logging', '--name', 'main');
}

/** Waits until a digest lists log files with at least so many events in all, as the receipts name them. */
async function untilDigested(server: StartedServer, account: string, events: number): Promise<void> {
  const folder = join(server.dataDir, 'objects', BUCKET, 'AWSLogs', account);
  const endMs = performance.now() + 100_000;
  for (;;) {
    const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
    const listed = new Set<string>();
    for (const name of names.filter((each) => each.includes('CloudTrail-Digest') && each.endsWith('.gz'))) {
      const digest = JSON.parse(gunzipSync(await readFile(join(folder, name))).toString('utf8')) as { logFiles: { s3Object: string }[] };
      for (const { s3Object } of digest.logFiles) listed.add(s3Object);
    }
    let found = 0;
    for (const key of listed) {
      const body = await readFile(join(server.dataDir, 'objects', BUCKET, key)).catch(() => undefined);
      if (body !== undefined) found += (JSON.parse(gunzipSync(body).toString('utf8')) as { Records: unknown[] }).Records.length;
    }
    if (found >= events) return;
    if (performance.now() > endMs) throw new Error(`digests list log files with ${found} events, not ${events}: ${server.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const minutesAgo = (minutes: number) => `${new Date(Date.now() - minutes * 60_000).toISOString().slice(0, 19)}Z`;

describe.skipIf(!isPossible)('the main job with one account', () => {
  let server: StartedServer;
  let env: Record<string, string>;

  beforeAll(async () => {
    server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '2s', '--digest-interval', '20s'] });
    env = await environmentOf(server);
    await makeTrail(env, ACCOUNT);
    const recorded = await runCli([
      'record',
      join(data!, 'delivered-files-invictus/files'),
      '--shift-to',
      'now',
      '--data-dir',
      server.dataDir,
      '-o',
      'json',
    ]);
    expect(recorded.exitCode).toBe(0);
    expect(JSON.parse(recorded.text)).toMatchObject({ accepted: RECORDS, repeated: 0, rejected: 0, conflicting: 0 });
  });

  afterAll(async () => {
    await server?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
  });

  test('EV12 each of the eight attributes finds what was recorded', async () => {
    const lookup = async (key: string, value: string) =>
      (await cli(
        env,
        'cloudtrail',
        'lookup-events',
        '--lookup-attributes',
        `AttributeKey=${key},AttributeValue=${value}`,
        '--max-items',
        '50',
      )) as {
        Events: {
          EventId: string;
          EventName: string;
          CloudTrailEvent: string;
          AccessKeyId?: string;
          Username?: string;
          Resources: { ResourceName: string; ResourceType?: string }[];
        }[];
      };
    const { Events: roles } = await lookup('EventName', 'AssumeRole');
    expect(roles.length).toBeGreaterThan(0);
    const sample = roles.find(({ Resources }) => Resources.length > 0)!;
    expect((await lookup('EventId', sample.EventId)).Events).toEqual([sample]);
    expect((await lookup('ResourceName', sample.Resources[0]!.ResourceName)).Events.length).toBeGreaterThan(0);
    const typed = sample.Resources.find(({ ResourceType }) => ResourceType !== undefined)!;
    expect((await lookup('ResourceType', typed.ResourceType!)).Events.length).toBeGreaterThan(0);
    for (const { CloudTrailEvent } of (await lookup('EventSource', 'iam.amazonaws.com')).Events)
      expect(JSON.parse(CloudTrailEvent)).toMatchObject({ eventSource: 'iam.amazonaws.com' });
    const writes = (await lookup('ReadOnly', 'false')).Events;
    expect(writes.length).toBeGreaterThan(0);
    for (const { CloudTrailEvent } of writes) expect(JSON.parse(CloudTrailEvent)).toMatchObject({ readOnly: false });
    const withKey = writes.find(({ AccessKeyId }) => AccessKeyId !== undefined)!;
    expect((await lookup('AccessKeyId', withKey.AccessKeyId!)).Events.length).toBeGreaterThan(0);
    const named = writes.find(({ Username }) => Username !== undefined)!;
    expect((await lookup('Username', named.Username!)).Events.length).toBeGreaterThan(0);
  });

  test('IN2 validate-logs finds every file valid, and snowtrail verify says complete and consistent', async () => {
    await untilDigested(server, ACCOUNT, RECORDS);
    const trail = `arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main`;
    const validated = await run(aws!, ['cloudtrail', 'validate-logs', '--trail-arn', trail, '--start-time', minutesAgo(10), '--verbose'], {
      env,
      timeoutMs: 90_000,
    });
    expect(`${validated.code} ${validated.stderr}`).toBe('0 ');
    expect(validated.stdout).toMatch(/\n(\d+)\/\1 digest files valid\n(\d+)\/\2 log files valid/);
    expect(validated.stdout).not.toContain('INVALID');
    const verified = await runCli(['verify', '--data-dir', server.dataDir, '-o', 'json']);
    expect(verified.exitCode, verified.text.slice(0, 2_000)).toBe(0);
    expect(JSON.parse(verified.text)).toMatchObject({ verdict: 'consistent' });
  });

  test('RC1 the books add up: nothing is unexplained', async () => {
    const doctor = await runCli(['doctor', '--data-dir', server.dataDir, '-o', 'json']);
    expect(doctor.exitCode, doctor.text.slice(0, 2_000)).toBe(0);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    for (const [, value] of metrics.matchAll(/^snowtrail_unexplained_events\{.*\} (.*)$/gm)) expect(value).toBe('0');
    expect(await (await fetch(`${server.url}/readyz`)).text()).toBe('ready\n');
  });

  test.skipIf(python === undefined)('boto3 pages through lookup_events and sees the trail', async () => {
    const script = [
      'import boto3, json',
      'client = boto3.client("cloudtrail")',
      'pages = client.get_paginator("lookup_events").paginate(PaginationConfig={"MaxItems": 400, "PageSize": 50})',
      'ids = [event["EventId"] for page in pages for event in page["Events"]]',
      'trails = client.describe_trails()["trailList"]',
      'print(json.dumps({"events": len(ids), "distinct": len(set(ids)), "trail": trails[0]["Name"], "logging": client.get_trail_status(Name="main")["IsLogging"]}))',
    ].join('\n');
    const { code, stdout, stderr } = await run(python!, ['-c', script], { env, timeoutMs: 90_000 });
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    expect(JSON.parse(stdout)).toEqual({ events: 400, distinct: 400, trail: 'main', logging: true });
  });

  test('the JavaScript SDK pages through lookups and sees the trail in another Region as a shadow', async () => {
    const credentials = { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! };
    const client = new CloudTrailClient({ endpoint: server.url, region: 'us-east-1', credentials });
    const ids: string[] = [];
    for await (const page of paginateLookupEvents({ client, pageSize: 50 }, {})) {
      ids.push(...page.Events!.map(({ EventId }) => EventId!));
      if (ids.length >= 200) break;
    }
    expect(new Set(ids).size).toBe(200);
    expect((await client.send(new GetTrailStatusCommand({ Name: 'main' }))).IsLogging).toBe(true);
    const abroad = new CloudTrailClient({ endpoint: server.url, region: 'eu-central-1', credentials });
    expect((await abroad.send(new DescribeTrailsCommand({}))).trailList).toMatchObject([{ Name: 'main', HomeRegion: 'us-east-1' }]);
    await expect(client.send(new LookupEventsCommand({ MaxResults: 51 }))).rejects.toMatchObject({ name: 'InvalidMaxResultsException' });
    client.destroy();
    abroad.destroy();
  });

  describe('its bucket, copied when all traffic has stopped', () => {
    /** What is in the bucket, with metadata. */
    let clean: MemoryBucket;
    let chains: Chains;
    let keys: Keys;
    let folder: string;
    /** Public keys of the digests as the server lists them, and the key of the checkpoints. */
    let keyFiles: readonly string[];
    let digestKeys: ShownTrail['installation']['digestKeys'];

    beforeAll(async () => {
      const client = new Client(await findServer({ dataDir: server.dataDir }));
      const untilHas = async (what: string, isSo: (chains: Chains) => boolean) => {
        for (const endMs = performance.now() + 200_000; ; await sleep(3_000)) {
          // Each is an event, so that each digest has a log file.
          await client.cloudtrail('GetTrailStatus', { Name: 'main' });
          const found = chainsOf(await copyBucket(BUCKET, server.url, env), 'us-east-1');
          if (isSo(found)) return;
          if (performance.now() > endMs) throw new Error(`${what} was not delivered: ${JSON.stringify(found)}`);
        }
      };
      await untilDigested(server, ACCOUNT, RECORDS);
      await untilHas('a chain of five digests with log files', ([first]) => withLogs(first).length >= 5);
      await cli(env, 'cloudtrail', 'stop-logging', '--name', 'main');
      await cli(env, 'cloudtrail', 'start-logging', '--name', 'main');
      await untilHas('a second chain of two digests', ([, second]) => withLogs(second).length >= 2);
      await cli(env, 'cloudtrail', 'stop-logging', '--name', 'main');

      folder = await mkdtemp(join(tmpdir(), 'snowtrail-evidence-'));
      const listed = (await cli(
        env,
        'cloudtrail',
        'list-public-keys',
        ...['--start-time', minutesAgo(60), '--end-time', minutesAgo(-60)],
      )) as { PublicKeyList: { Value: string; Fingerprint: string }[] };
      digestKeys = listed.PublicKeyList.map(({ Value, Fingerprint }) => ({
        publicKey: Buffer.from(Value, 'base64'),
        fingerprint: Fingerprint,
      }));
      const evidence = await runCli(['evidence', 'show', '--data-dir', server.dataDir, '-o', 'json']);
      const [checkpointKey] = /snowtrail\/[0-9a-f-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+/.exec(evidence.text)!;
      keyFiles = [join(folder, 'keys.json'), join(folder, 'keys.vkey')];
      await writeFile(keyFiles[0]!, JSON.stringify(listed));
      await writeFile(keyFiles[1]!, `${checkpointKey}\n`);

      for (const endMs = performance.now() + 60_000; ; await sleep(500)) {
        clean = await copyBucket(BUCKET, server.url, env);
        const verdict = await verdictOf(clean);
        if (verdict.exitCode === 0 && verdict.pending === 0) break;
        // A copy of a bucket in use may hold a receipt whose files are still on their way: that is incomplete, never tampered.
        expect(verdict.exitCode, JSON.stringify(verdict)).not.toBe(1);
        if (performance.now() > endMs) throw new Error(`the bucket does not come to rest: ${JSON.stringify(verdict)}`);
      }
      chains = chainsOf(clean, 'us-east-1');
      await server.stop();
      const origin = checkpointKey.split('+')[0] as `snowtrail/${string}`;
      keys = await openDiskKeys({ folder: join(server.dataDir, 'keys'), origin, clock: { nowMs: () => Date.now() } });
    }, 400_000);

    afterAll(async () => {
      if (folder) await rm(folder, { recursive: true, force: true });
    });

    /** Runs what reads a bucket against a copy, served by S3. */
    async function readBy<T>(bucket: MemoryBucket, read: (env: Record<string, string>) => Promise<T>): Promise<T> {
      const endpoint = await serveEvidence(
        {
          name: 'main',
          trailARN: `arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main`,
          homeRegion: 'us-east-1',
          bucket,
          installation: { digestKeys },
        },
        bucket,
      );
      try {
        return await read({ ...env, AWS_ENDPOINT_URL: endpoint.url });
      } finally {
        await endpoint.close();
      }
    }

    /** What `snowtrail verify` says of a bucket, without a word of the server. */
    async function verdictOf(bucket: MemoryBucket): Promise<{ exitCode: number | null; named: readonly string[]; pending: number }> {
      const words = ['verify', `s3://${BUCKET}`, '--offline', '--public-key', ...keyFiles, '-o', 'json'];
      const { exitCode, text, stderr } = await readBy(bucket, (of) => runCli(words, { env: of }));
      expect(text, stderr).toMatch(/^\{/);
      const { files } = JSON.parse(text) as VerifyReport;
      const named = files.filter(({ verdict }) => ['tampered', 'missing', 'unlisted'].includes(verdict)).map(({ key }) => key);
      return { exitCode, named: named.sort(), pending: files.filter(({ verdict }) => verdict === 'pending').length };
    }

    test('is complete and consistent for snowtrail verify, and valid for the AWS CLI', async () => {
      expect(await verdictOf(clean)).toEqual({ exitCode: 0, named: [], pending: 0 });
      expect(await validate(clean)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('INVALID') });
    });

    function validate(bucket: MemoryBucket) {
      const words = ['cloudtrail', 'validate-logs', '--trail-arn', `arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main`];
      return readBy(bucket, (of) => run(aws!, [...words, '--start-time', minutesAgo(60), '--verbose'], { env: of, timeoutMs: 90_000 }));
    }

    const named = TAMPERS.map((tamper) => [`${tamper.id} ${tamper.what}`, tamper] as const);
    test.each(named)(
      '%s: snowtrail verify exits with 1 and names each file, the AWS CLI with what §6.1 says',
      async (_, { awsCli, change }) => {
        const bucket = clean.copy();
        const changed = await change({ bucket, chains, keys });
        expect(changed.length).toBeGreaterThan(0);
        expect(await verdictOf(bucket)).toEqual({ exitCode: 1, named: [...changed].sort(), pending: 0 });
        const validated = await validate(bucket);
        expect(validated.code, validated.stdout + validated.stderr).toBe(awsCli);
      },
    );
  });
});

describe.skipIf(!isPossible)('the main job with two accounts', () => {
  test('--create-accounts makes them, each trail delivers its own account only, and both verify', async () => {
    const second = '210987654321';
    const folder = await mkdtemp(join(tmpdir(), 'snowtrail-two-'));
    const source = join(data!, 'delivered-files-invictus/files');
    const names = (await readdir(source)).filter((name) => name.endsWith('.gz')).slice(0, 6);
    let count = 0;
    for (const name of names) {
      const text = gunzipSync(await readFile(join(source, name))).toString('utf8');
      count += (JSON.parse(text) as { Records: unknown[] }).Records.length;
      await writeFile(join(folder, name), gzipSync(text));
      await writeFile(join(folder, `second-${name}`), gzipSync(text.replaceAll(ACCOUNT, second)));
    }
    const server = await startServer({ flags: ['--flush-interval', '2s', '--digest-interval', '20s'] });
    try {
      const refused = await runCli(['record', folder, '--shift-to', 'now', '--data-dir', server.dataDir, '-o', 'json']);
      expect(refused.exitCode).toBe(4);
      expect(JSON.parse(refused.text)).toMatchObject({ accepted: 0, reasons: { UnknownAccount: 2 * count } });
      for (const account of [ACCOUNT, second])
        expect((await runCli(['accounts', 'create', account, '--data-dir', server.dataDir])).exitCode).toBe(0);
      const env = await environmentOf(server, '--account', ACCOUNT);
      await makeTrail(env, ACCOUNT);
      const recorded = await runCli([
        'record',
        folder,
        '--shift-to',
        'now',
        '--create-accounts',
        '--data-dir',
        server.dataDir,
        '-o',
        'json',
      ]);
      expect(JSON.parse(recorded.text)).toMatchObject({ accepted: 2 * count, rejected: 0 });
      await untilDigested(server, ACCOUNT, count);
      const trail = `arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main`;
      const validated = await run(aws!, ['cloudtrail', 'validate-logs', '--trail-arn', trail, '--start-time', minutesAgo(10)], {
        env,
        timeoutMs: 90_000,
      });
      expect(`${validated.code} ${validated.stderr}`).toBe('0 ');
      const verified = await runCli(['verify', '--data-dir', server.dataDir, '-o', 'json']);
      expect(verified.exitCode, verified.text.slice(0, 2_000)).toBe(0);
      const delivered = (await readdir(join(server.dataDir, 'objects', BUCKET), { recursive: true })).filter((name) =>
        name.includes(second),
      );
      expect(delivered).toEqual([]);
      const other = await environmentOf(server, '--account', second);
      const { Events } = (await cli(other, 'cloudtrail', 'lookup-events', '--max-items', '5')) as { Events: { CloudTrailEvent: string }[] };
      for (const { CloudTrailEvent } of Events) expect(CloudTrailEvent).toContain(second);
      expect(Events).toHaveLength(5);
    } finally {
      await server.stop();
      await rm(server.dataDir, { recursive: true, force: true });
      await rm(folder, { recursive: true });
    }
  });
});
