/**
 * `aws cloudtrail create-subscription` and `update-subscription` of the AWS CLI 1, with a bucket and a topic of this server.
 *
 * The policies are given: else the CLI reads them from the bucket `awscloudtrail-policy-<Region>`, which belongs to AWS.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { findAwsCli } from '../support/clients.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const REGION = 'us-east-1';
const ACCOUNT = '111122223333';
const aws = await findAwsCli();
const Principal = { Service: 'cloudtrail.amazonaws.com' };

/** In the form that the CLI fills in. */
const bucketTemplate = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Sid: 'AWSCloudTrailAclCheck20150319', Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: 'arn:aws:s3:::<BucketName>' },
    {
      Sid: 'AWSCloudTrailWrite20150319',
      Effect: 'Allow',
      Principal,
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::<BucketName>/<Prefix>/AWSLogs/<CustomerAccountID>/*',
      Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
    },
  ],
});
const topicTemplate = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'AWSCloudTrailSNSPolicy20131101',
      Effect: 'Allow',
      Principal,
      Action: 'SNS:Publish',
      Resource: 'arn:aws:sns:<Region>:<SNSTopicOwnerAccountId>:<SNSTopicName>',
    },
  ],
});

describe.skipIf(aws === undefined)('the subscription commands of the AWS CLI', () => {
  let server: StartedServer;
  let folder: string;
  let cli: AwsCli;
  let policies: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-subscription-'));
    await writeFile(join(folder, 'bucket.json'), bucketTemplate);
    await writeFile(join(folder, 'topic.json'), topicTemplate);
    policies = [
      ['--s3-custom-policy', `file://${join(folder, 'bucket.json')}`],
      ['--sns-custom-policy', `file://${join(folder, 'topic.json')}`],
    ].flat();
    server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '1s'] });
    cli = await rootCli(aws!, server, REGION);
  });

  afterAll(async () => {
    await server?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  test('make bucket, topic and trail, start it, and its deliveries are told', async () => {
    const words = ['cloudtrail', 'create-subscription', '--name', 'main', '--s3-new-bucket', 'audit-logs', '--sns-new-topic', 'told'];
    const said = await cli.text(...words, ...policies);
    expect(said).toContain('Logs will be delivered to audit-logs:');
    const trail = (await cli<{ trailList: object[] }>('cloudtrail', 'describe-trails')).trailList;
    expect(trail).toMatchObject([{ Name: 'main', S3BucketName: 'audit-logs', SnsTopicARN: `arn:aws:sns:${REGION}:${ACCOUNT}:told` }]);
    const status = await untilSaid('a delivery that is told', async () => {
      const now = await cli<Record<string, string>>('cloudtrail', 'get-trail-status', '--name', 'main');
      return now['LatestNotificationTime'] === undefined ? undefined : now;
    });
    expect(status['LatestNotificationError']).toBeUndefined();
  });

  test('change the bucket, the prefix and the topic', async () => {
    const words = ['cloudtrail', 'update-subscription', '--name', 'main', '--s3-new-bucket', 'audit-logs-2', '--s3-prefix', 'logs'];
    await cli.text(...words, '--sns-new-topic', 'told-2', ...policies);
    const trail = (await cli<{ trailList: object[] }>('cloudtrail', 'describe-trails')).trailList;
    expect(trail).toMatchObject([{ S3BucketName: 'audit-logs-2', S3KeyPrefix: 'logs', SnsTopicName: 'told-2' }]);
  });

  test('take back what they made when the trail is refused', async () => {
    const words = ['cloudtrail', 'create-subscription', '--name', 'main', '--s3-new-bucket', 'audit-logs-3', '--sns-new-topic', 'told-3'];
    expect(await cli.refusal(...words, ...policies)).toContain('TrailAlreadyExistsException');
    expect(JSON.stringify(await cli('sns', 'list-topics'))).not.toContain('told-3');
    expect(await cli.refusal('s3api', 'head-bucket', '--bucket', 'audit-logs-3')).toContain('404');
  });

  test('a topic shows its policy to clients, and one that is not there is refused as the service does', async () => {
    const arn = `arn:aws:sns:${REGION}:${ACCOUNT}:told`;
    const { Attributes } = await cli<{ Attributes: Record<string, string> }>('sns', 'get-topic-attributes', '--topic-arn', arn);
    expect(Attributes).toMatchObject({ TopicArn: arn, Owner: ACCOUNT });
    expect(Attributes['Policy']).toContain('AWSCloudTrailSNSPolicy20131101');
    expect(await cli.refusal('sns', 'get-topic-attributes', '--topic-arn', `${arn}-3`)).toContain('(NotFound)');
    const sms = ['--protocol', 'sms', '--notification-endpoint', '+49123'];
    expect(await cli.refusal('sns', 'subscribe', '--topic-arn', arn, ...sms)).toContain('(InvalidParameter)');
  });
});
