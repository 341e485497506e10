/**
 * A trail that delivers to CloudWatch Logs, as its users set it up: by the AWS CLI, into a moto whose IAM decides what roles may do.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli } from '../support/clients.ts';
import { MOTO_ACCOUNT as ACCOUNT, MOTO_KEY, type Moto, startMoto } from '../support/moto.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const REGION = 'us-east-1';
const GROUP = 'CloudTrail/DefaultLogGroup';
const GROUP_ARN = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${GROUP}:*`;
const STREAM = `${ACCOUNT}_CloudTrail_${REGION}`;
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const policyOf = (...Action: string[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] });
const trustIn = (user: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/${user}` }, Action: 'sts:AssumeRole' }],
  });

const aws = await findAwsCli();
const hasMoto = hasCommands(['moto_server'], 'install `moto[server]` from PyPI to deliver to CloudWatch Logs');

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
interface LogEvents {
  readonly events: readonly { readonly message: string; readonly timestamp: number; readonly logStreamName: string }[];
}
interface Status {
  readonly LatestDeliveryTime?: string;
  readonly LatestDeliveryError?: string;
  readonly LatestCloudWatchLogsDeliveryTime?: string;
  readonly LatestCloudWatchLogsDeliveryError?: string;
}

describe.skipIf(!hasMoto || aws === undefined)('DL3 a trail with a log group', () => {
  let moto: Moto;
  let server: StartedServer;
  let folder: string;
  let ours: AwsCli;
  let theirs: AwsCli;

  beforeAll(async () => {
    moto = await startMoto();
    theirs = awsCli(aws!, clientEnvironment(moto.endpoint, MOTO_KEY, REGION));
    const makeUser = async (name: string, policy: string): Promise<Key> => {
      await theirs('iam', 'create-user', '--user-name', name);
      await theirs('iam', 'put-user-policy', '--user-name', name, '--policy-name', 'p', '--policy-document', policy);
      const { AccessKey } = await theirs<{ AccessKey: { AccessKeyId: string; SecretAccessKey: string } }>(
        'iam',
        'create-access-key',
        '--user-name',
        name,
      );
      return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
    };
    const reader = await makeUser('reader', policyOf('*'));
    const snowtrail = await makeUser('snowtrail', policyOf('sts:AssumeRole'));
    const roles = {
      narrow: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      mute: ['logs:CreateLogStream'],
      none: ['s3:GetObject'],
      untrusting: ['*'],
    };
    for (const [name, actions] of Object.entries(roles)) {
      const trust = trustIn(name === 'untrusting' ? 'reader' : 'snowtrail');
      await theirs('iam', 'create-role', '--role-name', name, '--assume-role-policy-document', trust);
      await theirs('iam', 'put-role-policy', '--role-name', name, '--policy-name', 'p', '--policy-document', policyOf(...actions));
    }
    await theirs('logs', 'create-log-group', '--log-group-name', GROUP);
    await moto.enforce();
    theirs = awsCli(aws!, clientEnvironment(moto.endpoint, reader, REGION));

    folder = await mkdtemp(join(tmpdir(), 'snowtrail-logs-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { logs: { endpoint: moto.endpoint, credentials: snowtrail } } }));
    server = await startServer({ flags: ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s'] });
    ours = await rootCli(aws!, server, REGION);
    await ours('s3api', 'create-bucket', '--bucket', 'evidence');
    await ours('s3api', 'put-bucket-policy', '--bucket', 'evidence', '--policy', JSON.stringify(bucketPolicy('evidence', ACCOUNT)));
  });

  afterAll(async () => {
    await server?.stop();
    await moto?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  const createTrail = (name: string, roleName: string) =>
    [
      ['cloudtrail', 'create-trail', '--name', name, '--s3-bucket-name', 'evidence'],
      ['--cloud-watch-logs-log-group-arn', GROUP_ARN, '--cloud-watch-logs-role-arn', role(roleName)],
    ].flat();
  const statusOf = (name: string) => ours<Status>('cloudtrail', 'get-trail-status', '--name', name);

  test('EN5 each selected event is one message within 5 seconds, with a role that may make streams and write to them and nothing else', async () => {
    expect(await ours(...createTrail('narrow', 'narrow'))).toMatchObject({
      CloudWatchLogsLogGroupArn: GROUP_ARN,
      CloudWatchLogsRoleArn: role('narrow'),
    });
    await ours('cloudtrail', 'start-logging', '--name', 'narrow');
    const record = { eventVersion: '1.11', eventTime: `${new Date().toISOString().slice(0, 19)}Z`, eventName: 'RunInstances' };
    const text = JSON.stringify({ ...record, eventSource: 'ec2.amazonaws.com', awsRegion: REGION, eventID: 'logs-event-1' });
    const { exitCode, stderr } = await runCli(['record', '-', '--data-dir', server.dataDir], { input: `${text}\n` });
    expect(`${exitCode} ${stderr}`).toMatch(/^0 /);
    const fromMs = performance.now();
    const found = await untilSaid('the message', async () => {
      const { events } = await theirs<LogEvents>('logs', 'filter-log-events', '--log-group-name', GROUP);
      return events.find(({ message }) => message.includes('logs-event-1'));
    });
    expect(performance.now() - fromMs).toBeLessThan(5_000);
    expect(found).toMatchObject({ message: text, timestamp: Date.parse(record.eventTime), logStreamName: STREAM });
    expect((await statusOf('narrow')).LatestCloudWatchLogsDeliveryTime).toBeDefined();
    expect((await statusOf('narrow')).LatestCloudWatchLogsDeliveryError).toBeUndefined();
  });

  test('EN5 with a role that may not write, the status says so, and log files come all the same', async () => {
    await ours(...createTrail('mute', 'mute'));
    await ours('cloudtrail', 'start-logging', '--name', 'mute');
    const status = await untilSaid('an error and a delivery', async () => {
      const now = await statusOf('mute');
      return now.LatestCloudWatchLogsDeliveryError !== undefined && now.LatestDeliveryTime !== undefined ? now : undefined;
    });
    expect(status.LatestCloudWatchLogsDeliveryError).toBe('AccessDenied');
    expect(status.LatestDeliveryError).toBeUndefined();
  });

  test('EN5 a role that may do nothing there, or does not trust, is refused with the policy that is missing', async () => {
    const denied = await ours.refusal(...createTrail('denied', 'none'));
    expect(denied).toContain('(InvalidCloudWatchLogsLogGroupArnException)');
    expect(denied).toContain(`"logs:PutLogEvents"],"Resource":["${GROUP_ARN.slice(0, -1)}log-stream:${STREAM}*"]`);
    expect(await ours.refusal(...createTrail('untrusting', 'untrusting'))).toContain('(InvalidCloudWatchLogsRoleArnException)');
  });
});
