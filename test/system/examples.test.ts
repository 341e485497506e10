/**
 * The programs of `examples/`, run as their first lines say, against a running server.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CloudTrailClient, CreateTrailCommand, DescribeTrailsCommand, StartLoggingCommand } from '@aws-sdk/client-cloudtrail';
import { CreateBucketCommand, ListObjectsV2Command, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const ACCOUNT = '111122223333';
const REGION = 'us-east-1';
const WAIT_MS = 60_000;
const aws = await findAwsCli();
const python = await findBoto3();
const hasCurl = hasCommands(['curl'], 'the example that records from an application sends with it');

const started: StartedServer[] = [];
let env: Record<string, string>;
let folder: string;

/** A server, and the environment that `snowtrail env` would make. */
async function start(...flags: string[]): Promise<Record<string, string>> {
  const server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '1s', '--digest-interval', '5s', ...flags] });
  started.push(server);
  const { text } = await runCli(['env', '--data-dir', server.dataDir]);
  const variables = new Map([...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!]));
  const key = { accessKeyId: variables.get('AWS_ACCESS_KEY_ID')!, secretAccessKey: variables.get('AWS_SECRET_ACCESS_KEY')! };
  return clientEnvironment(server.url, key, REGION);
}

/** Clients of the SDK for that environment. */
function clientsOf(of: Record<string, string>): { readonly trails: CloudTrailClient; readonly s3: S3Client } {
  const credentials = { accessKeyId: of['AWS_ACCESS_KEY_ID']!, secretAccessKey: of['AWS_SECRET_ACCESS_KEY']! };
  const shared = { endpoint: of['AWS_ENDPOINT_URL']!, region: REGION, credentials };
  return { trails: new CloudTrailClient(shared), s3: new S3Client({ ...shared, forcePathStyle: true }) };
}

async function makeBucket(s3: S3Client, bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await s3.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify(bucketPolicy(bucket, ACCOUNT)) }));
}

async function makeTrail(trails: CloudTrailClient, name: string, bucket: string): Promise<void> {
  await trails.send(new CreateTrailCommand({ Name: name, S3BucketName: bucket, IsMultiRegionTrail: true, EnableLogFileValidation: true }));
  await trails.send(new StartLoggingCommand({ Name: name }));
  // Something to deliver: this call is an event.
  await trails.send(new DescribeTrailsCommand());
}

/** Waits for a log file in the bucket. */
async function whenDelivered(s3: S3Client, bucket: string): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  const prefix = `AWSLogs/${ACCOUNT}/CloudTrail/`;
  while (((await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }))).KeyCount ?? 0) === 0) {
    if (performance.now() > endMs) throw new Error(`nothing was delivered to \`${bucket}\` within ${WAIT_MS} ms`);
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

/** Runs an example, and insists that it ends well. */
async function example(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, { env: { ...env, SNOWTRAIL: resolve('bin/snowtrail') }, timeoutMs: 120_000 });
  expect(`${code} ${stderr}`, stdout).toMatch(/^0 /);
  return stdout;
}

describe('examples', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-examples-'));
    env = await start();
  });

  afterAll(async () => {
    for (const server of started) {
      await server.stop();
      await rm(server.dataDir, { recursive: true, force: true });
    }
    if (folder) await rm(folder, { recursive: true });
  });

  test.skipIf(aws === undefined)('trail.sh goes from nothing to digests that both verifiers accept', async () => {
    const text = await example('examples/trail.sh', 'main');
    expect(text).toContain('found DeleteBucket by alice');
    expect(text).toMatch(/(\d+)\/\1 digest files valid/);
    expect(text).toMatch(/complete and consistent/i);
  });

  test.skipIf(!hasCurl)('record-from-app.sh has each of its lines accepted', async () => {
    const verdicts = (await example('examples/record-from-app.sh')).trim().split('\n');
    expect(verdicts.map((line) => (JSON.parse(line) as { status: string }).status)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  test.skipIf(python === undefined)('who-did-what.py prints the events of one user', async () => {
    const eventTime = `${new Date().toISOString().slice(0, 19)}Z`;
    const record = (eventName: string) => ({
      eventVersion: '1.11',
      userIdentity: { type: 'IAMUser', accountId: ACCOUNT, userName: 'grace' },
      eventTime,
      eventSource: 'ec2.amazonaws.com',
      eventName,
      awsRegion: REGION,
      sourceIPAddress: '192.0.2.9',
      readOnly: false,
      eventID: crypto.randomUUID(),
      recipientAccountId: ACCOUNT,
      eventCategory: 'Management',
      managementEvent: true,
      eventType: 'AwsApiCall',
    });
    const input = ['StopInstances', 'TerminateInstances'].map((eventName) => JSON.stringify(record(eventName))).join('\n');
    expect((await runCli(['record', '-', '--data-dir', started[0]!.dataDir], { input })).exitCode).toBe(0);
    const endMs = performance.now() + WAIT_MS;
    let text = '';
    while (!text.includes('2 events of grace in 1 hours') && performance.now() < endMs)
      text = await example(python!, 'examples/who-did-what.py', 'grace', '1');
    expect(text).toMatch(/ec2\.amazonaws\.com TerminateInstances ok\n/);
    expect(text).toContain('2 events of grace in 1 hours');
  });

  test('count-events.mjs reads the log files of a trail', async () => {
    const { trails, s3 } = clientsOf(env);
    await makeBucket(s3, 'counted-evidence');
    await makeTrail(trails, 'counted', 'counted-evidence');
    await whenDelivered(s3, 'counted-evidence');
    const text = await example(process.execPath, 'examples/count-events.mjs', 'counted');
    expect(text).toMatch(/ +1 DescribeTrails\n/);
    expect(text).toMatch(/\n\d+ events in \d+ log files\n$/);
  });

  test.skipIf(aws === undefined)('identities.yaml makes a server whose auditor looks up events and may do no more', async () => {
    const { AWS_ENDPOINT_URL: url } = await start('--config', 'examples/identities.yaml');
    const path = join(started.at(-1)!.dataDir, 'access-keys', 'users', `${ACCOUNT}.ada.json`);
    const ada = clientEnvironment(url!, JSON.parse(await readFile(path, 'utf8')) as Parameters<typeof clientEnvironment>[1], REGION);
    const ofAda = (...words: string[]) => run(aws!, words, { env: ada });
    expect(await ofAda('cloudtrail', 'lookup-events')).toMatchObject({ code: 0 });
    const role = ['--role-arn', 'arn:aws:iam::444455556666:role/auditor', '--role-session-name', 'look', '--duration-seconds', '7200'];
    expect(await ofAda('sts', 'assume-role', ...role)).toMatchObject({ code: 0 });
    expect((await ofAda('iam', 'create-user', '--user-name', 'eve')).stderr).toContain('(AccessDenied)');
  });

  test('snowtrail.yaml makes a server whose trail delivers to another S3', async () => {
    const foreign = await start();
    const { s3 } = clientsOf(foreign);
    await makeBucket(s3, 'central-audit');
    const written = await readFile('examples/snowtrail.yaml', 'utf8');
    const config = written
      .replace('http://127.0.0.1:7480', foreign['AWS_ENDPOINT_URL']!)
      .replace('EXAMPLEKEYID', foreign['AWS_ACCESS_KEY_ID']!)
      .replace('example-secret-access-key', foreign['AWS_SECRET_ACCESS_KEY']!);
    const path = join(folder, 'snowtrail.yaml');
    await writeFile(path, config, { mode: 0o600 });
    const { trails } = clientsOf(await start('--config', path));
    await makeTrail(trails, 'far', 'central-audit');
    await whenDelivered(s3, 'central-audit');
  });
});
