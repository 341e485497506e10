/**
 * The two-person rule of `snowtrail.yaml`, with the stock AWS CLI as the caller and `snowtrail approvals` as the second person.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const TENANT = '222222222222';
const REGION = 'us-east-1';
const BUCKET = 'tenant-evidence';
const aws = await findAwsCli();

let folder: string;
let server: StartedServer;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-approvals-'));
  const config = join(folder, 'snowtrail.yaml');
  await writeFile(config, 'approvals:\n  persons: 2\n');
  server = await startServer({ flags: ['--account-id', '111111111111', '--config', config] });
  expect((await runCli(['accounts', 'create', TENANT, '--data-dir', server.dataDir])).exitCode).toBe(0);
  const access = await findServer({ dataDir: server.dataDir, account: TENANT });
  env = clientEnvironment(server.url, access, REGION);
  const client = new Client({ ...access, region: REGION });
  await putTrailBucket(client, BUCKET, TENANT);
  await client.cloudtrail('CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
  await client.cloudtrail('StartLogging', { Name: 'main' });
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(aws === undefined)('A19, A20: a trail under the two-person rule', () => {
  const cloudtrail = (...args: readonly string[]) => run(aws!, ['cloudtrail', ...args], { env });
  const isLogging = async () => JSON.parse((await cloudtrail('get-trail-status', '--name', 'main')).stdout).IsLogging as boolean;

  test('is not stopped by one person, and is stopped once another has approved this very call', async () => {
    const refused = await cloudtrail('stop-logging', '--name', 'main');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/OperationNotPermittedException.*StopLogging was not carried out.*Another person must approve it/);
    expect(await isLogging()).toBe(true);
    const id = /apr-[0-9a-f]{32}/.exec(refused.stderr)![0];

    const listed = await runCli(['approvals', 'list', '--data-dir', server.dataDir, '-o', 'ndjson']);
    expect(JSON.parse(listed.text)).toMatchObject({ ApprovalId: id, Account: TENANT, EventName: 'StopLogging', State: 'pending' });
    const own = await runCli(['approvals', 'approve', id, '--data-dir', server.dataDir, '--account', TENANT]);
    expect([own.exitCode, own.stderr]).toEqual([6, expect.stringMatching(/is who asked for this change, and cannot approve it/)]);
    expect((await runCli(['approvals', 'approve', id, '--for', TENANT, '--data-dir', server.dataDir])).exitCode).toBe(0);

    expect((await cloudtrail('stop-logging', '--name', 'main')).code).toBe(0);
    expect(await isLogging()).toBe(false);
    const events = JSON.parse(
      (await cloudtrail('lookup-events', '--lookup-attributes', 'AttributeKey=EventName,AttributeValue=StopLogging')).stdout,
    );
    const records = (events.Events as { CloudTrailEvent: string }[]).map(({ CloudTrailEvent }) => JSON.parse(CloudTrailEvent));
    expect(records.map(({ errorCode, additionalEventData }) => [errorCode, additionalEventData])).toEqual([
      [undefined, { approvalId: id, approvedBy: 'arn:aws:iam::111111111111:root' }],
      ['OperationNotPermittedException', undefined],
    ]);
  });

  test('A22, A23: may be widened by one person, and not narrowed, nor may its bucket or a key for trails', async () => {
    expect((await cloudtrail('start-logging', '--name', 'main')).code).toBe(0);
    expect((await cloudtrail('update-trail', '--name', 'main', '--is-multi-region-trail')).code).toBe(0);
    for (const [flag, what] of [
      ['--no-is-multi-region-trail', 'delivers its home Region us-east-1 alone'],
      ['--no-enable-log-file-validation', 'writes no digests'],
    ] as const) {
      const { stderr } = await cloudtrail('update-trail', '--name', 'main', flag);
      expect(stderr).toContain(what);
    }
    const s3api = (...args: readonly string[]) => run(aws!, ['s3api', ...args, '--bucket', BUCKET], { env });
    expect((await s3api('delete-bucket-policy')).stderr).toContain(`delivery is taken from the bucket ${BUCKET}`);
    expect((await s3api('get-bucket-policy')).code).toBe(0);
    const rules = JSON.stringify({ Rules: [{ Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } }] });
    const expire = () => s3api('put-bucket-lifecycle-configuration', '--lifecycle-configuration', rules);
    const [first, again] = [await expire(), await expire()].map(({ stderr }) => /apr-[0-9a-f]{32}/.exec(stderr)?.[0]);
    expect([first, again]).toEqual([expect.stringMatching(/^apr-/), first]);
    const wider = JSON.stringify({ ...bucketPolicy(BUCKET, TENANT), Id: 'another' });
    expect((await s3api('put-bucket-policy', '--policy', wider)).code).toBe(0);
    const kms = (...args: readonly string[]) => run(aws!, ['kms', ...args, '--output', 'text'], { env });
    const open = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Sid: 'Own', Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${TENANT}:root` }, Action: 'kms:*', Resource: '*' },
        {
          Sid: 'Trails',
          Effect: 'Allow',
          Principal: { Service: 'cloudtrail.amazonaws.com' },
          Action: 'kms:GenerateDataKey*',
          Resource: '*',
        },
      ],
    });
    const key = (await kms('create-key', '--policy', open, '--query', 'KeyMetadata.KeyId')).stdout.trim();
    const closed = ['put-key-policy', '--key-id', key, '--policy-name', 'default', '--policy', open.replace('cloudtrail.', 'other.')];
    expect((await kms(...closed)).stderr).toMatch(/which may let trails in, is replaced\. Another person must approve it/);
    // The files of a trail without a key are encrypted as their bucket does by default.
    const encrypt = (byDefault: object) => {
      const configuration = JSON.stringify({ Rules: [{ ApplyServerSideEncryptionByDefault: byDefault }] });
      return s3api('put-bucket-encryption', '--server-side-encryption-configuration', configuration);
    };
    expect((await encrypt({ SSEAlgorithm: 'AES256' })).code).toBe(0);
    expect((await encrypt({ SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key })).stderr).toMatch(
      /another key encrypts by default in the bucket tenant-evidence, which .* delivers to\. Another person must approve it/,
    );
    expect((await encrypt({ SSEAlgorithm: 'AES256' })).code).toBe(0);
    expect((await cloudtrail('delete-trail', '--name', 'main')).stderr).toMatch(/is deleted\. Another person must approve it/);
  });
});
