import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
import { SourceUnreachable } from './source.ts';
import { NO_KEYS, parsePinnedKeys } from './trust.ts';
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

/** The bucket after somebody cut it back to the first `receipts` receipts and what they name. */
function cutBack(builder: EvidenceBuilder, receipts: number): MemoryBucket {
  const bucket = builder.bucket.copy();
  const named = new Set<string>();
  for (let number = 1; number <= builder.receipts; number++) {
    const note = new TextDecoder().decode(bucket.objects.get(builder.receiptKey(number))!.body);
    const { objects = [], digest } = JSON.parse(note.slice(0, note.indexOf('\n'))) as {
      objects?: { key: string }[];
      digest?: { key: string };
    };
    const keys = [...objects, ...(digest === undefined ? [] : [digest])].map(({ key }) => key);
    if (number <= receipts) for (const key of keys) named.add(key);
    else bucket.objects.delete(builder.receiptKey(number));
  }
  for (const key of [...bucket.keys('/CloudTrail/'), ...bucket.keys('/CloudTrail-Digest/')])
    if (!named.has(key)) bucket.objects.delete(key);
  return bucket;
}

describe('verify, on what is known from elsewhere', () => {
  test('under no key but the one that lies beside the evidence, the verdict is incomplete', async () => {
    const report = await verifyBucket(await buildEvidence({ digests: 2 }), undefined, { pinnedKeys: NO_KEYS });
    expect(report).toMatchObject({ exitCode: 2, trust: { by: 'none' } });
    expect(report.findings.map(({ code }) => code)).toEqual(['no-key']);
  });

  test('under another key than the pinned one, it is tampered', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const report = await verifyBucket(builder, undefined, { pinnedKeys: parsePinnedKeys(new Installation().verifierKey) });
    expect(report.exitCode).toBe(1);
    expect(report.findings[0]).toMatchObject({ code: 'untrusted-key', key: builder.receiptKey() });
  });

  test("the server's stated key and checkpoint are enough for 0", async () => {
    const builder = await buildEvidence({ digests: 2 });
    builder.installation.grow(17);
    const report = await verify({ source: builder.bucket.source(), callServer: builder.callServer(), threads: 0 });
    expect(faults(report)).toEqual([]);
    expect(report).toMatchObject({ exitCode: 0, trust: { by: 'server' } });
    expect(report.checkpoints).toMatchObject([{ from: 'server', size: `${builder.installation.size}` }]);
  });

  test('a tail that was removed with its receipts is missing for the server, each receipt by name', async () => {
    const builder = await buildEvidence({ digests: 4 });
    const bucket = cutBack(builder, builder.receipts - 2);
    expect((await verifyBucket(builder, bucket)).exitCode).toBe(0);
    const report = await verifyBucket(builder, bucket, { callServer: builder.callServer() });
    expect(report.exitCode).toBe(1);
    expect(report.files.filter(({ verdict }) => verdict === 'missing').map(({ key }) => key)).toEqual([
      builder.receiptKey(builder.receipts - 1),
      builder.receiptKey(),
    ]);
  });

  test('a bucket that was emptied as a whole is tampered for the server, and incomplete for who knows nothing', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const empty = new MemoryBucket('evidence');
    const unknowing = await verifyBucket(builder, empty);
    expect(faults(unknowing)).toEqual(['no-digests no digests found']);
    expect(unknowing.exitCode).toBe(2);
    const report = await verifyBucket(builder, empty, { callServer: builder.callServer() });
    expect(report.exitCode).toBe(1);
    expect(report.counts.receipt.missing).toBe(builder.receipts);
  });

  test('the newest digest alone may be on its way; the server knows better, and so does the time', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const bucket = builder.bucket.copy();
    const key = bucket.keys('/CloudTrail-Digest/').at(-1)!;
    bucket.objects.delete(key);
    const pending = await verifyBucket(builder, bucket);
    expect(pending.exitCode).toBe(0);
    expect(pending.findings.filter(({ level }) => level !== 'note')).toMatchObject([{ level: 'pending', key }]);
    const late = await verifyBucket(builder, bucket, { nowMs: builder.nowMs + 3_600_000 });
    expect(faults(late)).toEqual([`overdue ${key}`]);
    expect(late.exitCode).toBe(2);
    const missing = await verifyBucket(builder, bucket, { callServer: builder.callServer() });
    expect(faults(missing)).toEqual([`missing ${key}`]);
    expect(missing.exitCode).toBe(1);
  });

  test('a bucket where digests stopped coming is incomplete, unless logging was stopped', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const later = builder.nowMs + 24 * 3_600_000;
    const stale = await verifyBucket(builder, undefined, { nowMs: later });
    expect(stale).toMatchObject({ exitCode: 2, findings: [{ code: 'stale' }] });
    await builder.stop();
    expect((await verifyBucket(builder, undefined, { nowMs: later })).exitCode).toBe(0);
  });

  test('a server that was rolled back, or has another history, is tampered', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const rolledBack = await verifyBucket(builder, undefined, {
      callServer: builder.callServer({ GetCheckpoint: async () => ({ Checkpoint: await builder.installation.checkpoint(5n) }) }),
    });
    expect(rolledBack.findings).toMatchObject([{ level: 'tampered', code: 'rollback' }]);
    const fork = new Installation(builder.installation.origin, 'two');
    fork.checkpointKeys[0] = builder.installation.checkpointKey;
    fork.grow(1);
    const other = new Builder({ installation: fork });
    await other.start();
    fork.grow(1_000);
    const forked = await verifyBucket(builder, undefined, {
      callServer: builder.callServer({
        GetCheckpoint: async () => ({ Checkpoint: await fork.checkpoint(builder.installation.size) }),
        GetConsistencyProof: async () => ({ Hashes: [] }),
      }),
    });
    expect(forked.findings.map(({ code }) => code)).toContain('fork');
    expect(forked.exitCode).toBe(1);
  });

  test('a server that states its own key does not outweigh a pinned one', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const attacker = await buildEvidence({ digests: 1 });
    const report = await verifyBucket(builder, attacker.bucket, { callServer: attacker.callServer() });
    expect(report.exitCode).toBe(1);
    expect(report.findings.map(({ code }) => code)).toContain('untrusted-key');
    expect(report.findings.map(({ code }) => code)).toContain('server-checkpoint');
  });

  test('a server that does not answer makes it incomplete, never tampered', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const callServer = async () => {
      throw new Error('connection refused');
    };
    const report = await verifyBucket(builder, undefined, { callServer });
    expect(report.exitCode).toBe(2);
    expect(new Set(report.findings.map(({ code }) => code))).toEqual(new Set(['server']));
  });

  test('a state file remembers the keys and finds what was rolled back or cut off since', async () => {
    const statePath = join(await newFolder(), 'state.json');
    const builder = await buildEvidence({ digests: 3 });
    expect((await verifyBucket(builder, undefined, { statePath })).exitCode).toBe(0);

    const known = await verify({ source: builder.bucket.source(), statePath, nowMs: builder.nowMs, threads: 0 });
    expect(known).toMatchObject({ exitCode: 0, trust: { by: 'state' } });

    const cut = await verify({ source: cutBack(builder, builder.receipts - 2).source(), statePath, nowMs: builder.nowMs, threads: 0 });
    expect(cut.exitCode).toBe(1);
    expect(cut.findings.filter(({ code }) => code === 'receipt-missing').map(({ key }) => key)).toEqual([
      builder.receiptKey(builder.receipts - 1),
      builder.receiptKey(),
    ]);

    const emptied = await verify({ source: new MemoryBucket('evidence').source(), statePath, threads: 0 });
    expect(emptied.exitCode).toBe(1);
    expect(emptied.findings.map(({ code }) => code)).toContain('trail-missing');

    const other = await buildEvidence({ digests: 3, installation: new Installation() });
    const replaced = await verify({ source: other.bucket.source(), statePath, nowMs: builder.nowMs, threads: 0 });
    expect(replaced.exitCode).toBe(1);
    expect(replaced.findings.map(({ code }) => code)).toContain('state-receipt');

    await builder.deliver();
    await builder.closeInterval();
    const grown = await verify({ source: builder.bucket.source(), statePath, nowMs: builder.nowMs, threads: 0 });
    expect(faults(grown)).toEqual([]);
  });

  test('a state that was saved beside the server is compared by the server, and offline only while nothing came', async () => {
    const statePath = join(await newFolder(), 'state.json');
    const builder = await buildEvidence({ digests: 2 });
    builder.installation.grow(3);
    expect((await verifyBucket(builder, undefined, { statePath, callServer: builder.callServer() })).exitCode).toBe(0);
    expect((await verifyBucket(builder, undefined, { statePath })).exitCode).toBe(0);
    builder.installation.grow(5);
    await builder.deliver();
    const offline = await verifyBucket(builder, undefined, { statePath });
    expect(faults(offline)).toEqual([expect.stringMatching(/^state-between /)]);
    expect(offline.exitCode).toBe(2);
    const online = await verifyBucket(builder, undefined, { statePath, callServer: builder.callServer() });
    expect(faults(online)).toEqual([]);
  });

  test('a state file is written after 0 only, and a damaged one makes it incomplete', async () => {
    const statePath = join(await newFolder(), 'state.json');
    const builder = await buildEvidence({ digests: 1 });
    const bad = builder.bucket.copy();
    bad.objects.delete(bad.keys('/CloudTrail/')[0]!);
    await verifyBucket(builder, bad, { statePath });
    await verifyBucket(builder, undefined, { statePath, regions: ['eu-central-1'] });
    expect(existsSync(statePath)).toBe(false);
    await writeFile(statePath, '{"version":1,"logs":[{}]}');
    const report = await verifyBucket(builder, undefined, { statePath });
    expect(report).toMatchObject({ exitCode: 2, findings: [{ code: 'state', message: expect.stringContaining('is damaged') }] });
    await writeFile(statePath, '{"version":2,"logs":[],"trails":[]}');
    const newer = await verifyBucket(builder, undefined, { statePath });
    expect(newer).toMatchObject({ exitCode: 2, findings: [{ code: 'state', message: expect.stringContaining('is of another version') }] });
  });
});

describe('verify, on one place of several', () => {
  test('a server and a state that know of trails elsewhere do not miss them here', async () => {
    const installation = new Installation();
    const statePath = join(await newFolder(), 'state.json');
    const one = await buildEvidence({ installation, digests: 1, name: 'one', bucket: new MemoryBucket('one') });
    const two = await buildEvidence({ installation, digests: 1, name: 'two', bucket: new MemoryBucket('two') });
    const deep = await buildEvidence({ installation, digests: 1, name: 'deep', bucket: two.bucket, prefix: 'deep' });
    const answers = await Promise.all([one, two, deep].map((builder) => builder.callServer()('GetTrailEvidence', {})));
    const callServer = one.callServer({
      GetTrailEvidence: () => ({ Trails: answers.flatMap((answer) => (answer as { Trails: object[] }).Trails) }),
    });
    const places = [one.bucket.source(), two.bucket.source('AWSLogs/'), two.bucket.source('deep/')];
    for (const _ of ['first run', 'second run']) {
      for (const source of places) {
        const report = await verify({ source, callServer, statePath, nowMs: one.nowMs, threads: 0 });
        expect(faults(report)).toEqual([]);
        expect(report.trails).toHaveLength(1);
      }
    }
    const emptied = await verify({
      source: new MemoryBucket('two').source('deep/'),
      callServer,
      statePath,
      nowMs: one.nowMs,
      threads: 0,
    });
    expect(emptied.findings.filter(({ code }) => code === 'trail-missing').map(({ trailARN }) => trailARN)).toEqual([deep.trailARN]);
  });

  test('a copy that is older than what the server delivered is incomplete, not tampered', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const folder = await newFolder();
    await builder.bucket.writeTo(folder);
    await builder.deliver();
    await builder.closeInterval();
    const report = await verify({ source: await folderSource(folder), callServer: builder.callServer(), threads: 0 });
    expect(report).toMatchObject({ exitCode: 2 });
    expect(faults(report)).toEqual([expect.stringMatching(/^behind /)]);
    const other = await verify({ source: await folderSource(await newFolder()), callServer: builder.callServer(), threads: 0 });
    expect(faults(other)).toEqual([expect.stringMatching(/^trail-absent /)]);
  });

  test('so is a copy in another bucket, for the server and for a state', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const [copy, empty] = [builder.bucket.copy('copied'), new MemoryBucket('empty')];
    // The checkpoint that the state knows is in the copy, too.
    builder.installation.grow = () => undefined;
    await builder.deliver();
    const statePath = join(await newFolder(), 'state.json');
    const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
    const options = { pinnedKeys, nowMs: builder.nowMs, threads: 0 };
    expect((await verify({ ...options, source: builder.bucket.source(), statePath })).exitCode).toBe(0);
    for (const known of [{ callServer: builder.callServer() }, { statePath }]) {
      const report = await verify({ ...options, source: copy.source(), isRelocated: true, ...known });
      expect([report.exitCode, faults(report)]).toEqual([2, [expect.stringMatching(/^behind /)]]);
      const other = await verify({ ...options, source: empty.source(), isRelocated: true, ...known });
      expect([other.exitCode, faults(other)[0]]).toEqual([2, expect.stringMatching(/^trail-absent /)]);
    }
  });

  test('and an earlier place alone, for a state that knows the newer one', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const first = builder.bucket;
    await builder.stop();
    builder.installation.grow = () => undefined;
    await builder.moveTo(new MemoryBucket('second'));
    await builder.start();
    const statePath = join(await newFolder(), 'state.json');
    const both = {
      pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
      openPlace: ({ prefix }: { readonly prefix: string }) => first.source(prefix),
      nowMs: builder.nowMs,
      threads: 0,
      statePath,
    };
    expect((await verify({ ...both, source: builder.bucket.source() })).exitCode).toBe(0);
    const report = await verify({ ...both, source: first.source() });
    expect([report.exitCode, faults(report)]).toEqual([2, [expect.stringMatching(/^behind /)]]);
  });
});

describe('verify, on the receipts', () => {
  test('a missing, changed, repeated or foreign receipt is named', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const other = await buildEvidence({ digests: 2, name: 'other', installation: builder.installation });
    const [third, fourth] = [builder.receiptKey(3), builder.receiptKey(4)];
    const cases: readonly (readonly [string, string, (bucket: MemoryBucket) => void])[] = [
      ['missing', `receipt-missing ${third}`, (bucket) => bucket.objects.delete(third)],
      ['the first is missing', `receipt-missing ${builder.receiptKey(1)}`, (bucket) => bucket.objects.delete(builder.receiptKey(1))],
      ['repeated', `receipt-identity ${fourth}`, (bucket) => bucket.put(fourth, bucket.objects.get(third)!.body)],
      ['of another trail', `receipt-identity ${third}`, (bucket) => bucket.put(third, other.bucket.objects.get(other.receiptKey(3))!.body)],
      ['cut', `receipt-form ${third}`, (bucket) => bucket.put(third, bucket.objects.get(third)!.body.slice(0, -9))],
      [
        'its signature is changed',
        `receipt-link ${fourth}`,
        (bucket) => {
          const note = new TextDecoder().decode(bucket.objects.get(third)!.body);
          bucket.put(third, new TextEncoder().encode(note.replace(/.{7}=\n$/, 'AAAAAAA=\n')));
        },
      ],
      ['far away', 'receipts-missing', (bucket) => bucket.put(builder.receiptKey(999_999_999_999), bucket.objects.get(third)!.body)],
    ];
    for (const [what, expected, change] of cases) {
      const bucket = builder.bucket.copy();
      change(bucket);
      const report = await verifyBucket(builder, bucket);
      expect({ what, exit: report.exitCode, found: faults(report).some((fault) => fault.startsWith(expected)) }).toEqual({
        what,
        exit: 1,
        found: true,
      });
    }
  });

  test('a receipt whose text was changed is blamed, not those around it', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const bucket = builder.bucket.copy();
    const key = builder.receiptKey();
    const note = new TextDecoder().decode(bucket.objects.get(key)!.body);
    bucket.put(key, new TextEncoder().encode(note.replace('"logFiles":1', '"logFiles":2')));
    const report = await verifyBucket(builder, bucket);
    expect(report.findings.some((finding) => finding.code === 'receipt-signature' && finding.key === key)).toBe(true);
  });

  test('a checkpoint that does not continue the one before is found', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const forked = new Installation(builder.installation.origin, 'two');
    forked.checkpointKeys[0] = builder.installation.checkpointKey;
    // The same keys sign another, larger tree in between.
    const original = builder.installation.checkpoint.bind(builder.installation);
    forked.grow(500);
    builder.installation.checkpoint = (size) => forked.checkpoint(size);
    await builder.deliver();
    builder.installation.checkpoint = original;
    const report = await verifyBucket(builder);
    expect(faults(report)).toEqual([`consistency ${builder.receiptKey()}`]);
    expect(report.exitCode).toBe(1);
  });

  test('a chain that begins anew, or skips time, without a receipt that says so is tampered', async () => {
    const anew = await buildEvidence({ digests: 2 });
    anew.nowMs += 3_600_000;
    const key = await anew.digest('eu-central-1', { endMs: anew.nowMs, beginsAnew: true });
    expect(faults(await verifyBucket(anew))).toEqual([`restart ${key}`]);
    const gap = await buildEvidence({ digests: 2 });
    gap.skipInterval();
    const [after] = await gap.closeInterval();
    expect(faults(await verifyBucket(gap))).toEqual([`gap ${after}`]);
  });

  test('a fault of digests is named where they lie, also once the trail went on below another prefix', async () => {
    const builder = await buildEvidence({ digests: 1, prefix: 'one' });
    builder.skipInterval();
    const [after] = await builder.closeInterval();
    await builder.moveTo(builder.bucket, 'two');
    await builder.deliver();
    await builder.closeInterval();
    expect(faults(await verifyBucket(builder))).toEqual([`gap ${after}`]);
  });

  test('a log file that a digest leaves out, adds or describes otherwise is found', async () => {
    const leftOut = await buildEvidence({ digests: 1 });
    const [log] = await leftOut.deliver();
    leftOut.nowMs += 3_600_000;
    await leftOut.digest('eu-central-1', { endMs: leftOut.nowMs, change: (digest) => ({ ...digest, logFiles: [] }) });
    expect(faults(await verifyBucket(leftOut))).toEqual([`not-listed ${log}`]);

    const added = await buildEvidence({ digests: 1 });
    added.nowMs += 3_600_000;
    const file = {
      s3Bucket: 'evidence',
      s3Object: log!,
      hashValue: 'a'.repeat(64),
      hashAlgorithm: 'SHA-256' as const,
      newestEventTime: '2026-01-01T00:00:00Z',
      oldestEventTime: '2026-01-01T00:00:00Z',
    };
    const key = await added.digest('eu-central-1', { endMs: added.nowMs, change: (digest) => ({ ...digest, logFiles: [file] }) });
    expect(faults(await verifyBucket(added))).toEqual([`lists-unnamed ${key}`]);
  });

  test('a trail that went on in another bucket is incomplete there, and complete where both are', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const first = builder.bucket;
    const second = new MemoryBucket('elsewhere');
    await builder.moveTo(second, 'deep');
    await builder.deliver();
    await builder.closeInterval();
    const early = second.copy();
    for (const key of [...early.keys('/CloudTrail-Digest/'), builder.receiptKey()]) early.objects.delete(key);
    expect((await verifyBucket(builder, early)).exitCode).toBe(2);
    const alone = await verifyBucket(builder, second);
    expect(new Set(alone.findings.map(({ level, code }) => `${level} ${code}`))).toEqual(new Set(['incomplete elsewhere']));
    expect(alone.exitCode).toBe(2);

    const folder = await newFolder();
    await first.writeTo(join(folder, 'evidence'));
    await second.writeTo(join(folder, 'elsewhere'));
    const both = await verify({
      source: await folderSource(folder),
      pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
      threads: 0,
    });
    expect(faults(both)).toEqual([]);
    expect(both.exitCode).toBe(0);
  });

  test('receipts that were removed below another prefix of this bucket are missing, and not elsewhere', async () => {
    const builder = await buildEvidence({ digests: 2, prefix: 'one' });
    await builder.moveTo(builder.bucket, 'two');
    await builder.deliver();
    await builder.closeInterval();
    expect(faults(await verifyBucket(builder))).toEqual([]);
    const [some, all] = [builder.bucket.copy(), builder.bucket.copy()];
    const receipts = all.keys('one/AWSLogs/').filter((key) => key.includes('/receipts/'));
    some.objects.delete(receipts[1]!);
    for (const key of all.keys('one/')) all.objects.delete(key);

    for (const [bucket, missing] of [
      [some, receipts.slice(1, 2)],
      [all, receipts],
    ] as const) {
      const report = await verifyBucket(builder, bucket);
      expect(report.exitCode).toBe(1);
      expect(faults(report).filter((fault) => fault.startsWith('receipt-missing'))).toEqual(missing.map((key) => `receipt-missing ${key}`));
      expect(faults(report).join()).not.toContain('elsewhere');
    }

    // A copy is of the prefixes of which it holds anything.
    const verifyCopy = async (bucket: MemoryBucket) => {
      const folder = await newFolder();
      await bucket.writeTo(join(folder, 'copy'));
      const pinnedKeys = parsePinnedKeys(builder.installation.verifierKey);
      return verify({ source: await folderSource(folder), pinnedKeys, threads: 0 });
    };
    expect((await verifyCopy(builder.bucket)).exitCode).toBe(0);
    const evidence = builder.bucket.copy();
    for (const key of evidence.keys('one/AWSLogs/').filter((each) => each.includes('/CloudTrail-Evidence/'))) evidence.objects.delete(key);
    expect(faults(await verifyCopy(evidence))).toContain(`receipt-missing copy/${receipts[0]}`);
    expect((await verifyCopy(some)).exitCode).toBe(1);
    const other = await verifyCopy(all);
    expect(other.exitCode).toBe(2);
    expect(other.findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      `elsewhere: not here: receipts 1 to ${receipts.length}. The trail delivered to \`s3://evidence/one/\` then: verify that as well, or copies of both in one folder`,
    ]);
  });

  test('receipts that nobody trusted signed do not make forged log files good, even of a trail that was not asked for', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const attacker = await buildEvidence({ digests: 1, name: 'fake', bucket: builder.bucket.copy() });
    const report = await verifyBucket(builder, attacker.bucket, { trails: ['main'] });
    expect(report.exitCode).toBe(1);
    expect(report.findings.map(({ code }) => code)).toContain('untrusted-key');
  });

  test('a key file that holds another key than its name says is named', async () => {
    const builder = await buildEvidence({ digests: 1 });
    const bucket = builder.bucket.copy();
    const [one, other] = bucket.keys('/keys/');
    bucket.put(one!, bucket.objects.get(other!)!.body);
    expect(faults(await verifyBucket(builder, bucket))).toEqual([`key-file ${one}`]);
  });
});

describe('verify, on a bucket', () => {
  test('a delete marker, a newer version and a forged version that was deleted again are named (A35)', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const bucket = builder.bucket.copy();
    const [log, other] = bucket.keys('/CloudTrail/');
    const digest = bucket.keys('/CloudTrail-Digest/')[0]!;
    bucket.markDeleted(log!);
    bucket.putVersion(other!, new TextEncoder().encode('else'));
    bucket.putVersion(digest, bucket.objects.get(digest)!.body, bucket.objects.get(digest)!.metadata);
    const forged = other!.replace(/_[A-Za-z0-9]{16}\./, '_AAAAAAAAAAAAAAAA.');
    bucket.put(forged, new TextEncoder().encode('forged'));
    bucket.markDeleted(forged);
    const report = await verifyBucket(builder, bucket);
    expect(faults(report).sort()).toEqual([`bytes ${other}`, `delete-marker ${log}`, `unlisted ${forged}`].sort());
  });

  test('a copy under another name is found to be moved, and is checked as a copy when asked', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const copy = builder.bucket.copy('copy');
    const moved = await verifyBucket(builder, copy);
    expect(moved).toMatchObject({ exitCode: 1, findings: [{ code: 'moved' }] });
    const relocated = await verifyBucket(builder, copy, { isRelocated: true });
    expect(faults(relocated)).toEqual([]);
    expect(relocated.cannotKnow.join()).toContain('checked as a copy');
  });

  test('what cannot be read is incomplete, and named', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const source = builder.bucket.source();
    const [log] = builder.bucket.keys('/CloudTrail/');
    const report = await verifyBucket(builder, undefined, {
      source: { ...source, get: async (key, max) => (key === log ? { kind: 'unreadable', reason: 'AccessDenied' } : source.get(key, max)) },
    });
    expect(faults(report)).toEqual([`unreadable ${log}`]);
    expect(report.exitCode).toBe(2);
  });

  test('a source that cannot be listed is incomplete', async () => {
    const source = builder404();
    const report = await verify({ source, threads: 0 });
    expect(report).toMatchObject({ exitCode: 2 });
    expect(report.findings[0]).toMatchObject({ code: 'unreachable' });
  });

  test('that is being delivered to while it is read is no fault: what was not there yet is looked for again', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const source = builder.bucket.source();
    const [log] = await builder.deliver();
    const [digest] = await builder.closeInterval();
    const late = new Set([log, digest]);
    const report = await verifyBucket(builder, undefined, {
      source: { ...source, get: async (key, max) => (late.delete(key) ? { kind: 'missing' } : source.get(key, max)) },
      callServer: builder.callServer(),
    });
    expect(faults(report)).toEqual([]);
    expect(report.exitCode).toBe(0);
  });

  test('only the Regions and the time that were asked for are checked, and the rest is said to be unchecked', async () => {
    const builder = new Builder();
    await builder.start(['eu-central-1', 'us-east-1']);
    for (let hour = 0; hour < 3; hour++) {
      await builder.deliver(['eu-central-1', 'us-east-1']);
      await builder.closeInterval();
    }
    const bucket = builder.bucket.copy();
    const [bad] = bucket.keys('/CloudTrail/us-east-1/');
    bucket.put(bad!, new TextEncoder().encode('bad'));
    expect((await verifyBucket(builder, bucket)).exitCode).toBe(1);
    const region = await verifyBucket(builder, bucket, { regions: ['eu-central-1'] });
    expect(faults(region)).toEqual([]);
    expect(region.counts.log).toMatchObject({ valid: 3, unchecked: 3 });
    const later = await verifyBucket(builder, bucket, { from: new Date(builder.nowMs - 3_600_000) });
    expect(faults(later)).toEqual([]);
    expect(later.counts.log.unchecked).toBeGreaterThan(0);
  });

  test('where nothing is of the Regions or the time that were asked for, the verdict is 2, unless logging has stopped before', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const hourAgo = new Date(builder.nowMs - 3_600_000);
    for (const nothing of [{ regions: ['eu-centrl-1'] }, { from: new Date(builder.nowMs), to: hourAgo }]) {
      const report = await verifyBucket(builder, undefined, nothing);
      expect(faults(report)).toEqual([expect.stringMatching(/^nothing-selected /)]);
      expect(report.exitCode).toBe(2);
    }
    expect((await verifyBucket(builder, undefined, { from: hourAgo, to: new Date(builder.nowMs) })).exitCode).toBe(0);
    await builder.stop();
    const later = await verifyBucket(builder, undefined, { from: new Date(builder.nowMs + 1_000) });
    expect(later).toMatchObject({ exitCode: 0, findings: expect.arrayContaining([expect.objectContaining({ code: 'nothing-selected' })]) });
  });
});

function builder404(): VerifyOptions['source'] {
  return {
    name: 's3://gone',
    kind: 'bucket',
    bucket: 'gone',
    jobs: 1,
    // biome-ignore lint/correctness/useYield: it fails before the first key.
    list: async function* () {
      throw new SourceUnreachable('`s3://gone` cannot be listed: status 404 (NoSuchBucket)');
    },
    get: async () => ({ kind: 'missing' }),
    versionsUnknown: () => undefined,
  };
}
