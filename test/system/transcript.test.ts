/**
 * The main job, told with the clients that people have: the AWS CLI, boto3 and the JavaScript SDK against a running
 * server, from a new data directory to evidence that `aws cloudtrail validate-logs` and `snowtrail verify` accept.
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  CloudTrailClient,
  DescribeTrailsCommand,
  GetTrailStatusCommand,
  LookupEventsCommand,
  paginateLookupEvents,
} from '@aws-sdk/client-cloudtrail';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findAwsCli, findBoto3, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
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

  test('T9 T5 a log file that was changed, removed or added is named, with exit 1', async () => {
    const copyOf = async (folder: string) => {
      const copy = await mkdtemp(join(tmpdir(), 'snowtrail-copy-'));
      await cp(folder, copy, { recursive: true });
      return copy;
    };
    const bucket = join(server.dataDir, 'objects', BUCKET);
    const keys = join(await mkdtemp(join(tmpdir(), 'snowtrail-keys-')), 'keys.json');
    await writeFile(
      keys,
      JSON.stringify(await cli(env, 'cloudtrail', 'list-public-keys', '--start-time', minutesAgo(60), '--end-time', minutesAgo(-60))),
    );
    const evidence = await runCli(['evidence', 'show', '--data-dir', server.dataDir, '-o', 'json']);
    const checkpointKey = /snowtrail\/[0-9a-f-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+/.exec(evidence.text)![0];
    const vkey = `${keys}.vkey`;
    await writeFile(vkey, `${checkpointKey}\n`);
    const check = (folder: string) => runCli(['verify', `${folder}/`, '--offline', '--public-key', keys, vkey]);
    let clean = await copyOf(bucket);
    let verdict = await check(clean);
    // A copy of a bucket in use may hold a receipt whose files are still on their way: that is incomplete, never tampered.
    for (let tries = 0; verdict.exitCode !== 0 && tries < 20; tries++) {
      expect([verdict.exitCode, verdict.text]).toEqual([2, expect.stringContaining('pending')]);
      await rm(clean, { recursive: true });
      await new Promise((resolve) => setTimeout(resolve, 500));
      clean = await copyOf(bucket);
      verdict = await check(clean);
    }
    expect(verdict.exitCode, verdict.text).toBe(0);
    // Of those that a digest lists: the newest receipt's own may still be on their way, for all that a reader of a copy can know.
    const digests = (await readdir(clean, { recursive: true })).filter(
      (name) => name.includes('/CloudTrail-Digest/') && name.endsWith('.gz'),
    );
    const listed = await Promise.all(
      digests.map(async (name) => {
        const digest = JSON.parse(gunzipSync(await readFile(join(clean, name))).toString()) as {
          logFiles: readonly { s3Object: string }[];
        };
        return digest.logFiles.map(({ s3Object }) => s3Object);
      }),
    );
    const files = listed.flat().sort();
    expect(files.length).toBeGreaterThan(0);

    const changed = await copyOf(clean);
    const text = gunzipSync(await readFile(join(changed, files[0]!))).toString('utf8');
    await writeFile(join(changed, files[0]!), gzipSync(text.replace('"eventVersion"', '"eventVersioN"')));
    const removed = await copyOf(clean);
    await rm(join(removed, files[0]!));
    const added = await copyOf(clean);
    const forged = files[0]!.replace(/_[A-Za-z0-9]{16}\.json\.gz$/, '_AAAAAAAAAAAAAAAA.json.gz');
    await writeFile(join(added, forged), gzipSync('{"Records":[]}'));
    for (const [folder, name] of [
      [changed, files[0]!],
      [removed, files[0]!],
      [added, forged],
    ] as const) {
      const { exitCode, text: report } = await check(folder);
      expect(exitCode, report).toBe(1);
      expect(report).toContain(name.split('/').at(-1)!);
      await rm(folder, { recursive: true });
    }
    await rm(clean, { recursive: true });
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
