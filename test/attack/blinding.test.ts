/**
 * Attempts to switch the record off or to blind it: rows A19 to A21 and A27 to A29, against the built server.
 */
import { rm } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';

const ACCOUNT = '111111111111';
const REGION = 'us-east-1';
const BUCKET = 'evidence-bucket';

let server: StartedServer;
let client: Client;

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '200ms', '--digest-interval', '2s'] });
  client = new Client({ ...(await findServer({ dataDir: server.dataDir })), region: REGION });
  await putTrailBucket(client, BUCKET, ACCOUNT);
  await client.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
  await client.cloudtrail('StartLogging', { Name: 'main' });
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

/** The records of a name in event history, newest first. */
async function history(eventName: string): Promise<readonly Record<string, unknown>[]> {
  const input = { LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: eventName }] };
  const { Events } = await client.cloudtrail<{ Events: readonly { CloudTrailEvent: string }[] }>('LookupEvents', input);
  return Events.map(({ CloudTrailEvent }) => JSON.parse(CloudTrailEvent) as Record<string, unknown>);
}

/** Texts of all log files that are delivered. */
async function delivered(): Promise<string> {
  const { body } = await client.send('s3', 'GET', `/${BUCKET}?list-type=2&prefix=AWSLogs/${ACCOUNT}/CloudTrail/`, {});
  const keys = [...new TextDecoder().decode(body).matchAll(/<Key>([^<]+\.json\.gz)<\/Key>/g)].map((match) => match[1]!);
  const texts = await Promise.all(
    keys.map(async (key) => gunzipSync((await client.send('s3', 'GET', `/${BUCKET}/${key}`, {})).body).toString()),
  );
  return texts.join('\n');
}

function record(eventName: string, more: object): Record<string, unknown> {
  return {
    eventVersion: '1.08',
    userIdentity: { type: 'Root', principalId: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root`, accountId: ACCOUNT },
    eventTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    eventSource: 'iam.amazonaws.com',
    eventName,
    awsRegion: REGION,
    sourceIPAddress: '192.0.2.1',
    requestParameters: null,
    responseElements: null,
    eventID: crypto.randomUUID(),
    eventType: 'AwsApiCall',
    readOnly: false,
    managementEvent: true,
    recipientAccountId: ACCOUNT,
    eventCategory: 'Management',
    ...more,
  };
}

const submit = async (...records: readonly object[]) =>
  client.submit(new TextEncoder().encode(records.map((each) => JSON.stringify(each)).join('\n')), {
    source: 'record',
    createAccounts: false,
  });

describe('A19: a stopped and a deleted trail', () => {
  test('stop delivery alone: the call is the last that is delivered, and history has what came after it', async () => {
    await client.cloudtrail('StopLogging', { Name: 'main' });
    await submit(record('AfterTheStop', {}));
    await expect.poll(() => history('AfterTheStop'), { timeout: 10_000 }).toHaveLength(1);
    await expect.poll(delivered, { timeout: 20_000 }).toContain('"eventName":"StopLogging"');
    expect(await delivered()).not.toContain('AfterTheStop');
    await client.cloudtrail('StartLogging', { Name: 'main' });

    await client.cloudtrail('CreateTrail', { Name: 'short', S3BucketName: BUCKET });
    await client.cloudtrail('DeleteTrail', { Name: 'short' });
    await expect.poll(() => history('DeleteTrail'), { timeout: 10_000 }).toMatchObject([{ requestParameters: { name: 'short' } }]);
    expect(await history('StopLogging')).toHaveLength(1);
  });
});

describe('A27: parameters padded beyond what a record holds', () => {
  test('of an event that is sent in are kept whole, found and delivered', async () => {
    const policyDocument = `{"Version":"2012-10-17",${' '.repeat(131_072)}"Statement":[]}`;
    await submit(record('PutUserPolicy', { requestParameters: { policyDocument } }));
    await expect.poll(() => history('PutUserPolicy'), { timeout: 10_000 }).toMatchObject([{ requestParameters: { policyDocument } }]);
    await expect.poll(delivered, { timeout: 20_000 }).toContain(JSON.stringify(policyDocument));
  });

  test('of a call to this server are refused at the limit of the document, and the refusal is recorded', async () => {
    const { status } = await client.send('s3', 'PUT', `/${BUCKET}?policy=`, {
      body: new TextEncoder().encode(`{"Version":"2012-10-17",${' '.repeat(110_000)}"Statement":[]}`),
    });
    expect(status).toBe(413);
    await expect
      .poll(async () => (await history('PutBucketPolicy')).filter(({ errorCode }) => errorCode !== undefined), { timeout: 10_000 })
      .toHaveLength(1);
  });
});

describe('A28: an event of more than 256 KB', () => {
  test('is kept and delivered as it was sent', async () => {
    const padding = 'x'.repeat(300_000);
    await submit(record('CreateRole', { additionalEventData: { padding } }));
    await expect.poll(delivered, { timeout: 20_000 }).toContain(padding);
    expect(await history('CreateRole')).toMatchObject([{ additionalEventData: { padding } }]);
  });
});

describe('A29: a storm of events', () => {
  test('pushes nothing out: every event of it, and one among them, is found and delivered', async () => {
    const storm = Array.from({ length: 3_000 }, () => record('ListUsers', { readOnly: true }));
    storm[1_500] = record('AttachUserPolicy', {});
    const verdicts = await submit(...storm);
    expect(verdicts.filter(({ status }) => status === 'accepted')).toHaveLength(storm.length);
    await expect.poll(() => history('AttachUserPolicy'), { timeout: 20_000 }).toHaveLength(1);
    await expect.poll(async () => (await delivered()).split('"eventName":"ListUsers"').length - 1, { timeout: 60_000 }).toBe(2_999);
  });
});
