import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { buildEvidence, type EvidenceBuilder, MemoryBucket, rsaKey, signDigest } from '../../test/support/evidence-builder.ts';
import { parseDigest } from '../digest/digest-file.ts';
import type { VerifyReport } from './report.ts';
import { type PinnedKeys, parsePinnedKeys } from './trust.ts';
import { type VerifyOptions, verify } from './verify.ts';

/** What `aws cloudtrail list-public-keys` prints, as a file of pinned keys. */
function listedKeys(): PinnedKeys {
  const { publicKey, fingerprint } = rsaKey(0);
  return parsePinnedKeys(
    JSON.stringify({ PublicKeyList: [{ Value: Buffer.from(publicKey).toString('base64'), Fingerprint: fingerprint }] }),
  );
}

/** The bucket as AWS would have made it: log files and digests, no receipts. */
async function awsBucket(): Promise<{ builder: EvidenceBuilder; bucket: MemoryBucket }> {
  const builder = await buildEvidence({ digests: 4 });
  const bucket = new MemoryBucket(
    builder.bucket.name,
    [...builder.bucket.objects].filter(([key]) => !key.includes('/CloudTrail-Evidence/')),
  );
  return { builder, bucket };
}

function verifyBucket(bucket: MemoryBucket, options: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
  return verify({ source: bucket.source(), pinnedKeys: listedKeys(), threads: 0, ...options });
}

function faults(report: VerifyReport): string[] {
  return report.findings.filter(({ code }) => code !== 'no-receipts').map(({ level, code, key }) => `${level} ${code} ${key}`);
}

describe('files that no receipt speaks of', () => {
  test('are incomplete at best, even if every digest is right under a pinned key', async () => {
    const { bucket } = await awsBucket();
    const report = await verifyBucket(bucket);
    expect(report.findings.map(({ code }) => code)).toEqual(['no-receipts']);
    expect(report.exitCode).toBe(2);
    expect(report.counts.digest.valid).toBe(4);
    expect(report.counts.log.valid).toBe(4);
  });

  test('are not tampered because the key is not known', async () => {
    const { bucket } = await awsBucket();
    const report = await verifyBucket(bucket, { pinnedKeys: { checkpoint: [], digest: [] } });
    expect(new Set(report.findings.map(({ level, code }) => `${level} ${code}`))).toEqual(
      new Set(['incomplete no-receipts', 'incomplete digest-key']),
    );
    expect(report.exitCode).toBe(2);
  });

  test('are tampered where a digest or log file does not agree with what signs it', async () => {
    const { bucket: clean } = await awsBucket();
    const [first, second, third] = clean.keys('/CloudTrail-Digest/') as [string, string, string];
    const log = clean.keys('/CloudTrail/')[1]!;
    const resign = (bucket: MemoryBucket, key: string) => {
      const parsed = parseDigest(gunzipSync(bucket.objects.get(key)!.body));
      if (parsed.kind !== 'digest') throw new Error(parsed.reason);
      const signed = signDigest(
        { ...parsed.digest, logFiles: [], newestEventTime: null, oldestEventTime: null },
        { bucket: bucket.name, key },
        rsaKey(0),
      );
      bucket.put(key, signed.body, { ...bucket.objects.get(key)!.metadata, signature: signed.signature });
    };
    const cases: readonly (readonly [string, readonly string[], (bucket: MemoryBucket) => void])[] = [
      ['a log is changed', [`tampered content ${log}`], (bucket) => bucket.put(log, gzipSync('{"Records":[]}'))],
      [
        'a log has a second member',
        [`tampered content ${log}`],
        (bucket) => bucket.put(log, Buffer.concat([bucket.objects.get(log)!.body, gzipSync('x')])),
      ],
      ['a log is missing', [`tampered missing ${log}`], (bucket) => bucket.objects.delete(log)],
      [
        'a middle digest is missing',
        [`tampered missing ${second}`, `incomplete not-listed ${log}`],
        (bucket) => bucket.objects.delete(second),
      ],
      [
        'the oldest digest is missing',
        [`incomplete missing ${first}`, `incomplete not-listed ${clean.keys('/CloudTrail/')[0]}`],
        (bucket) => bucket.objects.delete(first),
      ],
      [
        'a middle digest is signed anew',
        [`tampered link ${second}`, `tampered link ${second}`, `incomplete not-listed ${log}`],
        (bucket) => resign(bucket, second),
      ],
      [
        'the algorithm is another',
        [`tampered algorithm ${third}`],
        (bucket) => {
          const { body, metadata } = bucket.objects.get(third)!;
          bucket.put(third, body, { ...metadata, 'signature-algorithm': 'MD5withRSA' });
        },
      ],
      [
        'a digest is copied to another place',
        [`tampered location ${second}`],
        (bucket) => {
          const { body, metadata } = bucket.objects.get(third)!;
          bucket.put(second, body, metadata);
        },
      ],
      ['a log is put beside', [`incomplete not-listed ${log}x`], (bucket) => bucket.put(`${log}x`, gzipSync('{}'))],
    ];
    for (const [what, expected, change] of cases) {
      const bucket = clean.copy();
      change(bucket);
      const report = await verifyBucket(bucket);
      expect({ what, exit: report.exitCode }).toEqual({ what, exit: expected[0]!.startsWith('tampered') ? 1 : 2 });
      expect(faults(report), what).toEqual(expect.arrayContaining([...expected]));
    }
  });

  test('in a copy are checked by the signature that the digest after carries, and the newest one’s is not known', async () => {
    const { bucket } = await awsBucket();
    const copy = new MemoryBucket(
      'copy',
      [...bucket.objects].map(([key, { body }]) => [`deep/${key}`, { body, metadata: {} }] as const),
    );
    const source = { ...copy.source(), kind: 'folder' as const };
    const withoutMetadata = {
      ...source,
      get: async (key: string, bytesMax: number) => {
        const fetched = await source.get(key, bytesMax);
        return fetched.kind === 'object' ? { kind: 'object' as const, bytes: fetched.bytes } : fetched;
      },
    };
    const report = await verify({ source: withoutMetadata, pinnedKeys: listedKeys(), threads: 0 });
    expect(faults(report)).toEqual([`incomplete signature-unknown ${copy.keys('/CloudTrail-Digest/').at(-1)}`]);
    expect(report.counts.digest.valid).toBe(3);
  });

  test('beside a trail that has receipts do not spoil its own files, and are no 0 either', async () => {
    const { builder, bucket } = await awsBucket();
    for (const [key, { body, metadata }] of bucket.objects) builder.bucket.put(`other/${key}`, body, metadata);
    const pinnedKeys = { ...listedKeys(), ...parsePinnedKeys(builder.installation.verifierKey) };
    const report = await verifyBucket(builder.bucket, { pinnedKeys, nowMs: builder.nowMs });
    expect(report.exitCode).toBe(1);
    expect(new Set(report.findings.map(({ code }) => code))).toEqual(new Set(['no-receipts', 'location', 'not-listed']));
  });
});
