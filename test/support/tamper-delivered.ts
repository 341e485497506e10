/**
 * The ways of tampering of reliability.md §6.1, T1 to T10, for a bucket that a running server has delivered.
 *
 * The bucket is read through S3 into memory; each way changes a copy. It needs a first chain of at least five digests with log files
 * in the home Region, and a second one, after a stop and a start, of at least two.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { type Digest, encodeDigest, parseDigest } from '../../src/digest/digest-file.ts';
import { stringToSign } from '../../src/digest/string-to-sign.ts';
import type { Keys } from '../../src/store/keys.ts';
import { MemoryBucket } from './evidence-builder.ts';

interface DigestOfChain {
  readonly key: string;
  /** Keys of the log files that it lists. */
  readonly logs: readonly string[];
}

/** Digests of the home Region, oldest first, by chain. */
export type Chains = readonly (readonly DigestOfChain[])[];

/** A copy of a bucket as a client of S3 sees it, with metadata. `env` holds the client's access key, as `snowtrail env` prints it. */
export async function copyBucket(name: string, endpoint: string, env: Readonly<Record<string, string>>): Promise<MemoryBucket> {
  const credentials = { accessKeyId: env['AWS_ACCESS_KEY_ID']!, secretAccessKey: env['AWS_SECRET_ACCESS_KEY']! };
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  const bucket = new MemoryBucket(name);
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: name }))
    for (const { Key } of Contents) {
      const { Body, Metadata } = await client.send(new GetObjectCommand({ Bucket: name, Key: Key! }));
      bucket.put(Key!, await Body!.transformToByteArray(), Metadata);
    }
  client.destroy();
  return bucket;
}

export function chainsOf(bucket: MemoryBucket, homeRegion: string): Chains {
  const chains: DigestOfChain[][] = [[]];
  for (const key of bucket.keys(`/CloudTrail-Digest/${homeRegion}/`)) {
    const { logFiles, previousDigestS3Object } = digestOf(bucket, key);
    if (previousDigestS3Object === null && chains.at(-1)!.length > 0) chains.push([]);
    chains.at(-1)!.push({ key, logs: logFiles.map(({ s3Object }) => s3Object) });
  }
  return chains;
}

function digestOf(bucket: MemoryBucket, key: string): Digest {
  const parsed = parseDigest(gunzipSync(bucket.objects.get(key)!.body));
  if (parsed.kind !== 'digest') throw new Error(`${key}: ${parsed.reason}`);
  return parsed.digest;
}

/** Digests that list log files. */
export function withLogs(chain: readonly DigestOfChain[] = []): readonly DigestOfChain[] {
  return chain.filter(({ logs }) => logs.length > 0);
}

export interface Tampering {
  readonly bucket: MemoryBucket;
  readonly chains: Chains;
  /** The server's own: whoever has its files can sign. */
  readonly keys: Keys;
}

export interface Tamper {
  readonly id: string;
  readonly what: string;
  /** What `aws cloudtrail validate-logs` 1.45.11 exits with. */
  readonly awsCli: 0 | 1;
  /** Changes the bucket; resolves with the keys that a verifier must name. */
  readonly change: (of: Tampering) => Promise<readonly string[]>;
}

const FORGED = new Uint8Array(gzipSync('{"Records":[{"eventID":"forged","eventName":"Nothing"}]}'));

export const TAMPERS: readonly Tamper[] = [
  {
    id: 'T1',
    what: 'the newest two digests and their log files are deleted',
    awsCli: 0,
    change: async ({ bucket, chains }) => removeAll(bucket, chains.flat().slice(-2)),
  },
  {
    id: 'T2',
    what: 'all digests are deleted',
    awsCli: 0,
    change: async ({ bucket }) => remove(bucket, bucket.keys('/CloudTrail-Digest/')),
  },
  {
    id: 'T3',
    what: 'the last two digests before a restart of the chain and their log files are deleted',
    awsCli: 0,
    change: async ({ bucket, chains }) => removeAll(bucket, chains[0]!.slice(-2)),
  },
  {
    id: 'T4 (log file)',
    what: 'a second gzip member with a forged record is appended',
    awsCli: 0,
    change: async ({ bucket, chains }) => append(bucket, withLogs(chains[0])[1]!.logs[0]!),
  },
  {
    id: 'T4 (digest)',
    what: 'a second gzip member is appended',
    awsCli: 0,
    change: async ({ bucket, chains }) => append(bucket, chains[0]![1]!.key),
  },
  {
    id: 'T5',
    what: 'a forged log file is put beside the others',
    awsCli: 0,
    change: async ({ bucket, chains }) => {
      const key = withLogs(chains[0])[0]!.logs[0]!.replace(/_[A-Za-z0-9]{16}\.json\.gz$/, '_AAAAAAAAAAAAAAAA.json.gz');
      bucket.put(key, FORGED);
      return [key];
    },
  },
  {
    id: 'T6',
    what: 'a middle digest is replaced by one without log files that the server’s own key signed',
    awsCli: 0,
    change: async ({ bucket, chains, keys }) => {
      const { key } = withLogs(chains[0])[2]!;
      const digest: Digest = { ...digestOf(bucket, key), logFiles: [], newestEventTime: null, oldestEventTime: null };
      const content = encodeDigest(digest);
      const text = stringToSign(digest, { bucket: bucket.name, key }, createHash('sha256').update(content).digest('hex'));
      const { signature } = await keys.sign('digest', new TextEncoder().encode(text));
      const { metadata } = bucket.objects.get(key)!;
      bucket.put(key, new Uint8Array(gzipSync(content)), { ...metadata, signature: Buffer.from(signature).toString('hex') });
      return [key];
    },
  },
  {
    id: 'T7',
    what: 'the value of a digest’s metadata signature-algorithm is changed',
    awsCli: 0,
    change: async ({ bucket, chains }) => {
      const { key } = chains[0]![1]!;
      const { body, metadata } = bucket.objects.get(key)!;
      bucket.put(key, body, { ...metadata, 'signature-algorithm': 'none' });
      return [key];
    },
  },
  {
    id: 'T8',
    what: 'a run of three neighbouring digests in the middle and their log files are deleted',
    awsCli: 1,
    change: async ({ bucket, chains }) => removeAll(bucket, chains[0]!.slice(1, 4)),
  },
  {
    id: 'T9 (edit)',
    what: 'one record of a log file is edited',
    awsCli: 1,
    change: async ({ bucket, chains }) => {
      const key = withLogs(chains[0])[1]!.logs[0]!;
      const { body, metadata } = bucket.objects.get(key)!;
      const text = gunzipSync(body).toString().replace('"eventVersion"', '"eventVersioN"');
      bucket.put(key, new Uint8Array(gzipSync(text)), metadata);
      return [key];
    },
  },
  {
    id: 'T9 (delete)',
    what: 'one log file is deleted',
    awsCli: 1,
    change: async ({ bucket, chains }) => remove(bucket, [withLogs(chains[0])[1]!.logs[0]!]),
  },
  {
    id: 'T10',
    what: 'the bytes of two log files are swapped',
    awsCli: 1,
    change: async ({ bucket, chains }) => {
      const [one, other] = withLogs(chains[0]).map(({ logs }) => logs[0]!) as [string, string];
      const [first, second] = [bucket.objects.get(one)!, bucket.objects.get(other)!];
      bucket.put(one, second.body, first.metadata);
      bucket.put(other, first.body, second.metadata);
      return [one, other];
    },
  },
];

function remove(bucket: MemoryBucket, keys: readonly string[]): readonly string[] {
  for (const key of keys) bucket.objects.delete(key);
  return keys;
}

/** Removes digests with their log files. */
function removeAll(bucket: MemoryBucket, digests: readonly DigestOfChain[]): readonly string[] {
  const keys = digests.flatMap(({ key, logs }) => [key, ...logs]);
  return remove(bucket, keys);
}

function append(bucket: MemoryBucket, key: string): readonly string[] {
  const { body, metadata } = bucket.objects.get(key)!;
  bucket.put(key, new Uint8Array(Buffer.concat([body, FORGED])), metadata);
  return [key];
}
