/**
 * A small, independent checker of what a trail has put in its bucket. It shares no code with delivery or the verifier,
 * and reads nothing but objects and public keys.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { BucketName } from '../../src/event/types.ts';
import type { Keys } from '../../src/store/keys.ts';
import type { Objects } from '../../src/store/objects.ts';

/** A digest as its bytes say, and where it was found. */
export interface FoundDigest {
  readonly key: string;
  readonly account: string;
  readonly region: string;
  readonly start: string;
  readonly end: string;
  readonly isBackfill: boolean;
  readonly isStarting: boolean;
  readonly logFiles: readonly string[];
}

export interface TrailFindings {
  /** One sentence for each thing that is wrong. */
  readonly faults: readonly string[];
  /** `eventID` of each record in the log files, in the order of keys and of records. */
  readonly events: readonly string[];
  /** Bytes of each record, as text. */
  readonly records: readonly string[];
  /** Records of aggregated events, which are not in `events` and `records`. */
  // biome-ignore lint/suspicious/noExplicitAny: looked at by the tests that know them.
  readonly aggregated: readonly any[];
  readonly logFiles: readonly string[];
  /** By account, Region and end. */
  readonly digests: readonly FoundDigest[];
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of a receipt, looked at by the tests that know it.
  readonly receipts: readonly any[];
  /** SHA-256 of every object by key, to compare two runs. */
  readonly objects: ReadonlyMap<string, string>;
}

interface Stored {
  readonly body: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
}

export async function checkTrail(
  from: { readonly objects: Objects; readonly keys: Pick<Keys, 'list'> },
  bucket: string,
  options: {
    readonly mayHaveUnlisted?: boolean;
    /** The trail wrote to another bucket before: its first receipts and files are there. */
    readonly isContinued?: boolean;
  } = {},
): Promise<TrailFindings> {
  const stored = await readAll(from.objects, bucket as BucketName);
  const faults: string[] = [];
  const logFiles = [...stored.keys()].filter((key) => /\/CloudTrail(?:-NetworkActivity|-Aggregated)?\//.test(key));
  const textOf = (key: string) => gunzipSync(stored.get(key)!.body).toString();
  const isAggregated = (key: string) => key.includes('/CloudTrail-Aggregated/');
  const texts = logFiles.filter((key) => !isAggregated(key)).map(textOf);
  const records = texts.flatMap((text) => JSON.parse(text).Records as { eventID: string }[]);
  const receipts = checkReceipts(stored, options.isContinued ?? false, faults);
  const digests = await checkDigests(from.keys, bucket, stored, faults);
  checkNamed(stored, receipts, faults);
  for (const { number, bucket: named } of receipts) if (named !== bucket) faults.push(`receipt ${number} is for the bucket ${named}`);
  const listed = digests.flatMap((digest) => digest.logFiles);
  for (const key of listed.filter((each, index) => listed.indexOf(each) !== index)) faults.push(`${key} is in two digests`);
  if (!options.mayHaveUnlisted) for (const key of logFiles) if (!listed.includes(key)) faults.push(`${key} is in no digest`);
  return {
    faults,
    events: records.map((record) => record.eventID),
    records: texts.flatMap((text) => splitRecords(text)),
    aggregated: logFiles.filter(isAggregated).flatMap((key) => JSON.parse(textOf(key)).Records),
    logFiles,
    digests,
    receipts,
    objects: new Map([...stored].map(([key, { body }]) => [key, sha256(body)])),
  };
}

/** Records of the tests hold no nested `},{`, so that the bytes can be cut out without a parser. */
function splitRecords(text: string): string[] {
  const inner = text.slice('{"Records":['.length, -']}'.length);
  return inner.split(/(?<=\}),(?=\{)/);
}

async function readAll(objects: Objects, bucket: BucketName): Promise<Map<string, Stored>> {
  const stored = new Map<string, Stored>();
  let after: string | undefined;
  do {
    const page = await objects.list(bucket, { limit: 1000, ...(after === undefined ? {} : { after }) });
    for (const { key } of page.objects) {
      const found = (await objects.get(bucket, key))!;
      const pieces: Uint8Array[] = [];
      for await (const piece of found.body) pieces.push(piece);
      stored.set(key, { body: Buffer.concat(pieces), metadata: found.info.metadata });
    }
    after = page.next;
  } while (after !== undefined);
  return stored;
}

// biome-ignore lint/suspicious/noExplicitAny: see TrailFindings.
function checkReceipts(stored: ReadonlyMap<string, Stored>, isContinued: boolean, faults: string[]): any[] {
  const keys = [...stored.keys()].filter((key) => key.includes('/receipts/')).sort();
  let previous: Buffer | undefined;
  let receiptedTo: bigint | undefined;
  const first = isContinued && keys.length > 0 ? Number(/([0-9]{12})\.note$/.exec(keys[0]!)![1]) : 1;
  return keys.map((key, index) => {
    const { body } = stored.get(key)!;
    const receipt = JSON.parse(body.toString().split('\n')[0]!);
    const number = first + index;
    if (!key.endsWith(`/${String(number).padStart(12, '0')}.note`) || receipt.number !== number)
      faults.push(`receipt ${receipt.number} lies at ${key}`);
    const isFirstHere = isContinued && index === 0;
    if (!isFirstHere && receipt.previousReceiptSha256 !== (previous === undefined ? null : sha256(previous)))
      faults.push(`receipt ${receipt.number} does not follow the one before`);
    if (receipt.kind === 'start') receiptedTo = undefined;
    if (receipt.kind === 'delivery') {
      if (receiptedTo !== undefined && BigInt(receipt.fromSequence) !== receiptedTo + 1n)
        faults.push(`receipt ${receipt.number} leaves sequences out or repeats them`);
      receiptedTo = BigInt(receipt.toSequence);
    }
    previous = body;
    return receipt;
  });
}

/** Every log file and digest is named by one receipt, and the other way round. */
// biome-ignore lint/suspicious/noExplicitAny: see TrailFindings.
function checkNamed(stored: ReadonlyMap<string, Stored>, receipts: readonly any[], faults: string[]): void {
  const named = receipts.flatMap((receipt) => [...(receipt.objects ?? []), ...(receipt.digest === undefined ? [] : [receipt.digest])]);
  for (const { key, sha256: expected, contentSha256, sizeBytes } of named) {
    const found = stored.get(key);
    if (found === undefined) faults.push(`${key} is named by a receipt and missing`);
    else if (sha256(found.body) !== expected || found.body.length !== sizeBytes || sha256(gunzipSync(found.body)) !== contentSha256)
      faults.push(`${key} is not what its receipt says`);
  }
  for (const key of stored.keys()) {
    if (!/\/CloudTrail(?:-Digest|-NetworkActivity|-Aggregated)?\//.test(key)) continue;
    const times = named.filter((each) => each.key === key).length;
    if (times !== 1) faults.push(`${key} is named by ${times} receipts`);
  }
}

async function checkDigests(
  keys: Pick<Keys, 'list'>,
  bucket: string,
  stored: ReadonlyMap<string, Stored>,
  faults: string[],
): Promise<FoundDigest[]> {
  const publicKeys = new Map((await keys.list('digest')).map((key) => [key.fingerprint, key.publicKey]));
  const found = [...stored].filter(([key]) => key.includes('/CloudTrail-Digest/')).map(([key, object]) => ({ key, ...object }));
  const digests = found.map(({ key, body, metadata }) => {
    const content = gunzipSync(body);
    const digest = JSON.parse(content.toString());
    const toSign = [digest.digestEndTime, `${bucket}/${key}`, sha256(content), digest.previousDigestSignature ?? 'null'].join('\n');
    const publicKey = publicKeys.get(digest.digestPublicKeyFingerprint);
    const isSigned =
      publicKey !== undefined &&
      verify(
        'sha256',
        Buffer.from(toSign),
        createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'pkcs1' }),
        Buffer.from(metadata['signature'] ?? '', 'hex'),
      );
    if (!isSigned) faults.push(`${key} is not signed by a key that we know`);
    if (metadata['signature-algorithm'] !== 'SHA256withRSA') faults.push(`${key} names no signature algorithm`);
    const isBackfill = key.endsWith('_backfill.json.gz');
    if (isBackfill !== 'backfill-generation-timestamp' in metadata) faults.push(`${key} has the metadata of the other chain`);
    if (digest.digestS3Object !== key || digest.digestS3Bucket !== bucket) faults.push(`${key} says that it lies elsewhere`);
    checkLink(key, digest, bucket, stored, faults);
    for (const file of digest.logFiles) {
      const log = stored.get(file.s3Object);
      if (file.s3Bucket === bucket && (log === undefined || sha256(gunzipSync(log.body)) !== file.hashValue))
        faults.push(`${file.s3Object} is not what ${key} says`);
    }
    return {
      key,
      account: digest.awsAccountId as string,
      region: key.split('/').at(-5)!,
      start: digest.digestStartTime as string,
      end: digest.digestEndTime as string,
      isBackfill,
      isStarting: digest.previousDigestS3Object === null,
      logFiles: digest.logFiles.map((file: { s3Object: string }) => file.s3Object) as string[],
    };
  });
  const chainOf = ({ account, region }: FoundDigest) => `${account}/${region}`;
  digests.sort((one, other) => chainOf(one).localeCompare(chainOf(other)) || one.end.localeCompare(other.end));
  digests.forEach((digest, index) => {
    if (digest.end <= digest.start) faults.push(`${digest.key} ends before it starts`);
    const before = digests[index - 1];
    if (before !== undefined && chainOf(before) === chainOf(digest) && (before.end > digest.start || before.end === digest.end))
      faults.push(`${digest.key} overlaps the digest before`);
  });
  return digests;
}

// biome-ignore lint/suspicious/noExplicitAny: the JSON of a digest.
function checkLink(key: string, digest: any, bucket: string, stored: ReadonlyMap<string, Stored>, faults: string[]): void {
  const { previousDigestS3Object: previousKey, previousDigestS3Bucket: previousBucket } = digest;
  if (previousKey === null || previousBucket !== bucket) return;
  const previous = stored.get(previousKey);
  if (previous === undefined) return void faults.push(`${key} follows ${previousKey}, which is missing`);
  if (
    sha256(gunzipSync(previous.body)) !== digest.previousDigestHashValue ||
    previous.metadata['signature'] !== digest.previousDigestSignature
  )
    faults.push(`${key} does not follow ${previousKey} as it is`);
  if (previousKey.endsWith('_backfill.json.gz') !== key.endsWith('_backfill.json.gz'))
    faults.push(`${key} follows a digest of the other chain`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
