import { describe, expect, test } from 'vitest';
import {
  EvidenceBuilder as Builder,
  buildEvidence,
  type EvidenceBuilder,
  Installation,
  MemoryBucket,
  signNote,
} from '../../test/support/evidence-builder.ts';
import { encodeKeyStatement } from '../tlog/key-statement.ts';
import type { VerifyReport } from './report.ts';
import { parsePinnedKeys } from './trust.ts';
import { type VerifyOptions, verify } from './verify.ts';

/** Verifies a bucket of which some files are refused, with the first key of the installation pinned. */
function verifyRefused(
  builder: EvidenceBuilder,
  refused: readonly string[],
  { bucket = builder.bucket, ...options }: Partial<VerifyOptions> & { readonly bucket?: MemoryBucket } = {},
): Promise<VerifyReport> {
  const source = bucket.source();
  return verify({
    source: {
      ...source,
      get: async (key, max) => (refused.includes(key) ? { kind: 'unreadable', reason: 'status 403 (AccessDenied)' } : source.get(key, max)),
    },
    pinnedKeys: parsePinnedKeys(firstKey(builder)),
    nowMs: builder.nowMs,
    threads: 0,
    ...options,
  });
}

function firstKey({ installation }: EvidenceBuilder): string {
  const newest = installation.checkpointKeys.splice(1);
  const line = installation.verifierKey;
  installation.checkpointKeys.push(...newest);
  return line;
}

/** Findings of a level, as `code key`. */
function found(report: VerifyReport, wanted: 'tampered' | 'incomplete'): string[] {
  return report.findings.filter(({ level }) => level === wanted).map(({ code, key, message }) => `${code} ${key ?? message}`);
}

/** A trail with all that trails have: Regions, backfills, a time without logging, keys that were rotated, another prefix. */
async function richEvidence(): Promise<EvidenceBuilder> {
  const builder = new Builder();
  const regions = ['eu-central-1', 'us-east-1'];
  await builder.start(regions);
  await builder.deliver(regions);
  await builder.closeInterval();
  await builder.rotate('checkpoint');
  await builder.deliver(regions);
  await builder.deliver(['us-east-1']);
  await builder.closeInterval();
  await builder.closeInterval({ isBackfill: true });
  await builder.stop();
  builder.nowMs += 7_200_000;
  await builder.start(regions);
  await builder.deliver(regions);
  await builder.closeInterval();
  await builder.moveTo(builder.bucket, 'deep');
  await builder.deliver(regions);
  await builder.rotate('digest');
  await builder.closeInterval();
  await builder.deliver(regions);
  return builder;
}

/** The objects that a receipt names. */
function namedBy(builder: EvidenceBuilder, receipt: string): readonly string[] {
  const { objects = [], digest } = JSON.parse(textOf(builder, receipt)) as { objects?: { key: string }[]; digest?: { key: string } };
  return [...objects, ...(digest === undefined ? [] : [digest])].map(({ key }) => key);
}

/** The text of a receipt's note. */
function textOf({ bucket }: EvidenceBuilder, receipt: string): string {
  return `${new TextDecoder().decode(bucket.objects.get(receipt)!.body).split('\n', 1)[0]!}\n`;
}

describe('verify, on files that cannot be read', () => {
  test('any one receipt, digest, log file or key file: incomplete, with its name, and nothing is called tampered', async () => {
    const builder = await richEvidence();
    expect((await verifyRefused(builder, [])).exitCode).toBe(0);
    for (const key of builder.bucket.keys()) {
      const report = await verifyRefused(builder, [key]);
      expect({ key, tampered: found(report, 'tampered'), exit: report.exitCode }).toEqual({ key, tampered: [], exit: 2 });
      expect(report.findings.some((finding) => finding.level === 'incomplete' && finding.key === key)).toBe(true);
    }
  });

  test('several receipts, and all of them', async () => {
    const builder = await richEvidence();
    const receipts = builder.bucket.keys('/receipts/');
    for (const refused of [receipts, ...receipts.map((_, at) => receipts.slice(at, at + 3)), receipts.slice(4)]) {
      const report = await verifyRefused(builder, refused);
      expect({ refused, tampered: found(report, 'tampered'), exit: report.exitCode }).toEqual({ refused, tampered: [], exit: 2 });
      expect(found(report, 'incomplete').filter((each) => each.startsWith('unreadable '))).toEqual(
        refused.map((key) => `unreadable ${key}`),
      );
    }
  });

  test('a receipt that cannot be read hides no change of a file that another receipt, or a digest, tells of', async () => {
    const builder = await buildEvidence({ digests: 4, logsEach: 2 });
    const receipts = builder.bucket.keys('/receipts/');
    for (const receipt of receipts) {
      for (const key of [...builder.bucket.keys('/CloudTrail/'), ...builder.bucket.keys('/CloudTrail-Digest/')]) {
        // The newest digest is named by the newest receipt alone.
        if (receipt === receipts.at(-1) && namedBy(builder, receipt).includes(key)) continue;
        const bucket = builder.bucket.copy();
        bucket.put(key, new TextEncoder().encode('changed'), bucket.objects.get(key)!.metadata);
        const report = await verifyRefused(builder, [receipt], { bucket });
        expect({ receipt, key, exit: report.exitCode }).toEqual({ receipt, key, exit: 1 });
        expect(report.files).toContainEqual(expect.objectContaining({ key, verdict: 'tampered' }));
      }
    }
  });

  test('nor do several, of digests that link to one another', async () => {
    const builder = await buildEvidence({ digests: 5 });
    const receipts = builder.bucket.keys('/receipts/').slice(3, -2);
    const named = receipts.flatMap((receipt) => namedBy(builder, receipt));
    expect(named).toHaveLength(8);
    for (const key of named) {
      const changed = builder.bucket.copy();
      changed.put(key, new TextEncoder().encode('changed'), changed.objects.get(key)!.metadata);
      expect(found(await verifyRefused(builder, receipts, { bucket: changed }), 'tampered')).toEqual([`content ${key}`]);
      const removed = builder.bucket.copy();
      removed.objects.delete(key);
      expect(found(await verifyRefused(builder, receipts, { bucket: removed }), 'tampered')).toEqual([`missing ${key}`]);
    }
  });

  test('nor that such a file was removed, or was overwritten with something that cannot be read', async () => {
    const builder = await buildEvidence({ digests: 3 });
    const receipts = builder.bucket.keys('/receipts/');
    const [first] = builder.bucket.keys('/CloudTrail/');
    for (const receipt of receipts) {
      const removed = builder.bucket.copy();
      removed.objects.delete(first!);
      const report = await verifyRefused(builder, [receipt], { bucket: removed });
      expect({ receipt, found: found(report, 'tampered') }).toEqual({ receipt, found: [`missing ${first}`] });
    }
    for (const key of [first!, receipts[4]!]) {
      const over = builder.bucket.copy();
      over.putVersion(key, new TextEncoder().encode('locked'));
      expect(found(await verifyRefused(builder, [key], { bucket: over }), 'tampered')).toContain(`overwritten ${key}`);
    }
  });

  test('nor a forged log file, once a digest lists all of the time when that receipt was made', async () => {
    const builder = await buildEvidence({ digests: 3, logsEach: 3 });
    const forged = builder.bucket.keys('/CloudTrail/')[0]!.replace(/_[A-Za-z0-9]{16}\./, '_AAAAAAAAAAAAAAAA.');
    builder.bucket.put(forged, new TextEncoder().encode('forged'));
    const [receipt] = builder.bucket
      .keys('/receipts/')
      .filter((key) => namedBy(builder, key).some((name) => name.includes('/CloudTrail/')));
    const between = builder.receiptKey(Number(receipt!.slice(-17, -5)) + 1);
    expect(found(await verifyRefused(builder, [between]), 'tampered')).toEqual([`unlisted ${forged}`]);
    // The newest one may name anything.
    const newest = await verifyRefused(builder, [builder.receiptKey()]);
    expect(found(newest, 'tampered')).toEqual([]);
    expect(found(newest, 'incomplete')).toContain(`undecided ${forged}`);
  });

  test('nor receipts that are missing, but those that it may speak of', async () => {
    const builder = await buildEvidence({ digests: 3 });
    const bucket = builder.bucket.copy();
    bucket.objects.delete(builder.receiptKey(5));
    for (const [refused, tampered] of [
      [4, true],
      [6, false],
      [7, true],
      [builder.receipts, true],
    ] as const) {
      const report = await verifyRefused(builder, [builder.receiptKey(refused)], { bucket });
      expect({ refused, tampered: found(report, 'tampered').includes(`receipt-missing ${builder.receiptKey(5)}`) }).toEqual({
        refused,
        tampered,
      });
      expect(report.exitCode).toBe(tampered ? 1 : 2);
    }
  });

  test('nor what the newest receipt names, once the server says that all of it was put', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const [log] = await builder.deliver();
    const bucket = builder.bucket.copy();
    bucket.objects.delete(log!);
    const next = builder.receiptKey(builder.receipts + 1);
    const report = await verifyRefused(builder, [next], { bucket, callServer: builder.callServer() });
    expect([report.exitCode, found(report, 'tampered')]).toEqual([1, [`missing ${log}`]]);
    // Nobody else knows that it was not given up.
    expect((await verifyRefused(builder, [next], { bucket })).exitCode).toBe(2);
  });

  test('the first receipt at a new place, which says where the others lie', async () => {
    const builder = await buildEvidence({ digests: 2 });
    await builder.moveTo(new MemoryBucket('second'));
    const before = builder.receipts;
    await builder.deliver();
    await builder.closeInterval();
    await builder.deliver();
    const report = await verifyRefused(builder, [builder.receiptKey(before + 1)]);
    expect(found(report, 'tampered')).toEqual([]);
    expect(report.exitCode).toBe(2);
  });

  test('a trail whose receipts another key signed is tampered with before a receipt that cannot be read, and undecided after it', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const pinnedKeys = parsePinnedKeys(new Installation().verifierKey);
    const late = await verifyRefused(builder, [builder.receiptKey(6)], { pinnedKeys });
    expect(found(late, 'tampered')).toEqual([`untrusted-key ${builder.receiptKey(5)}`]);
    const early = await verifyRefused(builder, [builder.receiptKey(1)], { pinnedKeys });
    expect(early.exitCode).toBe(2);
    expect(found(early, 'incomplete')).toContain(`untrusted-key ${builder.receiptKey()}`);
  });
});

test('a digest key that only a receipt states is undecided under pinned ones, when that receipt cannot be read', async () => {
  const builder = await buildEvidence({ digests: 1 });
  const { publicKey } = builder.installation.digestKey;
  const pinnedKeys = parsePinnedKeys(JSON.stringify({ PublicKeyList: [{ Value: Buffer.from(publicKey).toString('base64') }] }));
  await builder.rotate('digest');
  const stated = builder.receiptKey();
  await builder.deliver();
  const [digest] = await builder.closeInterval();
  await builder.closeInterval();
  const options = { pinnedKeys: { ...pinnedKeys, checkpoint: parsePinnedKeys(firstKey(builder)).checkpoint } };
  expect((await verifyRefused(builder, [], options)).exitCode).toBe(0);
  const report = await verifyRefused(builder, [stated], options);
  expect(found(report, 'tampered')).toEqual([]);
  expect(found(report, 'incomplete')).toContain(`digest-key ${digest}`);
});

describe('verify, on receipts of a version that it does not know', () => {
  test('cannot judge them, nor what they name, and says what to do', async () => {
    for (const [version, use] of [
      [1, 'the Snowtrail of its time'],
      [4, 'a newer Snowtrail'],
    ] as const) {
      const builder = new Builder();
      builder.receiptVersion = version;
      await builder.start();
      await builder.deliver();
      await builder.closeInterval();
      const report = await verifyRefused(builder, []);
      expect(found(report, 'tampered')).toEqual([]);
      expect(report.exitCode).toBe(2);
      expect(report.counts.receipt).toMatchObject({ valid: 0, unreadable: builder.receipts });
      expect(report.counts.log).toMatchObject({ valid: 0, unreadable: 1 });
      expect(report.findings).toContainEqual({
        level: 'incomplete',
        code: 'receipt-version',
        key: builder.receiptKey(1),
        message: `it is of version ${version}, and this one reads version 3: use ${use}`,
      });
    }
  });

  test('before and after those that it knows, which it judges as ever', async () => {
    for (const [from, to] of [
      [1, 6],
      [4, 9],
      [6, 99],
    ] as const) {
      const builder = new Builder();
      const step = async (act: () => Promise<unknown>) => {
        builder.receiptVersion = builder.receipts + 1 >= from && builder.receipts + 1 < to ? 9 : 3;
        await act();
      };
      await step(() => builder.start());
      for (let hour = 0; hour < 4; hour++) {
        await step(() => builder.deliver());
        await step(() => builder.closeInterval());
      }
      await step(() => builder.rotate('checkpoint'));
      await step(() => builder.deliver());
      const report = await verifyRefused(builder, []);
      expect({ from, tampered: found(report, 'tampered'), exit: report.exitCode }).toEqual({ from, tampered: [], exit: 2 });
      const bucket = builder.bucket.copy();
      for (const key of bucket.keys('/CloudTrail/').slice(from === 6 ? 0 : -2)) bucket.put(key, new TextEncoder().encode('changed'));
      expect((await verifyRefused(builder, [], { bucket })).exitCode).toBe(1);
    }
  });

  test('one that nobody trusted signed, or that was changed, is tampered with', async () => {
    const builder = await buildEvidence({ digests: 2 });
    const other = new Installation();
    for (const number of [1, 5, builder.receipts]) {
      const key = builder.receiptKey(number);
      const note = new TextDecoder().decode(builder.bucket.objects.get(key)!.body);
      const text = '{"version":9,"number":1}\n';
      for (const changed of [note.replace('"version":3', '"version":9'), signNote(text, [other.checkpointKey])]) {
        const bucket = builder.bucket.copy();
        bucket.put(key, new TextEncoder().encode(changed));
        const report = await verifyRefused(builder, [], { bucket });
        expect({ number, exit: report.exitCode }).toEqual({ number, exit: 1 });
      }
      // Signed by the trusted key, but not what the next receipt links to.
      const bucket = builder.bucket.copy();
      bucket.put(key, new TextEncoder().encode(signNote(text, [builder.installation.checkpointKey])));
      const report = await verifyRefused(builder, [], { bucket });
      expect({ number, exit: report.exitCode }).toEqual({ number, exit: number === builder.receipts ? 2 : 1 });
    }
  });

  test('a key statement, which a trusted key signed as well, is none of them', async () => {
    const builder = await buildEvidence({ digests: 2 });
    builder.bucket.put(builder.receiptKey(), new TextEncoder().encode(statementOf(builder)));
    expect(found(await verifyRefused(builder, []), 'tampered')).toContain(`receipt-form ${builder.receiptKey()}`);
  });
});

/** The statement of the newest checkpoint key, as the first one would be. */
function statementOf({ installation: { checkpointKey } }: EvidenceBuilder): string {
  const { publicKey, keyHash: fingerprint } = checkpointKey.noteKey;
  const text = encodeKeyStatement({
    use: 'checkpoint',
    fingerprint,
    publicKey,
    validFrom: '2026-01-01T00:00:00Z',
    previousFingerprint: null,
    rsaSignatures: [],
  });
  return signNote(text, [checkpointKey]);
}

describe('verify, on key files and statements of a version that it does not know', () => {
  /** Evidence whose receipts are signed by a key that only `file`, at the place of its key file, leads to. */
  async function underNewKey(file: (builder: EvidenceBuilder) => object): Promise<EvidenceBuilder> {
    const builder = new Builder();
    builder.installation.checkpointKeys.push(new Installation(builder.installation.origin).checkpointKey);
    await builder.start();
    await builder.deliver();
    await builder.closeInterval();
    const [key] = builder.bucket.keys('/keys/checkpoint-');
    builder.bucket.put(key!, new TextEncoder().encode(JSON.stringify(file(builder))));
    return builder;
  }

  const fileOf = ({ installation: { origin, checkpointKey } }: EvidenceBuilder) => ({
    version: 1,
    origin,
    use: 'checkpoint',
    publicKey: Buffer.from(checkpointKey.noteKey.publicKey).toString('base64'),
  });

  test('a key that such a file may vouch for is undecided', async () => {
    const builder = await underNewKey((each) => ({ ...fileOf(each), version: 2 }));
    const report = await verifyRefused(builder, []);
    expect(found(report, 'tampered')).toEqual([]);
    expect(report.exitCode).toBe(2);
    expect(report.findings[0]).toMatchObject({
      code: 'key-file',
      message: 'it is of version 2, and this one reads version 1: use a newer Snowtrail',
    });
  });

  test('so is one that a trusted key vouches for in such a statement, from the file or the server; without that it is tampered', async () => {
    const statement = ({ installation }: EvidenceBuilder, signers: readonly number[]) =>
      signNote(
        '{"version":2}\n',
        signers.map((index) => installation.checkpointKeys[index]!),
      );
    const vouched = await underNewKey((each) => ({ ...fileOf(each), statements: [statement(each, [0, 1])] }));
    const report = await verifyRefused(vouched, []);
    expect({ tampered: found(report, 'tampered'), exit: report.exitCode }).toEqual({ tampered: [], exit: 2 });
    expect(report.findings[0]?.message).toBe('a statement in it is of version 2, and this one reads version 1: use a newer Snowtrail');

    const own = await underNewKey((each) => ({ ...fileOf(each), statements: [statement(each, [1])] }));
    expect(found(await verifyRefused(own, []), 'tampered')).toContain(`untrusted-key ${own.receiptKey()}`);

    // A receipt, under which anybody may sign, is no statement; and no version is less than 1.
    const receipt = (each: EvidenceBuilder) =>
      signNote(
        textOf(each, each.receiptKey()),
        [0, 1].map((index) => each.installation.checkpointKeys[index]!),
      );
    const cosigned = await underNewKey((each) => ({ ...fileOf(each), statements: [receipt(each)] }));
    expect(found(await verifyRefused(cosigned, []), 'tampered')).toContain(`untrusted-key ${cosigned.receiptKey()}`);
    for (const version of [0, -1, 1.5]) {
      const never = await underNewKey((each) => ({ ...fileOf(each), version }));
      expect(found(await verifyRefused(never, []), 'tampered')).toContain(`untrusted-key ${never.receiptKey()}`);
    }

    const plain = await underNewKey(fileOf);
    expect((await verifyRefused(plain, [])).exitCode).toBe(1);
    const { noteKey } = plain.installation.checkpointKey;
    const Keys = [
      { Use: 'checkpoint', VerifierKey: plain.installation.verifierKey, Fingerprint: noteKey.keyHash, Statement: statement(plain, [0, 1]) },
    ];
    const asked = await verifyRefused(plain, [], { callServer: plain.callServer({ ListEvidenceKeys: () => ({ Keys }) }) });
    expect({ tampered: found(asked, 'tampered'), exit: asked.exitCode }).toEqual({ tampered: [], exit: 2 });
  });
});
