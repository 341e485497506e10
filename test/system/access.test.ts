/**
 * Policies at work, with the stock AWS CLI as the caller: who is refused, in which words, what the record says, and who explains it.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const ACCOUNT = '222222222222';
const STRANGER = '333333333333';
const REGION = 'us-east-1';
const BUCKET = 'evidence-of-access';
const ALICE = `arn:aws:iam::${ACCOUNT}:user/alice`;
const aws = await findAwsCli();

let server: StartedServer;
let root: Record<string, string>;
let alice: Record<string, string>;

const as = (env: Record<string, string>, ...args: readonly string[]) => run(aws!, args, { env });
const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const allow = (policy: string) =>
  as(root, 'iam', 'put-user-policy', '--user-name', 'alice', '--policy-name', 'Read', '--policy-document', policy);
const explain = async (...args: readonly string[]) => {
  const { exitCode, text, stderr } = await runCli(['access', 'explain', ...args, '--data-dir', server.dataDir, '-o', 'ndjson']);
  return exitCode === 0 ? JSON.parse(text) : stderr;
};

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', '111111111111'] });
  for (const account of [ACCOUNT, STRANGER])
    expect((await runCli(['accounts', 'create', account, '--data-dir', server.dataDir])).exitCode).toBe(0);
  const access = await findServer({ dataDir: server.dataDir, account: ACCOUNT });
  root = clientEnvironment(server.url, access, REGION);
  const client = new Client({ ...access, region: REGION });
  await putTrailBucket(client, BUCKET, ACCOUNT);
  await client.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: BUCKET });
  if (aws === undefined) return;
  expect((await as(root, 'iam', 'create-user', '--user-name', 'alice')).code).toBe(0);
  const made = JSON.parse((await as(root, 'iam', 'create-access-key', '--user-name', 'alice')).stdout).AccessKey;
  alice = clientEnvironment(server.url, { accessKeyId: made.AccessKeyId, secretAccessKey: made.SecretAccessKey }, REGION);
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

describe.skipIf(aws === undefined)('a user', () => {
  test('may do nothing by default, is told why, and the record says it and names what was missing', async () => {
    const { code, stderr } = await as(alice, 'cloudtrail', 'stop-logging', '--name', 'main');
    expect(code).not.toBe(0);
    const message = `User: ${ALICE} is not authorized to perform: cloudtrail:StopLogging on resource: arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/main because no identity-based policy allows the cloudtrail:StopLogging action`;
    expect(stderr).toContain(`An error occurred (AccessDeniedException) when calling the StopLogging operation: ${message}`);
    const found = await as(root, 'cloudtrail', 'lookup-events', '--lookup-attributes', 'AttributeKey=EventName,AttributeValue=StopLogging');
    const { EventId, CloudTrailEvent } = JSON.parse(found.stdout).Events[0];
    expect(JSON.parse(CloudTrailEvent)).toMatchObject({ errorCode: 'AccessDenied', errorMessage: message, userIdentity: { arn: ALICE } });
    expect(await explain(EventId)).toMatchObject({ Outcome: 'not-allowed', PolicyType: 'identity-based policy' });
  });

  test('may do what a policy allows from the next call on, and not any more when it is taken away', async () => {
    const status = () => as(alice, 'cloudtrail', 'get-trail-status', '--name', 'main');
    await allow(document({ Sid: 'Look', Effect: 'Allow', Action: 'cloudtrail:Get*', Resource: '*' }));
    expect((await status()).code).toBe(0);
    const found = await as(
      root,
      'cloudtrail',
      'lookup-events',
      '--lookup-attributes',
      'AttributeKey=EventName,AttributeValue=GetTrailStatus',
    );
    expect(await explain(JSON.parse(found.stdout).Events[0].EventId)).toMatchObject({ Outcome: 'allowed', Statement: 'Look' });
    const ask = ['--principal', ALICE, '--resource', `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/main`, '--action'];
    expect(await explain(...ask, 'cloudtrail:GetTrailStatus')).toMatchObject({
      Outcome: 'allowed',
      Statement: 'Look',
      Policy: 'inline policy Read of user alice',
    });
    expect(await explain(...ask, 'cloudtrail:StopLogging')).toMatchObject({ Outcome: 'not-allowed' });
    await as(root, 'iam', 'delete-user-policy', '--user-name', 'alice', '--policy-name', 'Read');
    expect((await status()).stderr).toContain('AccessDeniedException');
  });

  test('reads a bucket by its own policy or by the bucket’s, unless one denies', async () => {
    const list = () => as(alice, 's3api', 'list-objects-v2', '--bucket', BUCKET, '--prefix', 'AWSLogs/');
    expect((await list()).stderr).toContain('because no identity-based policy allows the s3:ListBucket action');
    const own = document({
      Effect: 'Allow',
      Action: 's3:ListBucket',
      Resource: `arn:aws:s3:::${BUCKET}`,
      Condition: { StringLike: { 's3:prefix': 'AWSLogs/*' } },
    });
    await allow(own);
    expect((await list()).code).toBe(0);
    expect((await as(alice, 's3api', 'list-objects-v2', '--bucket', BUCKET)).code).not.toBe(0);
    const documented = bucketPolicy(BUCKET, ACCOUNT) as { Statement: object[] };
    const keep = { Sid: 'Keep', Effect: 'Deny', Principal: { AWS: ALICE }, Action: 's3:*', Resource: `arn:aws:s3:::${BUCKET}` };
    await as(
      root,
      's3api',
      'put-bucket-policy',
      '--bucket',
      BUCKET,
      '--policy',
      JSON.stringify({ ...documented, Statement: [...documented.Statement, keep] }),
    );
    expect((await list()).stderr).toContain('with an explicit deny in a resource-based policy');
    const ask = ['--principal', ALICE, '--action', 's3:ListBucket', '--resource', `arn:aws:s3:::${BUCKET}`];
    expect(await explain(...ask, '--context', 's3:prefix=AWSLogs/')).toMatchObject({
      Outcome: 'denied',
      Statement: 'Keep',
      PolicyType: 'resource-based policy',
    });
  });

  test('of another account is not explained, and looks as one that is not there', async () => {
    const stranger = new Client({ ...(await findServer({ dataDir: server.dataDir, account: STRANGER })), region: REGION });
    const ask = (arn: string) => stranger.call('ExplainAccess', { PrincipalArn: arn, Action: 'cloudtrail:StopLogging' });
    await expect(ask(ALICE)).rejects.toThrow(`there is no root, user or role \`${ALICE}\` here`);
    await expect(ask(`${ALICE}2`)).rejects.toThrow(`there is no root, user or role \`${ALICE}2\` here`);
  });
});
