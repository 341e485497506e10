/**
 * Trails that tell topics of their deliveries, set up by the AWS CLI: topics of a foreign SNS (moto), which hands on to a queue.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli } from '../support/clients.ts';
import { MOTO_ACCOUNT as ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const BUCKET = 'evidence';
const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to tell a foreign SNS of deliveries');

const topicPolicy = (topic: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AWSCloudTrailSNSPolicy20131101',
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 'SNS:Publish',
        Resource: topic,
      },
    ],
  });

describe.skipIf(!hasMoto || aws === undefined)('a trail with a topic at a foreign SNS', () => {
  let moto: Moto;
  let server: StartedServer;
  let folder: string;
  let ours: AwsCli;
  let theirs: AwsCli;

  beforeAll(async () => {
    moto = await startMoto();
    theirs = awsCli(aws!, clientEnvironment(moto.endpoint, MOTO_KEY, REGION));
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-notices-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { sns: { endpoint: moto.endpoint, credentials: MOTO_KEY } } }));
    server = await startServer({ flags: ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s'] });
    ours = await rootCli(aws!, server, REGION);
    await ours('s3api', 'create-bucket', '--bucket', BUCKET);
    await ours('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify(bucketPolicy(BUCKET, ACCOUNT)));
  });

  afterAll(async () => {
    await server?.stop();
    await moto?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  /** The CLI takes no endpoint for SQS from the environment. */
  const sqs = (operation: string) => ['sqs', operation, '--endpoint-url', moto.endpoint];

  test('each delivery is a message in the service form, and the key in it is there', async () => {
    const { TopicArn } = await theirs<{ TopicArn: string }>('sns', 'create-topic', '--name', 'deliveries');
    const { QueueUrl } = await theirs<{ QueueUrl: string }>(...sqs('create-queue'), '--queue-name', 'deliveries');
    const queue = `arn:aws:sqs:${REGION}:${ACCOUNT}:deliveries`;
    await theirs('sns', 'subscribe', '--topic-arn', TopicArn, '--protocol', 'sqs', '--notification-endpoint', queue);
    const create = ['cloudtrail', 'create-trail', '--name', 'main', '--s3-bucket-name', BUCKET, '--sns-topic-name', TopicArn];
    const refusal = await ours.refusal(...create);
    expect(refusal).toContain('(InsufficientSnsTopicPolicyException)');
    expect(refusal).toContain('"Sid":"AWSCloudTrailSNSPolicy20131101"');

    const policy = ['--attribute-name', 'Policy', '--attribute-value', topicPolicy(TopicArn)];
    await theirs('sns', 'set-topic-attributes', '--topic-arn', TopicArn, ...policy);
    expect(await ours(...create)).toMatchObject({ SnsTopicARN: TopicArn, SnsTopicName: 'deliveries' });
    await ours('cloudtrail', 'start-logging', '--name', 'main');
    // Something to deliver: the call itself is an event.
    await ours('cloudtrail', 'list-trails');
    const body = await untilSaid('the message', async () => {
      const { Messages } = await theirs<{ Messages?: { Body: string }[] }>(...sqs('receive-message'), '--queue-url', QueueUrl);
      return Messages?.[0]?.Body;
    });
    const { Message } = JSON.parse(body) as { Message: string };
    const told = JSON.parse(Message) as { s3Bucket: string; s3ObjectKey: string[] };
    expect(Message).toBe(JSON.stringify({ s3Bucket: told.s3Bucket, s3ObjectKey: told.s3ObjectKey }));
    expect(told.s3Bucket).toBe(BUCKET);
    await ours('s3api', 'head-object', '--bucket', BUCKET, '--key', told.s3ObjectKey[0]!);
    const status = await ours<Record<string, string>>('cloudtrail', 'get-trail-status', '--name', 'main');
    expect(status['LatestNotificationTime']).toBeDefined();
    expect(status['LatestNotificationAttemptSucceeded']).toMatch(/^\d{4}-.*Z$/);
    expect(status['LatestNotificationError']).toBeUndefined();
  });
});
