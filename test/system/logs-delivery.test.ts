/**
 * A trail that delivers to CloudWatch Logs, as its users set it up: by the AWS CLI, into a moto whose IAM decides what roles may do.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
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
  let ours: Record<string, string>;
  let theirs: Record<string, string>;

  beforeAll(async () => {
    moto = await startMoto();
    theirs = clientEnvironment(moto.endpoint, MOTO_KEY, REGION);
    const makeUser = async (name: string, policy: string): Promise<Key> => {
      await call(theirs, 'iam', 'create-user', '--user-name', name);
      await call(theirs, 'iam', 'put-user-policy', '--user-name', name, '--policy-name', 'p', '--policy-document', policy);
      const { AccessKey } = await call<{ AccessKey: { AccessKeyId: string; SecretAccessKey: string } }>(
        theirs,
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
      await call(theirs, 'iam', 'create-role', '--role-name', name, '--assume-role-policy-document', trust);
      await call(theirs, 'iam', 'put-role-policy', '--role-name', name, '--policy-name', 'p', '--policy-document', policyOf(...actions));
    }
    await call(theirs, 'logs', 'create-log-group', '--log-group-name', GROUP);
    await moto.enforce();
    theirs = clientEnvironment(moto.endpoint, reader, REGION);

    folder = await mkdtemp(join(tmpdir(), 'snowtrail-logs-'));
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(config, JSON.stringify({ delivery: { logs: { endpoint: moto.endpoint, credentials: snowtrail } } }));
    server = await startServer({ flags: ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s'] });
    const { text } = await runCli(['env', '--data-dir', server.dataDir]);
    const variables = Object.fromEntries([...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!]));
    const key = { accessKeyId: variables['AWS_ACCESS_KEY_ID']!, secretAccessKey: variables['AWS_SECRET_ACCESS_KEY']! };
    ours = clientEnvironment(server.url, key, REGION);
    await call(ours, 's3api', 'create-bucket', '--bucket', 'evidence');
    await call(ours, 's3api', 'put-bucket-policy', '--bucket', 'evidence', '--policy', JSON.stringify(bucketPolicy('evidence', ACCOUNT)));
  });

  afterAll(async () => {
    await server?.stop();
    await moto?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  /** An AWS CLI call that must succeed. */
  async function call<T = unknown>(env: Record<string, string>, ...words: string[]): Promise<T> {
    const { code, stdout, stderr } = await run(aws!, words, { env });
    expect(`${code} ${stderr}`, words.join(' ')).toMatch(/^0 /);
    return (stdout === '' ? {} : JSON.parse(stdout)) as T;
  }

  async function refusal(...words: string[]): Promise<string> {
    return (await run(aws!, words, { env: ours })).stderr;
  }

  const createTrail = (name: string, roleName: string) =>
    [
      ['cloudtrail', 'create-trail', '--name', name, '--s3-bucket-name', 'evidence'],
      ['--cloud-watch-logs-log-group-arn', GROUP_ARN, '--cloud-watch-logs-role-arn', role(roleName)],
    ].flat();
  const statusOf = (name: string) => call<Status>(ours, 'cloudtrail', 'get-trail-status', '--name', name);

  /** Polls until it says something. */
  async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    for (const endMs = performance.now() + 30_000; ; await sleep(200)) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > endMs) throw new Error(`${what} did not come:\n${server.stderr()}`);
    }
  }

  test('EN5 each selected event is one message within 5 seconds, with a role that may make streams and write to them and nothing else', async () => {
    expect(await call(ours, ...createTrail('narrow', 'narrow'))).toMatchObject({
      CloudWatchLogsLogGroupArn: GROUP_ARN,
      CloudWatchLogsRoleArn: role('narrow'),
    });
    await call(ours, 'cloudtrail', 'start-logging', '--name', 'narrow');
    const record = { eventVersion: '1.11', eventTime: `${new Date().toISOString().slice(0, 19)}Z`, eventName: 'RunInstances' };
    const text = JSON.stringify({ ...record, eventSource: 'ec2.amazonaws.com', awsRegion: REGION, eventID: 'logs-event-1' });
    const { exitCode, stderr } = await runCli(['record', '-', '--data-dir', server.dataDir], { input: `${text}\n` });
    expect(`${exitCode} ${stderr}`).toMatch(/^0 /);
    const fromMs = performance.now();
    const found = await until('the message', async () => {
      const { events } = await call<LogEvents>(theirs, 'logs', 'filter-log-events', '--log-group-name', GROUP);
      return events.find(({ message }) => message.includes('logs-event-1'));
    });
    expect(performance.now() - fromMs).toBeLessThan(5_000);
    expect(found).toMatchObject({ message: text, timestamp: Date.parse(record.eventTime), logStreamName: STREAM });
    expect((await statusOf('narrow')).LatestCloudWatchLogsDeliveryTime).toBeDefined();
    expect((await statusOf('narrow')).LatestCloudWatchLogsDeliveryError).toBeUndefined();
  });

  test('EN5 with a role that may not write, the status says so, and log files come all the same', async () => {
    await call(ours, ...createTrail('mute', 'mute'));
    await call(ours, 'cloudtrail', 'start-logging', '--name', 'mute');
    const status = await until('an error and a delivery', async () => {
      const now = await statusOf('mute');
      return now.LatestCloudWatchLogsDeliveryError !== undefined && now.LatestDeliveryTime !== undefined ? now : undefined;
    });
    expect(status.LatestCloudWatchLogsDeliveryError).toBe('AccessDenied');
    expect(status.LatestDeliveryError).toBeUndefined();
  });

  test('EN5 a role that may do nothing there, or does not trust, is refused with the policy that is missing', async () => {
    const denied = await refusal(...createTrail('denied', 'none'));
    expect(denied).toContain('(InvalidCloudWatchLogsLogGroupArnException)');
    expect(denied).toContain(`"logs:PutLogEvents"],"Resource":["${GROUP_ARN.slice(0, -1)}log-stream:${STREAM}*"]`);
    expect(await refusal(...createTrail('untrusting', 'untrusting'))).toContain('(InvalidCloudWatchLogsRoleArnException)');
  });
});
