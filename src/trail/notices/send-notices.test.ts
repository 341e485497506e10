import { beforeEach, describe, expect, test } from 'vitest';
import { BUCKET, HOME, START_MS, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../../test/support/trail-rig.ts';
import type { Trails } from '../create-trails.ts';
import { trailArn } from '../trail.ts';
import { messagesOf } from './notice.ts';

const TOPIC = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
const TRAIL = trailArn({ account: TRAIL_ACCOUNT, homeRegion: HOME, name: 'main' });
const MINUTE_MS = 60_000;

let rig: TrailRig;
let trails: Trails;

/** The documented policy of a topic. */
function policyOf(topic: string, source = TRAIL): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AWSCloudTrailSNSPolicy20131101',
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 'SNS:Publish',
        Resource: topic,
        Condition: { StringEquals: { 'aws:SourceArn': source } },
      },
    ],
  });
}

function makeTopic(arn: string, policy?: string): void {
  rig.topics.topics.set(arn, { ...(policy === undefined ? {} : { policy }), messages: [] });
}

const create = (SnsTopicName: string) => rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, SnsTopicName });
const status = () => rig.send(trails, 'GetTrailStatus', { Name: 'main' });
const messages = (arn = TOPIC) => rig.topics.topics.get(arn)!.messages.map((text) => JSON.parse(text) as unknown);
const waiting = async () => (await rig.catalog.list(['trail-notice'])).length;

/** Keys of the log files in the bucket. */
async function logFiles(): Promise<readonly string[]> {
  const { objects } = await rig.objects.list(BUCKET, { limit: 1000 });
  return objects.map(({ key }) => key).filter((key) => key.includes('/CloudTrail/') && key.endsWith('.json.gz'));
}

beforeEach(async () => {
  rig = new TrailRig();
  await rig.createBucket();
  trails = await rig.open();
});

describe('notices of deliveries', () => {
  beforeEach(async () => {
    makeTopic(TOPIC, policyOf(TOPIC));
    await create('deliveries');
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.pass(trails, 10_000);
  });

  test('what waits, was sent, failed and was given up is told of each trail', async () => {
    const name = `notices/${TRAIL_ACCOUNT}/${HOME}/main`;
    expect(await trails.noticeLines()).toEqual([]);
    rig.topics.outage = 'ServiceUnavailable';
    await rig.record(HOME);
    await rig.pass(trails, 10_000);
    const [line] = await trails.noticeLines();
    expect(line).toMatchObject({ name, waiting: 1, sent: 0, givenUp: 0, problem: 'ServiceUnavailable' });
    expect(line!.failed).toBeGreaterThan(0);
    rig.topics.outage = undefined;
    await rig.pass(trails, 10 * MINUTE_MS);
    expect(await trails.noticeLines()).toEqual([{ name, waiting: 0, sent: 1, failed: expect.any(Number), givenUp: 0 }]);
  });

  test('each batch of log files is one message, with the bucket and the keys', async () => {
    const before = messages().length;
    await rig.record(HOME);
    await rig.pass(trails, 10_000);
    const files = await logFiles();
    expect(messages().slice(before)).toEqual([{ s3Bucket: BUCKET, s3ObjectKey: files.slice(-1) }]);
    expect(messages()).toHaveLength(files.length);
    const { LatestNotificationTime, LatestNotificationAttemptTime, LatestNotificationAttemptSucceeded } = await status();
    expect(LatestNotificationTime.getTime()).toBeGreaterThan(START_MS);
    expect(LatestNotificationAttemptTime).toBe(LatestNotificationAttemptSucceeded);
  });

  test('F25 while the topic is away log files go on, and what waits is told once, in order, when it is back, after a restart as well', async () => {
    const before = messages().length;
    rig.topics.outage = 'InternalError';
    for (let minutes = 0; minutes < 60; minutes += 20) {
      await rig.record(HOME);
      await rig.pass(trails, 20 * MINUTE_MS, MINUTE_MS);
    }
    expect(await status()).toMatchObject({ LatestNotificationError: 'InternalError' });
    expect(await status()).not.toHaveProperty('LatestDeliveryError');
    expect(await waiting()).toBe(3);
    trails = await rig.open();
    rig.topics.outage = undefined;
    await rig.pass(trails, 2 * MINUTE_MS, MINUTE_MS);
    expect(messages().slice(before)).toEqual((await logFiles()).slice(-3).map((key) => ({ s3Bucket: BUCKET, s3ObjectKey: [key] })));
    expect(await waiting()).toBe(0);
    expect(await status()).not.toHaveProperty('LatestNotificationError');
  });

  test('a policy that is taken back stops messages and shows; nothing is sent past it', async () => {
    makeTopic(TOPIC, policyOf(TOPIC, `${TRAIL}-2`));
    await rig.record(HOME);
    await rig.pass(trails, 10_000);
    expect(messages()).toEqual([]);
    expect(await status()).toMatchObject({ LatestNotificationError: 'AuthorizationError' });
  });

  test('what nobody takes for a day is given up, and counted', async () => {
    rig.topics.outage = 'InternalError';
    await rig.record(HOME);
    await rig.pass(trails, MINUTE_MS, MINUTE_MS);
    await rig.clock.advance(25 * 60 * MINUTE_MS);
    await rig.settle(trails);
    const [found] = await rig.catalog.list<{ givenUp: number }>(['notice-status']);
    expect(found!.value.givenUp).toBe(1);
    expect(await waiting()).toBe(0);
  });

  test('an empty name ends them: what waits is told to nobody', async () => {
    rig.topics.outage = 'InternalError';
    await rig.record(HOME);
    await rig.pass(trails, MINUTE_MS, MINUTE_MS);
    const decided = await rig.send(trails, 'UpdateTrail', { Name: 'main', SnsTopicName: '' });
    expect(decided).not.toHaveProperty('SnsTopicARN');
    rig.topics.outage = undefined;
    await rig.record(HOME);
    await rig.pass(trails, 3 * MINUTE_MS, MINUTE_MS);
    expect(await waiting()).toBe(0);
    expect(messages().length).toBeLessThan((await logFiles()).length);
  });
});

describe('the topic of a trail', () => {
  const NAMES = 'InvalidSnsTopicNameException';
  const POLICY = 'InsufficientSnsTopicPolicyException';

  test('is given by name or ARN, and answered as both', async () => {
    makeTopic(TOPIC, policyOf(TOPIC));
    const both = { SnsTopicName: 'deliveries', SnsTopicARN: TOPIC };
    expect(await create('deliveries')).toMatchObject(both);
    expect(await rig.send(trails, 'UpdateTrail', { Name: 'main', SnsTopicName: TOPIC })).toMatchObject(both);
    expect(await rig.send(trails, 'GetTrail', { Name: 'main' })).toMatchObject({ Trail: both });
  });

  test.each(['a topic', 'x'.repeat(257), 'deliveries.fifo', 'arn:aws:sqs:eu-central-1:123837392027:deliveries'])(
    'refuses the name %s, and names it',
    async (name) => {
      await expect(create(name)).rejects.toMatchObject({ code: NAMES, message: expect.stringContaining(name) });
    },
  );

  test('must be there, and its policy must let this trail publish; else the statement is printed', async () => {
    const statement = JSON.stringify((JSON.parse(policyOf(TOPIC)) as { Statement: unknown[] }).Statement[0]);
    const refused = (why: string) => ({ code: POLICY, message: expect.stringMatching(new RegExp(`^SNS Topic does not exist or.*${why}`)) });
    await expect(create('deliveries')).rejects.toMatchObject(refused('There is no such topic'));
    makeTopic(TOPIC);
    await expect(create('deliveries')).rejects.toMatchObject(refused('has no policy'));
    makeTopic(TOPIC, policyOf(TOPIC, `${TRAIL}-2`));
    await expect(create('deliveries')).rejects.toMatchObject(refused('No statement allows'));
    await expect(create('deliveries')).rejects.toMatchObject({ message: expect.stringContaining(statement) });
    const denying = JSON.parse(policyOf(TOPIC)) as { Statement: object[] };
    denying.Statement.push({ Sid: 'Never', Effect: 'Deny', Principal: '*', Action: 'sns:*', Resource: '*' });
    makeTopic(TOPIC, JSON.stringify(denying));
    await expect(create('deliveries')).rejects.toMatchObject(refused('Never denies'));
  });

  test("A18 of another account's topic nothing is told: one that is closed is refused as one that is not there", async () => {
    const foreign = `arn:aws:sns:${HOME}:${STRANGER}:deliveries`;
    const refusal = async () => create(foreign).catch((error: Error) => error.message);
    const missing = await refusal();
    makeTopic(foreign, policyOf(foreign, 'arn:aws:cloudtrail:us-east-1:111111111111:trail/other'));
    expect(await refusal()).toBe(missing);
    makeTopic(foreign, policyOf(foreign));
    expect(await create(foreign)).toMatchObject({ SnsTopicARN: foreign });
  });
});

describe('messagesOf', () => {
  test('keys that do not fit into one message are told in several', () => {
    const keys = Array.from({ length: 400 }, (_, at) => `${'k'.repeat(1_000)}${at}`);
    const parts = messagesOf({ bucket: 'b', keys });
    expect(parts.length).toBe(2);
    expect(parts.flatMap((text) => (JSON.parse(text) as { s3ObjectKey: string[] }).s3ObjectKey)).toEqual(keys);
    for (const text of parts) expect(text.length).toBeLessThan(256 * 1024);
  });
});
