/**
 * `snowtrail verify NAME`: two trails of one account may have one name, each with a home Region of its own, and one bucket.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { putTrailBucket } from '../support/trail-bucket.ts';

const ACCOUNT = '111111111111';
const REGIONS = ['eu-west-1', 'us-east-1'] as const;
const BUCKET = 'twins-bucket';

let server: StartedServer;

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--flush-interval', '200ms', '--digest-interval', '1s'] });
  const access = await findServer({ dataDir: server.dataDir });
  const client = new Client(access);
  await putTrailBucket(client, BUCKET, ACCOUNT);
  for (const region of REGIONS) {
    const there = new Client({ ...access, region });
    await there.cloudtrail('CreateTrail', { Name: 'twin', S3BucketName: BUCKET, EnableLogFileValidation: true });
    await there.cloudtrail('StartLogging', { Name: 'twin' });
  }
  await vi.waitFor(
    async () => {
      const { Trails } = await client.call<{ Trails: readonly { DeliveredReceiptNumber: number }[] }>('GetTrailEvidence');
      expect(Trails.map(({ DeliveredReceiptNumber }) => DeliveredReceiptNumber > 2)).toEqual([true, true]);
    },
    { timeout: 30_000 },
  );
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
});

describe('snowtrail verify with the name of a trail', () => {
  const verified = async (name: string): Promise<readonly string[]> => {
    const { text, stderr } = await runCli(['verify', name, '--data-dir', server.dataDir, '-o', 'json']);
    const { trails } = JSON.parse(text) as { trails: readonly { trailARN: string }[] };
    expect(stderr).toBe('');
    return trails.map(({ trailARN }) => trailARN).sort();
  };
  const arns = REGIONS.map((region) => `arn:aws:cloudtrail:${region}:${ACCOUNT}:trail/twin`);

  test('verifies every trail of that name, also where they share a bucket', async () => {
    expect(await verified('twin')).toEqual(arns);
  });

  test.each(arns)('verifies that one alone when it is the ARN: %s', async (arn) => {
    expect(await verified(arn)).toEqual([arn]);
  });
});
