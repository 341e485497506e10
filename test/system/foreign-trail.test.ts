/**
 * A trail that delivers to somebody else's S3: Ceph RGW, in a bucket with Object Lock. The AWS CLI and our verifier read
 * the evidence from there, through the server and past it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { hasRadosgw, type Radosgw, startRadosgw } from '../support/radosgw.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const ACCOUNT = '111122223333';
const BUCKET = 'central-audit';
const TRAIL = `arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main`;
const aws = await findAwsCli();

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: 'cloudtrail.amazonaws.com' }, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${BUCKET}` },
    {
      Effect: 'Allow',
      Principal: { Service: 'cloudtrail.amazonaws.com' },
      Action: 's3:PutObject',
      Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${ACCOUNT}/*`,
      Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
    },
  ],
});

describe.skipIf(!hasRadosgw() || aws === undefined)('DL1 a trail into a foreign bucket with Object Lock', () => {
  let ceph: Radosgw;
  let server: StartedServer;
  let client: S3Client;
  let env: Record<string, string>;
  let folder: string;

  beforeAll(async () => {
    ceph = await startRadosgw();
    client = new S3Client({
      endpoint: ceph.endpoint,
      region: 'us-east-1',
      credentials: ceph.credentials,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET, ObjectLockEnabledForBucket: true }));
    const retention = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } } } as const;
    await client.send(new PutObjectLockConfigurationCommand({ Bucket: BUCKET, ObjectLockConfiguration: retention }));
    // Ceph knows no principal of ours: what it would refuse is left to the probe that CreateTrail puts.
    await client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy: policy })).catch(() => undefined);
    folder = await mkdtemp(join(tmpdir(), 'snowtrail-foreign-'));
    // The SDK marks the object that it was given; the settings know two members.
    const { accessKeyId, secretAccessKey } = ceph.credentials;
    const config = join(folder, 'snowtrail.yaml');
    await writeFile(
      config,
      JSON.stringify({
        storage: { buckets: { [BUCKET]: { endpoint: ceph.endpoint, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } } } },
      }),
    );
    server = await startServer({
      flags: ['--config', config, '--account-id', ACCOUNT, '--flush-interval', '1s', '--digest-interval', '10s'],
    });
    const { text } = await runCli(['env', '--data-dir', server.dataDir]);
    const variables = Object.fromEntries([...text.matchAll(/^export ([A-Z_]+)='(.*)'$/gm)].map((match) => [match[1]!, match[2]!]));
    const key = { accessKeyId: variables['AWS_ACCESS_KEY_ID']!, secretAccessKey: variables['AWS_SECRET_ACCESS_KEY']! };
    env = { ...(process.env as Record<string, string>), ...clientEnvironment(server.url, key, 'us-east-1') };
  });

  afterAll(async () => {
    await server?.stop();
    client?.destroy();
    await ceph?.stop();
    if (server) await rm(server.dataDir, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });

  async function cloudtrail(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(aws!, ['cloudtrail', ...args], { env, timeoutMs: 90_000 });
    expect(`${code} ${stderr}`, args.join(' ')).toMatch(/^0 /);
    return stdout;
  }

  test('log files and digests arrive there, locked, and validate', async () => {
    await cloudtrail(
      'create-trail',
      '--name',
      'main',
      '--s3-bucket-name',
      BUCKET,
      '--enable-log-file-validation',
      '--is-multi-region-trail',
    );
    await cloudtrail('start-logging', '--name', 'main');
    // Something to deliver: the call itself is an event.
    await cloudtrail('describe-trails');
    const keysThere = async () => ((await client.send(new ListObjectsV2Command({ Bucket: BUCKET }))).Contents ?? []).map(({ Key }) => Key!);
    const endMs = performance.now() + 60_000;
    for (;;) {
      const digests = (await keysThere()).filter((key) => key.includes('/CloudTrail-Digest/'));
      if (digests.length >= 3) break;
      if (performance.now() > endMs)
        throw new Error(`only ${digests.length} digests came: ${await cloudtrail('get-trail-status', '--name', 'main')}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const start = `${new Date(Date.now() - 600_000).toISOString().slice(0, 19)}Z`;
    const validated = await cloudtrail('validate-logs', '--trail-arn', TRAIL, '--start-time', start, '--verbose');
    expect(validated).toMatch(/\n(\d+)\/\1 digest files valid\n(\d+)\/\2 log files valid/);
    const verified = await runCli(['verify', '--data-dir', server.dataDir, '-o', 'json']);
    expect(verified.exitCode, verified.text.slice(0, 2_000)).toBe(0);
    const log = (await keysThere()).find((key) => key.includes('/CloudTrail/'))!;
    const versions = await run(
      aws!,
      ['s3api', 'list-object-versions', '--bucket', BUCKET, '--prefix', log, '--query', 'Versions[].VersionId', '--output', 'text'],
      {
        env: { ...env, ...clientEnvironment(ceph.endpoint, ceph.credentials, 'us-east-1') },
        timeoutMs: 60_000,
      },
    );
    // In one word: an id may begin with a hyphen.
    const removed = await run(
      aws!,
      ['s3api', 'delete-object', '--bucket', BUCKET, '--key', log, `--version-id=${versions.stdout.trim()}`],
      {
        env: { ...env, ...clientEnvironment(ceph.endpoint, ceph.credentials, 'us-east-1') },
        timeoutMs: 60_000,
      },
    );
    expect(removed.stderr).toContain('AccessDenied');
  });
});
