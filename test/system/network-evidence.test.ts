/**
 * Log files of network activity events are evidence as all others: the AWS CLI's `validate-logs` and `verify` find them complete, and name
 * one that is taken away or forged. cloudtrail.md §2.1, §3.1.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { clientEnvironment, findAwsCli, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '123837392027';
const BUCKET = 'network-evidence';
const REGION = 'us-east-1';
const ARN = `arn:aws:cloudtrail:${REGION}:${ACCOUNT}:trail/network`;
const WAIT = { timeout: 60_000, interval: 500 };

const aws = await findAwsCli();
let server: StartedServer;

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '500ms', '--digest-interval', '4s'] });
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(server.dataDir, { recursive: true, force: true });
});

async function cli(...words: readonly string[]): Promise<string> {
  const { access } = new Client(await findServer({ dataDir: server.dataDir, account: ACCOUNT }));
  const config = join(server.dataDir, 'aws-config');
  await writeFile(config, '[default]\ns3 =\n  addressing_style = path\n');
  const { code, stdout, stderr } = await run(aws!, words, {
    env: { ...clientEnvironment(server.url, access, REGION), AWS_CONFIG_FILE: config },
  });
  expect(`${code} ${stderr}`, words.join(' ')).toBe('0 ');
  return stdout;
}

/** Object keys below a folder of the account, oldest first. */
async function keysBelow(kind: string): Promise<readonly string[]> {
  const folder = `AWSLogs/${ACCOUNT}/${kind}/`;
  const names = await readdir(join(server.dataDir, 'objects', BUCKET, folder), { recursive: true }).catch(() => []);
  return names.filter((name) => name.endsWith('.json.gz')).map((name) => folder + name);
}

const verify = () => runCli(['verify', 'network', '--data-dir', server.dataDir]);

test.skipIf(aws === undefined)(
  'network activity lies in its own folder, is listed in the digests, and what is taken away or forged there is named',
  { timeout: 200_000 },
  async () => {
    const begin = new Date(Date.now() - 1_000).toISOString();
    const Principal = { Service: 'cloudtrail.amazonaws.com' };
    const Condition = { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } };
    const Statement = [
      { Effect: 'Allow', Principal, Action: 's3:GetBucketAcl', Resource: `arn:aws:s3:::${BUCKET}` },
      { Effect: 'Allow', Principal, Action: 's3:PutObject', Resource: `arn:aws:s3:::${BUCKET}/*`, Condition },
    ];
    await cli('s3api', 'create-bucket', '--bucket', BUCKET);
    await cli('s3api', 'put-bucket-policy', '--bucket', BUCKET, '--policy', JSON.stringify({ Version: '2012-10-17', Statement }));
    await cli('cloudtrail', 'create-trail', '--name', 'network', '--s3-bucket-name', BUCKET, '--enable-log-file-validation');
    const of = (category: string, ...more: readonly object[]) => ({
      FieldSelectors: [{ Field: 'eventCategory', Equals: [category] }, ...more],
    });
    const selectors = [of('Management'), of('NetworkActivity', { Field: 'eventSource', Equals: ['s3.amazonaws.com'] })];
    await cli(...['cloudtrail', 'put-event-selectors', '--trail-name', 'network', '--advanced-event-selectors', JSON.stringify(selectors)]);
    await cli('cloudtrail', 'start-logging', '--name', 'network');
    const records = Array.from({ length: 3 }, (_, at) => ({
      eventVersion: '1.09',
      userIdentity: { type: 'AWSAccount', accountId: ACCOUNT },
      eventTime: new Date(Date.now()).toISOString().replace(/\.[0-9]+Z/, 'Z'),
      eventSource: 's3.amazonaws.com',
      eventName: 'GetObject',
      awsRegion: REGION,
      eventID: `network-${at}`,
      eventType: 'AwsVpceEvent',
      eventCategory: 'NetworkActivity',
      vpcEndpointId: 'vpce-01234567',
      recipientAccountId: ACCOUNT,
    }));
    const file = join(server.dataDir, '..', `${BUCKET}-${server.pid}.jsonl`);
    await writeFile(file, records.map((record) => JSON.stringify(record)).join('\n'));
    const recorded = await runCli(['record', file, '--data-dir', server.dataDir, '-o', 'json']);
    await rm(file);
    expect(JSON.parse(recorded.text)).toMatchObject({ accepted: records.length, rejected: 0 });
    await vi.waitFor(async () => expect(await keysBelow('CloudTrail-NetworkActivity')).not.toEqual([]), WAIT);
    const [key] = (await keysBelow('CloudTrail-NetworkActivity')) as [string];
    const path = join(server.dataDir, 'objects', BUCKET, key);
    const { Records } = JSON.parse(gunzipSync(await readFile(path)).toString('utf8')) as { Records: object[] };
    expect(Records).toEqual(records);

    const digests = (await keysBelow('CloudTrail-Digest')).length;
    await vi.waitFor(async () => expect((await keysBelow('CloudTrail-Digest')).length).toBeGreaterThan(digests + 1), WAIT);
    const validated = await cli('cloudtrail', 'validate-logs', '--trail-arn', ARN, '--start-time', begin, '--verbose');
    expect(validated).toContain(`Log file\ts3://${BUCKET}/${key}\tvalid`);
    expect(validated).toMatch(/^([1-9][0-9]*)\/\1 digest files valid$/m);
    const sound = await verify();
    expect(sound.text).toContain('CONSISTENT (exit 0)');
    expect(sound.exitCode).toBe(0);

    // One that is added, one that holds other records, one that is gone.
    const forged = key.replace(/_[0-9A-Za-z]+\.json\.gz$/, '_AAAAAAAAAAAAAAAA.json.gz');
    const body = join(server.dataDir, 'forged.json.gz');
    await writeFile(body, gzipSync(JSON.stringify({ Records: records.slice(1) })));
    const put = (to: string) =>
      cli('s3api', 'put-object', '--bucket', BUCKET, '--key', to, '--body', body, '--content-type', 'application/json');
    await put(forged);
    const added = await verify();
    expect(added.text).toContain(forged);
    expect(added.exitCode).toBe(1);
    await cli('s3api', 'delete-object', '--bucket', BUCKET, '--key', forged);
    await put(key);
    const other = await verify();
    expect(other.text).toContain(key);
    expect(other.exitCode).toBe(1);
    await cli('s3api', 'delete-object', '--bucket', BUCKET, '--key', key);
    const gone = await verify();
    expect(gone.text).toContain(key);
    expect(gone.exitCode).toBe(1);
  },
);
