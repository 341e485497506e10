/**
 * `snowtrail verify` of a trail that was moved, on the built server: it reads all buckets where the trail's evidence lies, however
 * one of them is named, and misses what was removed from any.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const ACCOUNT = '111111111111';
const [FIRST, SECOND] = ['first-bucket', 'second-bucket'];
const TARGETS: readonly (readonly string[])[] = [[], ['moved'], [`s3://${FIRST}`], [`s3://${SECOND}`]];

let server: StartedServer;
let client: Client;

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '200ms', '--digest-interval', '1s'] });
  client = new Client(await findServer({ dataDir: server.dataDir }));
  for (const bucket of [FIRST, SECOND]) {
    await s3('PUT', `/${bucket}`);
    await s3('PUT', `/${bucket}?policy=`, new TextEncoder().encode(JSON.stringify(bucketPolicy(bucket!, ACCOUNT))));
  }
  await client.cloudtrail('CreateTrail', { Name: 'moved', S3BucketName: FIRST, EnableLogFileValidation: true });
  await client.cloudtrail('CreateTrail', { Name: 'still', S3BucketName: FIRST, EnableLogFileValidation: true });
  for (const Name of ['moved', 'still']) await client.cloudtrail('StartLogging', { Name });
  // With digests: receipts 1 to 3 begin the trail.
  await receipts('moved', 8, FIRST!);
  await client.cloudtrail('UpdateTrail', { Name: 'moved', S3BucketName: SECOND });
  await receipts('moved', 12, SECOND!);
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

async function s3(method: 'PUT' | 'DELETE' | 'GET', path: string, body?: Uint8Array): Promise<string> {
  const { status, body: answer } = await client.send('s3', method, path, body === undefined ? {} : { body });
  expect(status).toBeLessThan(300);
  return Buffer.from(answer).toString();
}

/** Waits until the trail has put so many receipts, the newest of them in this bucket. */
async function receipts(name: string, count: number, bucket: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { Trails } = await client.call<{
        Trails: readonly { Name: string; S3BucketName: string; DeliveredReceiptNumber: number }[];
      }>('GetTrailEvidence');
      const trail = Trails.find(({ Name }) => Name === name)!;
      expect([trail.S3BucketName, trail.DeliveredReceiptNumber >= count]).toEqual([bucket, true]);
    },
    { timeout: 40_000 },
  );
}

async function verified(target: readonly string[]): Promise<VerifyReport & { readonly exit: number | null }> {
  const { exitCode, text, stderr } = await runCli(['verify', ...target, '--data-dir', server.dataDir, '-o', 'json']);
  expect(stderr).toBe('');
  return { ...(JSON.parse(text) as VerifyReport), exit: exitCode };
}

const deciding = ({ findings }: VerifyReport) => findings.filter(({ level }) => level === 'tampered' || level === 'incomplete');

describe('snowtrail verify of a trail that was moved', () => {
  test.each(TARGETS.map((target) => [target.join(), target] as const))('is complete and consistent: verify %s', async (_, target) => {
    const report = await verified(target);
    expect([deciding(report), report.exit]).toEqual([[], 0]);
    const buckets = new Set(report.files.filter(({ kind }) => kind === 'log').map(({ key }) => key.split('/')[0]));
    expect(buckets).toEqual(new Set([FIRST, SECOND]));
  });

  test('a digest that is removed from the bucket which the trail has left is missing, whatever is named', async () => {
    const listing = await s3('GET', `/${FIRST}?list-type=2&prefix=${encodeURIComponent(`AWSLogs/${ACCOUNT}/CloudTrail-Digest/`)}`);
    const key = /<Key>([^<]*_moved_[^<]*)<\/Key>/.exec(listing)![1]!;
    await s3('DELETE', `/${FIRST}/${key}`);
    for (const target of TARGETS) {
      const report = await verified(target);
      expect([target, report.exit, deciding(report).map((finding) => `${finding.code} ${finding.key}`)]).toEqual([
        target,
        1,
        [`missing ${FIRST}/${key}`],
      ]);
    }
  });

  test('a bucket that is gone is named with what to do', async () => {
    await client.cloudtrail('DeleteTrail', { Name: 'still' });
    const empty = async () => {
      const listing = await s3('GET', `/${FIRST}?list-type=2`);
      for (const [, key] of listing.matchAll(/<Key>([^<]*)<\/Key>/g)) await s3('DELETE', `/${FIRST}/${key}`);
      expect((await client.send('s3', 'DELETE', `/${FIRST}`, {})).status).toBe(204);
    };
    await vi.waitFor(empty, { timeout: 20_000, interval: 500 });
    const report = await verified(['moved']);
    expect(report.exit).toBe(2);
    const gone = report.findings.find(({ code }) => code === 'unreachable')!.message;
    expect(gone).toContain(`s3://${FIRST}`);
    expect(gone).toContain('verify copies of all places in one folder');
  });
});
