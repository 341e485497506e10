/**
 * What trails deliver by their selectors, set with the AWS CLI and read from the files that lie in the bucket.
 *
 * Five trails of one account, each below a prefix of its own; the records are sent in once, with those of two services that selectors can
 * leave out. features.md EV3–EV7 (the trail's half), SE1–SE3.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findAwsCli, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const BUCKET = 'selected-events';
const EXPORTS = 'arn:aws:s3:::snowy-pii/exports/';
const FUNCTION = `arn:aws:lambda:us-east-1:${ACCOUNT}:function:Winterday-`;
const TABLE = `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/orders`;

const field = (Field: string, operator: string, ...values: readonly string[]) => ({ Field, [operator]: values });
const advanced = (category: string, ...fields: readonly object[]) => ({
  FieldSelectors: [field('eventCategory', 'Equals', category), ...fields],
});
const objectsBasic = { IncludeManagementEvents: false, DataResources: [{ Type: 'AWS::S3::Object', Values: [EXPORTS] }] };
const data = (type: string, ...fields: readonly object[]) => advanced('Data', field('resources.type', 'Equals', type), ...fields);

/** By trail: the option of the AWS CLI and its value. */
const TRAILS: Readonly<Record<string, readonly [option: string, selectors: readonly object[]]>> = {
  reads: ['--event-selectors', [{ ReadWriteType: 'ReadOnly', ExcludeManagementEventSources: ['kms.amazonaws.com'] }]],
  writes: ['--advanced-event-selectors', [advanced('Management', field('readOnly', 'Equals', 'false'))]],
  basic: ['--event-selectors', [objectsBasic]],
  advanced: ['--advanced-event-selectors', [data('AWS::S3::Object', field('resources.ARN', 'StartsWith', EXPORTS))]],
  functions: [
    '--advanced-event-selectors',
    [
      data('AWS::Lambda::Function', field('resources.ARN', 'StartsWith', FUNCTION)),
      data('AWS::DynamoDB::Table', field('resources.ARN', 'Equals', TABLE)),
    ],
  ],
};

const dataEvent = (source: string, name: string, type: string, arn: string) => ({
  eventSource: source,
  eventName: name,
  readOnly: true,
  eventCategory: 'Data',
  managementEvent: false,
  resources: [{ type, ARN: arn }],
});
const object = (path: string) => dataEvent('s3.amazonaws.com', 'GetObject', 'AWS::S3::Object', `arn:aws:s3:::${path}`);
const call = (source: string, eventName: string, readOnly: boolean) => ({
  eventSource: source,
  eventName,
  readOnly,
  eventCategory: 'Management',
  managementEvent: true,
});
/** By a name that is their event id. */
const RECORDS: Readonly<Record<string, object>> = {
  describe: call('ec2.amazonaws.com', 'DescribeInstances', true),
  buckets: call('s3.amazonaws.com', 'ListBuckets', true),
  decrypt: call('kms.amazonaws.com', 'Decrypt', true),
  run: call('ec2.amazonaws.com', 'RunInstances', false),
  object: object('snowy-pii/exports/a'),
  deeper: object('snowy-pii/exports/sub/b'),
  beside: object('snowy-pii/other/c'),
  otherBucket: object('snowy-pii2/exports/a'),
  function: dataEvent('lambda.amazonaws.com', 'Invoke', 'AWS::Lambda::Function', `${FUNCTION}orders`),
  otherFunction: dataEvent(
    'lambda.amazonaws.com',
    'Invoke',
    'AWS::Lambda::Function',
    `arn:aws:lambda:us-east-1:${ACCOUNT}:function:Summer`,
  ),
  item: dataEvent('dynamodb.amazonaws.com', 'GetItem', 'AWS::DynamoDB::Table', TABLE),
  otherItem: dataEvent('dynamodb.amazonaws.com', 'GetItem', 'AWS::DynamoDB::Table', `${TABLE}2`),
};

const aws = await findAwsCli();
let server: StartedServer;
let env: Record<string, string>;

async function cli(...args: string[]) {
  const result = await run(aws!, args, { env, timeoutMs: 90_000 });
  expect(`${result.code} ${result.stderr}`, `aws ${args.join(' ')}`).toMatch(/^0 /);
  return result.stdout.startsWith('{') ? JSON.parse(result.stdout) : undefined;
}

/** Event ids in the log files below a trail's prefix, without the calls that this test makes. */
async function delivered(trail: string): Promise<readonly string[]> {
  const folder = join(server.dataDir, 'objects', BUCKET, trail, 'AWSLogs', ACCOUNT, 'CloudTrail');
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const ids: string[] = [];
  for (const name of names.filter((each) => each.endsWith('.json.gz'))) {
    const { Records } = JSON.parse(gunzipSync(await readFile(join(folder, name))).toString('utf8')) as { Records: { eventID: string }[] };
    ids.push(...Records.map(({ eventID }) => eventID).filter((id) => Object.hasOwn(RECORDS, id)));
  }
  return ids.sort();
}

beforeAll(async () => {
  if (aws === undefined) return;
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '1s'] });
  const { text } = await runCli(['env', '--data-dir', server.dataDir]);
  const variables = [...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!] as const);
  env = { ...(process.env as Record<string, string>), AWS_EC2_METADATA_DISABLED: 'true', ...Object.fromEntries(variables) };
  const Principal = { Service: 'cloudtrail.amazonaws.com' };
  const Condition = { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } };
  const Statement = [
    { Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${BUCKET}` },
    { Effect: 'Allow', Principal, Action: 's3:PutObject', Resource: `arn:aws:s3:::${BUCKET}/*`, Condition },
  ];
  await cli('s3api', 'create-bucket', '--bucket', BUCKET);
  await cli('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify({ Version: '2012-10-17', Statement }));
  for (const [name, [option, selectors]] of Object.entries(TRAILS)) {
    await cli('cloudtrail', 'create-trail', '--name', name, '--s3-bucket-name', BUCKET, '--s3-key-prefix', name);
    await cli('cloudtrail', 'put-event-selectors', '--trail-name', name, option, JSON.stringify(selectors));
    await cli('cloudtrail', 'start-logging', '--name', name);
  }
  const eventTime = `${new Date().toISOString().slice(0, 19)}Z`;
  const common = { eventVersion: '1.11', awsRegion: 'us-east-1', recipientAccountId: ACCOUNT, eventTime, eventType: 'AwsApiCall' };
  const lines = Object.entries(RECORDS).map(([eventID, record]) => JSON.stringify({ ...common, eventID, ...record }));
  const file = join(server.dataDir, '..', `${BUCKET}-${server.pid}.jsonl`);
  await writeFile(file, lines.join('\n'));
  const recorded = await runCli(['record', file, '--data-dir', server.dataDir, '-o', 'json']);
  await rm(file);
  expect(JSON.parse(recorded.text)).toMatchObject({ accepted: lines.length, rejected: 0 });
}, 180_000);

afterAll(async () => {
  await server?.stop();
  if (server) await rm(server.dataDir, { recursive: true, force: true });
});

test.skipIf(aws === undefined)(
  'each trail delivers what its selectors choose, and nothing else (EV3, EV5–EV7, SE1–SE3)',
  async () => {
    const expected = {
      reads: ['buckets', 'describe'],
      writes: ['run'],
      basic: ['deeper', 'object'],
      advanced: ['deeper', 'object'],
      functions: ['function', 'item'],
    };
    const found = async () =>
      Object.fromEntries(await Promise.all(Object.keys(TRAILS).map(async (name) => [name, await delivered(name)] as const)));
    await expect.poll(found, { timeout: 30_000, interval: 500 }).toEqual(expected);
    const counted = await runCli(['doctor', '--data-dir', server.dataDir, '-o', 'json']);
    expect(counted.exitCode, counted.text).toBe(0);
  },
  60_000,
);

test.skipIf(aws === undefined)(
  'a fresh trail has the default, which takes no data events (EV4); show prints what a trail takes',
  async () => {
    await cli('cloudtrail', 'put-event-selectors', '--trail-name', 'writes', '--event-selectors', '[{}]');
    expect(await cli('cloudtrail', 'get-event-selectors', '--trail-name', 'writes')).toMatchObject({
      EventSelectors: [{ ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [] }],
    });
    await cli('cloudtrail', 'delete-trail', '--name', 'basic');
    await cli('cloudtrail', 'create-trail', '--name', 'fresh', '--s3-bucket-name', BUCKET, '--s3-key-prefix', 'fresh');
    const { AdvancedEventSelectors } = await cli('cloudtrail', 'get-event-selectors', '--trail-name', 'fresh');
    expect(AdvancedEventSelectors).toEqual([expect.objectContaining(advanced('Management'))]);
    expect((await cli('cloudtrail', 'get-trail', '--name', 'fresh')).Trail.HasCustomEventSelectors).toBe(false);
    const shown = await runCli(['trails', 'show', 'functions', '--data-dir', server.dataDir, '-o', 'table']);
    expect(shown.text).toMatch(/Events +data\n/);
  },
  90_000,
);
