import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  EvidenceBuilder as Builder,
  buildEvidence,
  type EvidenceBuilder,
  Installation,
  MemoryBucket,
} from '../../test/support/evidence-builder.ts';
import { folderSource } from './folder-source.ts';
import type { VerifyReport } from './report.ts';
import { parsePinnedKeys } from './trust.ts';
import { type VerifyOptions, verify } from './verify.ts';

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-verify-'));
  folders.push(folder);
  return folder;
}

/** Verifies a bucket with the builder's own key pinned, at the time of its clock. */
function verifyBucket(
  builder: EvidenceBuilder,
  bucket: MemoryBucket = builder.bucket,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyReport> {
  return verify({
    source: bucket.source(),
    pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
    nowMs: builder.nowMs,
    threads: 0,
    ...options,
  });
}

/** Findings that decide, as `code key`. */
function faults(report: VerifyReport): string[] {
  return report.findings
    .filter(({ level }) => level === 'tampered' || level === 'incomplete')
    .map(({ code, key, message }) => `${code} ${key ?? message}`);
}

describe('verify, on evidence as it was delivered', () => {
  test('a bucket is complete and consistent under a pinned key, and every file is named', async () => {
    const builder = await buildEvidence();
    const report = await verifyBucket(builder);
    expect(faults(report)).toEqual([]);
    expect(report).toMatchObject({ exitCode: 0, verdict: 'consistent', trust: { by: 'pinned' } });
    expect(report.files.map(({ key }) => key)).toEqual(builder.bucket.keys());
    expect(new Set(report.files.map(({ verdict }) => verdict))).toEqual(new Set(['valid']));
    expect(report.counts.digest.valid).toBe(6);
    expect(report.counts.log.valid).toBe(6);
    expect(report.trails[0]).toMatchObject({ isLogging: true, records: 18, receipts: builder.receipts });
  });

  test('a folder copied anywhere is, too, though it has lost all metadata', async () => {
    const builder = await buildEvidence({ prefix: 'audit' });
    const folder = await newFolder();
    await builder.bucket.writeTo(join(folder, 'some', 'where'));
    for (const path of [folder, join(folder, 'some/where/audit/AWSLogs'), join(folder, 'some/where/audit')]) {
      const report = await verify({
        source: await folderSource(path),
        pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
        threads: 0,
      });
      expect(faults(report)).toEqual([]);
      expect(report.exitCode).toBe(0);
    }
  });

  test('restarts, backfills, empty intervals, rotated keys and several Regions are no faults', async () => {
    const builder = new Builder({ prefix: 'p' });
    await builder.start(['eu-central-1', 'us-east-1']);
    await builder.deliver(['eu-central-1', 'us-east-1']);
    await builder.closeInterval();
    await builder.rotate('checkpoint');
    await builder.rotate('digest');
    await builder.closeInterval();
    await builder.deliver(['us-east-1', 'sa-east-1']);
    await builder.closeInterval({ isBackfill: true });
    await builder.closeInterval({ isBackfill: true });
    await builder.deliver();
    await builder.closeInterval();
    await builder.deliver();
    await builder.stop();
    builder.nowMs += 10 * 3_600_000;
    await builder.start(['eu-central-1']);
    await builder.deliver();
    await builder.closeInterval();
    await builder.deliver();
    const report = await verifyBucket(builder);
    expect(faults(report)).toEqual([]);
    expect(report.exitCode).toBe(0);
    expect(report.counts['backfill-digest'].valid).toBe(6);
  });

  test('an older key vouches for the newer ones that it signed', async () => {
    const builder = new Builder();
    const pinned = builder.installation.verifierKey;
    await builder.start();
    await builder.deliver();
    for (let time = 0; time < 3; time++) {
      await builder.rotate('checkpoint');
      await builder.closeInterval();
    }
    const report = await verifyBucket(builder, builder.bucket, { pinnedKeys: parsePinnedKeys(pinned) });
    expect(faults(report)).toEqual([]);
    expect(report.trust.checkpointKeys).toHaveLength(4);
  });

  test('trails that share a bucket vouch for their own files', async () => {
    const installation = new Installation();
    const bucket = new MemoryBucket('evidence');
    const one = await buildEvidence({ installation, bucket, name: 'one', digests: 2 });
    const two = await buildEvidence({ installation, bucket, name: 'two', digests: 2 });
    const both = await verifyBucket(one);
    expect(faults(both)).toEqual([]);
    expect(both.trails.map(({ trailARN }) => trailARN)).toEqual([one.trailARN, two.trailARN]);
    const only = await verifyBucket(one, bucket, { trails: ['two'] });
    expect(faults(only)).toEqual([]);
    expect(only.trails.map(({ trailARN }) => trailARN)).toEqual([two.trailARN]);
  });
});
