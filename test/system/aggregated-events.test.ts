/**
 * Aggregated data events as stock clients see them: the AWS CLI configures an organization's trail and reads what it counted in a bucket
 * with a lock, encrypted under the trail's key; `validate-logs` and `verify` judge it. The server's clock is moved over the window's end.
 * cloudtrail.md §1.9, §4.4.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { type CommandResult, clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { FakeTime, hasFakeTime } from '../support/fake-time.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const MANAGEMENT = '111111111111';
const PROD = '333333333333';
const BUCKET = 'counted-trail';
const HOME = 'us-east-1';
const NAME = 'counted';
const ARN = `arn:aws:cloudtrail:${HOME}:${MANAGEMENT}:trail/${NAME}`;
const STORE = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';
const WAIT = { timeout: 60_000, interval: 500 };
/** Within the five minutes that a signature may be off, and together longer than a window and the minute that it is waited for. */
const BEHIND_MS = -200_000;
const AHEAD_MS = 200_000;

const aws = await findAwsCli();
const isAble = aws !== undefined && hasFakeTime();
let root: string;
let time: FakeTime;
let server: StartedServer;

beforeAll(async () => {
  if (!isAble) return;
  root = await mkdtemp(join(tmpdir(), 'snowtrail-aggregated-'));
  time = await FakeTime.create(root, 'server');
  await time.moveTo(BEHIND_MS);
  const flags = ['--account-id', MANAGEMENT, '--organization-id', 'o-winterday01', '--flush-interval', '500ms', '--digest-interval', '20s'];
  server = await startServer({ flags, env: time.environment() });
  await (await clientOf(MANAGEMENT)).call('CreateAccount', { Account: PROD, Name: 'prod' });
});

afterAll(async () => {
  if (!isAble) return;
  expect(await server.stop()).toBe(0);
  for (const folder of [server.dataDir, root]) await rm(folder, { recursive: true, force: true });
});

const clientOf = async (account: string) => new Client(await findServer({ dataDir: server.dataDir, account }));

async function cli(account: string, ...words: readonly string[]): Promise<CommandResult> {
  const { access } = await clientOf(account);
  const config = join(server.dataDir, 'aws-config');
  await writeFile(config, '[default]\ns3 =\n  addressing_style = path\n');
  return run(aws!, words, { env: { ...clientEnvironment(server.url, access, HOME), AWS_CONFIG_FILE: config } });
}

/** The answer's JSON; the exit code is 0. */
// biome-ignore lint/suspicious/noExplicitAny: answers of many commands, looked at by the test that knows them.
async function answer(account: string, ...words: readonly string[]): Promise<any> {
  const { code, stdout, stderr } = await cli(account, ...words);
  expect(`${code} ${stderr}`, words.join(' ')).toBe('0 ');
  return stdout === '' ? undefined : JSON.parse(stdout);
}

async function refusal(account: string, ...words: readonly string[]): Promise<string | undefined> {
  return /An error occurred \((\w+)\)/.exec((await cli(account, ...words)).stderr)?.[1];
}

/** A bucket with a lock and the documented policy, a key that the trail may use, the organization, and a trail of it that takes data events. */
async function prepare(): Promise<string> {
  const Principal = { Service: 'cloudtrail.amazonaws.com' };
  const write = (folder: string) => ({
    ...{ Effect: 'Allow', Principal, Action: 's3:PutObject', Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${folder}/*` },
    Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control', 'aws:SourceArn': ARN } },
  });
  const acl = { Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${BUCKET}` };
  const policy = (...Statement: readonly object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
  await answer(MANAGEMENT, 's3api', 'create-bucket', '--bucket', BUCKET, '--object-lock-enabled-for-bucket');
  const Rule = { DefaultRetention: { Mode: 'COMPLIANCE', Days: 3 } };
  const lock = ['--object-lock-configuration', JSON.stringify({ ObjectLockEnabled: 'Enabled', Rule })];
  await answer(MANAGEMENT, 's3api', 'put-object-lock-configuration', '--bucket', BUCKET, ...lock);
  const bucketPolicy = policy(acl, write(MANAGEMENT), write('o-winterday01'));
  await answer(MANAGEMENT, 's3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', bucketPolicy);
  const keyPolicy = policy(
    { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${MANAGEMENT}:root` }, Action: 'kms:*', Resource: '*' },
    { Effect: 'Allow', Principal, Action: ['kms:GenerateDataKey*', 'kms:DescribeKey'], Resource: '*' },
  );
  const { KeyMetadata } = await answer(MANAGEMENT, 'kms', 'create-key', '--policy', keyPolicy);
  await answer(MANAGEMENT, 'organizations', 'create-organization');
  await answer(MANAGEMENT, 'organizations', 'enable-aws-service-access', '--service-principal', 'cloudtrail.amazonaws.com');
  const invite = ['organizations', 'invite-account-to-organization', '--target', `Id=${PROD},Type=ACCOUNT`];
  const { Handshake } = await answer(MANAGEMENT, ...invite);
  await answer(PROD, 'organizations', 'accept-handshake', '--handshake-id', Handshake.Id);
  const flags = ['--is-organization-trail', '--is-multi-region-trail', '--enable-log-file-validation', '--kms-key-id', KeyMetadata.KeyId];
  await answer(MANAGEMENT, 'cloudtrail', 'create-trail', '--name', NAME, '--s3-bucket-name', BUCKET, ...flags);
  return KeyMetadata.Arn as string;
}

const configuration = (...Templates: readonly string[]) => JSON.stringify([{ EventCategory: 'Data', Templates }]);

/** Sends data events of an account, at the server's time. */
async function record(account: string, calls: readonly (readonly [eventName: string, bucket: string])[]): Promise<void> {
  const records = calls.map(([eventName, bucket], at) => ({
    eventVersion: '1.11',
    userIdentity: { type: 'AWSAccount', accountId: account },
    eventTime: new Date(Date.now() + BEHIND_MS).toISOString().replace(/\.[0-9]+Z/, 'Z'),
    eventSource: 's3.amazonaws.com',
    eventName,
    awsRegion: HOME,
    eventID: `${account}-${at}`,
    eventType: 'AwsApiCall',
    eventCategory: 'Data',
    managementEvent: false,
    resources: [{ type: 'AWS::S3::Object', ARN: `arn:aws:s3:::${bucket}/${at}` }],
    recipientAccountId: account,
  }));
  const file = join(root, `${account}.jsonl`);
  await writeFile(file, records.map((each) => JSON.stringify(each)).join('\n'));
  const { text } = await runCli(['record', file, '--data-dir', server.dataDir, '-o', 'json']);
  expect(JSON.parse(text)).toMatchObject({ accepted: records.length, rejected: 0 });
}

async function keysOf(account: string, folder: string): Promise<readonly string[]> {
  const query = ['--prefix', `AWSLogs/o-winterday01/${account}/${folder}/`, '--query', 'Contents[].Key'];
  return (await answer(MANAGEMENT, 's3api', 'list-objects', '--bucket', BUCKET, ...query)) ?? [];
}

/** What an account's files say: template's dimension, value, count; whatever the number of records. */
async function countsOf(account: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const key of await keysOf(account, 'CloudTrail-Aggregated')) {
    const path = join(root, 'object.json.gz');
    await answer(MANAGEMENT, 's3api', 'get-object', '--bucket', BUCKET, '--key', key, path);
    const { Records } = JSON.parse(gunzipSync(await readFile(path)).toString('utf8'));
    for (const { accountId, awsRegion, summary } of Records) {
      expect([accountId, awsRegion]).toEqual([account, HOME]);
      const { dimension, statistics } = summary.primaryDimension;
      for (const { name, value } of statistics) counts[`${dimension} ${name}`] = (counts[`${dimension} ${name}`] ?? 0) + value;
    }
  }
  return counts;
}

const verify = () => runCli(['verify', NAME, '--data-dir', server.dataDir]);

test.skipIf(!isAble)(
  'data events of an organization are counted under each account when their window has ended, and what is changed or forged there is named',
  { timeout: 300_000 },
  async () => {
    const begin = new Date(Date.now() + BEHIND_MS - 1_000).toISOString();
    const keyArn = await prepare();
    const put = ['cloudtrail', 'put-event-configuration'];
    const get = ['cloudtrail', 'get-event-configuration'];
    const wanted = ['--aggregation-configurations', configuration('API_ACTIVITY', 'RESOURCE_ACCESS')];
    expect(await refusal(MANAGEMENT, ...put, '--trail-name', NAME, ...wanted)).toBe('InvalidParameterException');
    const selectors = [
      { Field: 'eventCategory', Equals: ['Data'] },
      { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
    ];
    const advanced = ['--advanced-event-selectors', JSON.stringify([{ FieldSelectors: selectors }])];
    await answer(MANAGEMENT, 'cloudtrail', 'put-event-selectors', '--trail-name', NAME, ...advanced);
    const answered = { TrailARN: ARN, AggregationConfigurations: JSON.parse(configuration('API_ACTIVITY', 'RESOURCE_ACCESS')) };
    expect(await answer(MANAGEMENT, ...put, '--trail-name', NAME, ...wanted)).toEqual(answered);
    expect(await answer(PROD, ...get, '--trail-name', ARN)).toEqual(answered);
    expect(await refusal(PROD, ...put, '--trail-name', ARN, '--aggregation-configurations', '[]')).toBe(
      'NotOrganizationMasterAccountException',
    );
    expect(await refusal(MANAGEMENT, ...put, '--event-data-store', STORE, '--max-event-size', 'Large')).toBe(
      'EventDataStoreNotFoundException',
    );
    expect(await refusal(MANAGEMENT, ...get, '--event-data-store', STORE)).toBe('EventDataStoreNotFoundException');
    await answer(MANAGEMENT, 'cloudtrail', 'start-logging', '--name', NAME);

    await record(MANAGEMENT, [['GetObject', 'one']]);
    await record(PROD, [
      ['GetObject', 'one'],
      ['GetObject', 'two'],
      ['PutObject', 'two'],
    ]);
    await vi.waitFor(async () => expect(await keysOf(PROD, 'CloudTrail')).not.toEqual([]), WAIT);
    await time.moveTo(AHEAD_MS);
    await vi.waitFor(async () => expect(await keysOf(PROD, 'CloudTrail-Aggregated')).not.toEqual([]), WAIT);
    expect(await countsOf(PROD)).toEqual({
      'eventName GetObject': 2,
      'eventName PutObject': 1,
      'resourceARN arn:aws:s3:::one': 1,
      'resourceARN arn:aws:s3:::two': 2,
    });
    expect(await countsOf(MANAGEMENT)).toEqual({ 'eventName GetObject': 1, 'resourceARN arn:aws:s3:::one': 1 });
    const [key] = (await keysOf(PROD, 'CloudTrail-Aggregated')) as [string];
    expect(key).toMatch(
      /^AWSLogs\/o-winterday01\/333333333333\/CloudTrail-Aggregated\/us-east-1\/\d{4}\/\d\d\/\d\d\/333333333333_CloudTrail-Aggregated_us-east-1_\d{8}T\d{4}Z_[0-9A-Za-z]{16}\.json\.gz$/,
    );
    const head = ['s3api', 'head-object', '--bucket', BUCKET, '--key', key];
    expect(await answer(MANAGEMENT, ...head)).toMatchObject({ SSEKMSKeyId: keyArn, ObjectLockMode: 'COMPLIANCE' });

    const digests = (await keysOf(PROD, 'CloudTrail-Digest')).length;
    await vi.waitFor(async () => expect((await keysOf(PROD, 'CloudTrail-Digest')).length).toBeGreaterThan(digests + 1), WAIT);
    const end = new Date(Date.now() + AHEAD_MS + 60_000).toISOString();
    const times = ['--start-time', begin, '--end-time', end];
    const validated = await cli(
      MANAGEMENT,
      ...['cloudtrail', 'validate-logs', '--trail-arn', ARN, '--account-id', PROD, ...times, '--verbose'],
    );
    expect(validated.stdout).toContain(`Log file\ts3://${BUCKET}/${key}\tvalid`);
    expect(validated.stdout).toMatch(/^([1-9][0-9]*)\/\1 digest files valid$/m);
    const sound = await verify();
    expect(sound.text).toContain('CONSISTENT (exit 0)');
    expect(sound.exitCode).toBe(0);

    // One that holds other counts, and one that is added.
    const body = join(root, 'forged.json.gz');
    await writeFile(body, gzipSync('{"Records":[{"eventCategory":"Aggregated"}]}'));
    const forged = key.replace(/_[0-9A-Za-z]+\.json\.gz$/, '_AAAAAAAAAAAAAAAA.json.gz');
    for (const each of [key, forged]) {
      const { VersionId } = await answer(MANAGEMENT, 's3api', 'put-object', '--bucket', BUCKET, '--key', each, '--body', body);
      expect(VersionId).toBeDefined();
      const told = await verify();
      expect(told.text).toContain(each);
      expect(told.exitCode).toBe(1);
    }
  },
);
