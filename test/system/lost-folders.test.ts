/**
 * A part of the data directory is lost while the server is down: the start and `doctor` say what is gone, since when, and what to do.
 */
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudTrailClient, CreateTrailCommand, StartLoggingCommand } from '@aws-sdk/client-cloudtrail';
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { runCli } from '../support/run-cli.ts';
import { startServer } from '../support/start-server.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-lost-folders-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const ACCOUNT = '000000000000';

/** A data directory in which a trail has delivered 40 events. */
async function deliver(dataDir: string): Promise<void> {
  const server = await startServer({ dataDir, flags: ['--flush-interval', '1s'] });
  try {
    const { accessKeyId, secretAccessKey } = await findServer({ dataDir });
    const config = { endpoint: server.url, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } };
    const [s3, cloudtrail] = [new S3Client({ ...config, forcePathStyle: true }), new CloudTrailClient(config)];
    await s3.send(new CreateBucketCommand({ Bucket: 'logs' }));
    await s3.send(new PutBucketPolicyCommand({ Bucket: 'logs', Policy: JSON.stringify(bucketPolicy('logs', ACCOUNT)) }));
    await cloudtrail.send(new CreateTrailCommand({ Name: 'main', S3BucketName: 'logs' }));
    await cloudtrail.send(new StartLoggingCommand({ Name: 'main' }));
    const record = (id: number) => JSON.stringify({ eventID: `event-${id}`, eventName: 'A', eventSource: 'b.amazonaws.com' });
    const records = `${dataDir}.ndjson`;
    await writeFile(records, Array.from({ length: 40 }, (_, id) => record(id)).join('\n'));
    await runCli(['record', records, '--data-dir', dataDir]);
    const client = new Client(await findServer({ dataDir }));
    await vi.waitFor(
      async () => {
        const { Trails } = await client.call<{ Trails: { DeliveredReceiptNumber: number }[] }>('GetTrailEvidence');
        expect(Trails[0]!.DeliveredReceiptNumber).toBeGreaterThan(1);
      },
      { timeout: 20_000, interval: 200 },
    );
    s3.destroy();
    cloudtrail.destroy();
  } finally {
    expect(await server.stop()).toBe(0);
  }
}

async function doctor(dataDir: string) {
  const { exitCode, text, stderr } = await runCli(['doctor', '--data-dir', dataDir, '-o', 'json']);
  const { Followers, Findings } = JSON.parse(text) as { Followers: { Lag: number }[]; Findings: { Problem: string; Advice: string }[] };
  expect(stderr).not.toContain('nothing is lost');
  expect(Math.min(...Followers.map(({ Lag }) => Lag))).toBeGreaterThanOrEqual(0);
  return { exitCode, findings: Findings };
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

test('lost buckets are told by the start and by doctor, until they are back (F20)', async () => {
  const dataDir = join(root, 'objects-lost');
  await deliver(dataDir);
  await rename(join(dataDir, 'objects'), join(root, 'objects'));
  const second = await startServer({ dataDir });
  try {
    await vi.waitFor(() => expect(second.stderr()).toMatch(new RegExp(`the bucket .*logs.* is gone; it was there at ${TIME}`)), 10_000);
    expect(await doctor(dataDir)).toEqual({
      exitCode: 1,
      findings: [
        {
          Problem: expect.stringMatching(
            new RegExp(`^the bucket logs of arn:aws:cloudtrail:us-east-1:${ACCOUNT}:trail/main is gone, .*; it was there at ${TIME}$`),
          ),
          Advice: expect.stringContaining('put the folder `objects` of the data directory back from a backup'),
        },
      ],
    });
  } finally {
    await second.stop();
  }
  await rm(join(dataDir, 'objects'), { recursive: true });
  await rename(join(root, 'objects'), join(dataDir, 'objects'));
  const third = await startServer({ dataDir });
  try {
    expect(await doctor(dataDir)).toEqual({ exitCode: 0, findings: [] });
    expect(third.stderr()).not.toContain('is gone');
  } finally {
    await third.stop();
  }
}, 120_000);

test('a lost journal is told by the start and by doctor: which entries, when they were there, what to do (F46)', async () => {
  for (const lose of [
    (journal: string) => rm(journal, { recursive: true }),
    async (journal: string) => {
      for (const name of await readdir(journal)) await rm(join(journal, name));
    },
  ]) {
    const dataDir = await mkdtemp(join(root, 'journal-lost-'));
    await deliver(dataDir);
    await lose(join(dataDir, 'journal'));
    const second = await startServer({ dataDir });
    try {
      expect(second.stderr()).toMatch(/only reads are served: the journal holds 0 entries, and .* was lost or replaced by another copy/);
      const { exitCode, findings } = await doctor(dataDir);
      expect([exitCode, findings[0]]).toEqual([
        1,
        {
          Problem: expect.stringMatching(
            new RegExp(
              `^journal entries 1 to \\d\\d are gone: they had been acknowledged, and were there at ${TIME}; none is left\\. .*nothing is taken`,
            ),
          ),
          Advice: expect.stringMatching(
            /^stop the server, put back the newest copy of the whole data directory, or of its folder `journal`/,
          ),
        },
      ]);
    } finally {
      await second.stop();
    }
  }
}, 120_000);
