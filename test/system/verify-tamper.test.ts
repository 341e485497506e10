/**
 * Everything that somebody may do to a bucket, and what the verifier says: T1 to T10 and A30 to A39, A44 of
 * reliability.md, each with its exit code and the files that must be named.
 *
 * Where the AWS CLI 1.45.11 is installed, the same buckets are shown to it: it must find the clean one valid (so our
 * digests are the service's, byte for byte), and must miss what the table says it misses.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseDigest } from '../../src/digest/digest-file.ts';
import { utf8 } from '../../src/tlog/text.ts';
import type { VerifyReport } from '../../src/verify/report.ts';
import { parsePinnedKeys } from '../../src/verify/trust.ts';
import { type VerifyOptions, verify } from '../../src/verify/verify.ts';
import { validateLogs, whyNoAwsCli } from '../support/aws-validate-logs.ts';
import { buildEvidence, type EvidenceBuilder, type MemoryBucket, signDigest } from '../support/evidence-builder.ts';

const HOUR_MS = 3_600_000;

interface Tamper {
  readonly id: string;
  readonly what: string;
  /** What `aws cloudtrail validate-logs` 1.45.11 answers. */
  readonly cli: 0 | 1;
  /** A text that the CLI must print. */
  readonly cliSays?: string;
  readonly build?: () => Promise<EvidenceBuilder>;
  /** Changes the bucket; returns the keys that must be named. */
  readonly change: (bucket: MemoryBucket, builder: EvidenceBuilder) => readonly string[];
}

function remove(bucket: MemoryBucket, keys: readonly string[]): readonly string[] {
  for (const key of keys) bucket.objects.delete(key);
  return keys;
}

const digests = (bucket: MemoryBucket) => bucket.keys('/CloudTrail-Digest/');
const logs = (bucket: MemoryBucket) => bucket.keys('/CloudTrail/');

const forged = new Uint8Array(gzipSync('{"Records":[{"eventID":"forged","eventName":"Nothing"}]}'));

function append(bucket: MemoryBucket, key: string, more: Uint8Array): string {
  const { body, metadata } = bucket.objects.get(key)!;
  bucket.put(key, new Uint8Array(Buffer.concat([body, more])), metadata);
  return key;
}

/** Six hours with logs, and a log in the hour that is still open. */
async function running(): Promise<EvidenceBuilder> {
  const builder = await buildEvidence();
  builder.nowMs += 60_000;
  await builder.deliver();
  return builder;
}

/** Hours with logs, a stop of some hours, and more hours with logs. */
async function restarted(): Promise<EvidenceBuilder> {
  const builder = await buildEvidence({ digests: 3 });
  builder.nowMs += 60_000;
  await builder.deliver();
  await builder.stop();
  builder.nowMs += 2 * HOUR_MS;
  await builder.start();
  for (let hour = 0; hour < 3; hour++) {
    builder.nowMs += 60_000;
    await builder.deliver();
    await builder.closeInterval();
  }
  return builder;
}

const TAMPERS: readonly Tamper[] = [
  {
    id: 'T1, A30',
    what: 'the newest 2 digests and their logs are deleted',
    cli: 0,
    cliSays: '4/4 digest files valid',
    change: (bucket) => remove(bucket, [...digests(bucket).slice(-2), ...logs(bucket).slice(4, 6)]),
  },
  {
    id: 'T2, A31',
    what: 'all digests are deleted',
    cli: 0,
    cliSays: 'No digests found',
    change: (bucket) => remove(bucket, digests(bucket)),
  },
  {
    id: 'T3, A32',
    what: 'the chain was restarted, and 2 digests and logs before it are deleted',
    cli: 0,
    cliSays: 'No log files were delivered by CloudTrail between',
    build: restarted,
    change: (bucket) => remove(bucket, [...digests(bucket).slice(2, 4), ...logs(bucket).slice(2, 4)]),
  },
  {
    id: 'T4, A33 (log)',
    what: 'a second gzip member with a forged record is appended to a log',
    cli: 0,
    cliSays: '6/6 log files valid',
    change: (bucket) => [append(bucket, logs(bucket)[3]!, forged)],
  },
  {
    id: 'T4, A33 (digest)',
    what: 'a second gzip member is appended to a digest',
    cli: 0,
    cliSays: '6/6 digest files valid',
    change: (bucket) => [append(bucket, digests(bucket)[3]!, forged)],
  },
  {
    id: 'A33 (garbage)',
    what: 'bytes are appended to a log',
    cli: 0,
    cliSays: '6/6 log files valid',
    change: (bucket) => [append(bucket, logs(bucket)[3]!, utf8('garbage'))],
  },
  {
    id: 'T5, A34',
    what: 'a forged log file is put beside the others',
    cli: 0,
    cliSays: '6/6 log files valid',
    change: (bucket) => {
      const key = logs(bucket)[2]!.replace(/_[A-Za-z0-9]{16}\.json\.gz$/, '_AAAAAAAAAAAAAAAA.json.gz');
      bucket.put(key, forged);
      return [key];
    },
  },
  {
    id: 'T6, A36',
    what: 'a middle digest is replaced by another one that is signed as well',
    cli: 0,
    cliSays: '6/6 digest files valid',
    change: (bucket, { installation }) => {
      const key = digests(bucket)[2]!;
      const parsed = parseDigest(gunzipSync(bucket.objects.get(key)!.body));
      if (parsed.kind !== 'digest') throw new Error(parsed.reason);
      const digest = { ...parsed.digest, logFiles: [], newestEventTime: null, oldestEventTime: null };
      const signed = signDigest(digest, { bucket: bucket.name, key }, installation.digestKey);
      bucket.put(key, signed.body, { ...bucket.objects.get(key)!.metadata, signature: signed.signature });
      return [key];
    },
  },
  {
    id: 'T7',
    what: 'the value of the `signature-algorithm` metadata is changed',
    cli: 0,
    cliSays: '6/6 digest files valid',
    change: (bucket) => {
      const key = digests(bucket)[1]!;
      const { body, metadata } = bucket.objects.get(key)!;
      bucket.put(key, body, { ...metadata, 'signature-algorithm': 'none' });
      return [key];
    },
  },
  {
    id: 'T8',
    what: 'a run of neighbouring digests and their logs in the middle is deleted',
    cli: 1,
    cliSays: '1/4 digest files INVALID',
    change: (bucket) => remove(bucket, [...digests(bucket).slice(1, 4), ...logs(bucket).slice(1, 4)]),
  },
  {
    id: 'T9, A38 (edit)',
    what: 'one record of a log is edited',
    cli: 1,
    cliSays: "hash value doesn't match",
    change: (bucket) => {
      const key = logs(bucket)[2]!;
      bucket.put(key, new Uint8Array(gzipSync(gunzipSync(bucket.objects.get(key)!.body).toString().replace('203.0.113.7', '203.0.113.8'))));
      return [key];
    },
  },
  {
    id: 'T9, A38 (delete log)',
    what: 'one log is deleted',
    cli: 1,
    cliSays: 'INVALID: not found',
    change: (bucket) => remove(bucket, [logs(bucket)[2]!]),
  },
  {
    id: 'A38 (delete digest)',
    what: 'one middle digest is deleted',
    cli: 1,
    cliSays: 'INVALID: not found',
    change: (bucket) => remove(bucket, [digests(bucket)[2]!]),
  },
  {
    id: 'T10 (swap)',
    what: 'the bytes of two log files are swapped',
    cli: 1,
    cliSays: "hash value doesn't match",
    change: (bucket) => {
      const [one, other] = [logs(bucket)[1]!, logs(bucket)[4]!];
      const [first, second] = [bucket.objects.get(one)!, bucket.objects.get(other)!];
      bucket.put(one, second.body);
      bucket.put(other, first.body);
      return [one, other];
    },
  },
];

function verifyBucket(builder: EvidenceBuilder, bucket: MemoryBucket, options: Partial<VerifyOptions> = {}): Promise<VerifyReport> {
  return verify({
    source: bucket.source(),
    pinnedKeys: parsePinnedKeys(builder.installation.verifierKey),
    nowMs: builder.nowMs,
    threads: 0,
    ...options,
  });
}

/** Files that are not in order, in order of their keys. */
function named(report: VerifyReport): string[] {
  return report.files.filter(({ verdict }) => ['tampered', 'missing', 'unlisted'].includes(verdict)).map(({ key }) => key);
}

describe('tampering that the AWS scheme misses or blurs', () => {
  test.each(TAMPERS.map((tamper) => [tamper.id, tamper] as const))('%s: exit 1, every file named', async (_, { build, change }) => {
    const builder = await (build ?? running)();
    const clean = await verifyBucket(builder, builder.bucket);
    expect({ exit: clean.exitCode, findings: clean.findings.filter(({ level }) => level !== 'note') }).toEqual({ exit: 0, findings: [] });

    const bucket = builder.bucket.copy();
    const keys = change(bucket, builder);
    const report = await verifyBucket(builder, bucket);
    expect(report.exitCode).toBe(1);
    expect(named(report)).toEqual([...keys].sort());
  });
});

const whyNot = whyNoAwsCli();
if (whyNot !== undefined) console.warn(`skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)('aws cloudtrail validate-logs 1.45.11, shown the same buckets', () => {
  test('finds every digest and log file of clean evidence valid: the digests are the service’s', async () => {
    const builder = await restarted();
    const { exitCode, output } = await validateLogs(builder, builder.bucket);
    expect(output).toContain('7/7 digest files valid');
    expect(output).toContain('7/7 log files valid');
    expect(output).not.toContain('INVALID');
    expect(exitCode).toBe(0);
  });

  test('finds a backfill chain valid', async () => {
    const builder = await buildEvidence({ digests: 2, prefix: 'some/prefix' });
    builder.nowMs += 60_000;
    await builder.deliver();
    await builder.closeInterval({ isBackfill: true });
    await builder.closeInterval({ isBackfill: true });
    await builder.closeInterval();
    const { exitCode, output } = await validateLogs(builder, builder.bucket);
    expect(output).toContain('3/3 digest files valid');
    expect(output).toContain('2/2 backfill digest files valid');
    expect(output).toContain('3/3 log files valid');
    expect(exitCode).toBe(0);
  });

  test.each(TAMPERS.map((tamper) => [tamper.id, tamper] as const))(
    '%s: answers as documented',
    async (_, { build, change, cli, cliSays }) => {
      const builder = await (build ?? running)();
      const bucket = builder.bucket.copy();
      change(bucket, builder);
      const { exitCode, output } = await validateLogs(builder, bucket);
      expect(exitCode).toBe(cli);
      if (cliSays !== undefined) expect(output).toContain(cliSays);
    },
  );
});
