/**
 * Makes one digest of a chain: the file, its signature, its compressed bytes.
 *
 * Refuses to sign with a key that is not valid at the time: the clock is wrong, or the key is old (F30).
 * Source: cloudtrail.md §3.
 */
import { type Digest, encodeDigest } from '../digest/digest-file.ts';
import { digestKey, digestMetadata, digestTime } from '../digest/digest-key.ts';
import { stringToSign } from '../digest/string-to-sign.ts';
import type { EpochMs, ObjectKey } from '../event/types.ts';
import { isKeyValidAt, type Keys, keyValidity } from '../store/keys.ts';
import type { Sha256 } from '../tlog/hash.ts';
import type { ReceiptDigest } from '../tlog/receipt.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import { folderOf } from './prepare-batch.ts';
import type { TrailId } from './trail.ts';
import type { DeliveredFile, DigestChain, DigestLink, TrailTarget } from './trail-state.ts';

export interface DigestRequest {
  readonly chain: DigestChain;
  /** A whole second, after the chain's start. */
  readonly endMs: EpochMs;
  /** The chain ends with it. */
  readonly isFinal: boolean;
  readonly isBackfill: boolean;
  /** Log files to list, oldest first. */
  readonly files: readonly DeliveredFile[];
  readonly target: TrailTarget;
  /** Of the digest key. */
  readonly fingerprint: string;
  readonly nowMs: EpochMs;
}

export interface SignedDigest {
  readonly key: ObjectKey;
  /** Compressed. */
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** As its receipt names it. */
  readonly receipt: ReceiptDigest;
  /** The chain once the digest is put. */
  readonly chain: DigestChain;
}

export interface DigestTools {
  readonly keys: Pick<Keys, 'list' | 'sign'>;
  readonly sha256: Sha256;
  readonly gzip: (content: Uint8Array) => Promise<Uint8Array>;
}

export async function signDigest(tools: DigestTools, trail: TrailId, request: DigestRequest): Promise<SignedDigest> {
  await requireValidKey(tools.keys, request);
  const { chain, endMs, isBackfill, target, fingerprint } = request;
  const key = digestKey({
    ...folderOf(target),
    account: chain.account,
    region: chain.region,
    trailName: trail.name,
    homeRegion: trail.homeRegion,
    endTimeMs: endMs,
    isBackfill,
  });
  const previous = isBackfill ? chain.backfill : chain.standard;
  const digest = digestOf(request, key, previous);
  const content = encodeDigest(digest);
  const contentSha256 = toHex(tools.sha256(content));
  const message = utf8(stringToSign(digest, { bucket: target.bucket, key }, contentSha256));
  const signature = toHex((await tools.keys.sign('digest', message, fingerprint)).signature);
  const body = await tools.gzip(content);
  return {
    key,
    body,
    metadata: digestMetadata({ signature, ...(isBackfill ? { backfillGeneratedAtMs: request.nowMs } : {}) }),
    receipt: {
      key,
      account: chain.account,
      region: chain.region,
      sha256: toHex(tools.sha256(body)),
      contentSha256,
      sizeBytes: body.length,
      start: digest.digestStartTime,
      end: digest.digestEndTime,
      isBackfill,
      signature,
      fingerprint,
      previousSignature: digest.previousDigestSignature,
      logFiles: digest.logFiles.length,
    },
    chain: chainAfter(request, { bucket: target.bucket, key, contentSha256, signature }),
  };
}

async function requireValidKey(keys: Pick<Keys, 'list'>, { fingerprint, nowMs }: DigestRequest): Promise<void> {
  const key = (await keys.list('digest')).find((each) => each.fingerprint === fingerprint);
  if (key === undefined) throw new Error(`the digest key \`${fingerprint}\` is not there any more`);
  if (isKeyValidAt(key, nowMs)) return;
  const { fromMs, toMs } = keyValidity(key);
  const [now, from, to] = [nowMs, fromMs, toMs].map((timeMs) => new Date(timeMs).toISOString());
  throw new Error(
    `no digest is signed: the clock says ${now} and key \`${fingerprint}\` is valid from ${from} to ${to}; set the clock right`,
  );
}

function digestOf(request: DigestRequest, key: ObjectKey, previous: DigestLink | null): Digest {
  const { chain, files } = request;
  const newest = files
    .map((file) => file.newestEventTime)
    .sort()
    .at(-1);
  const oldest = files
    .map((file) => file.oldestEventTime)
    .sort()
    .at(0);
  return {
    awsAccountId: chain.account,
    digestStartTime: digestTime(chain.startMs),
    digestEndTime: digestTime(request.endMs),
    digestS3Bucket: request.target.bucket,
    digestS3Object: key,
    digestPublicKeyFingerprint: request.fingerprint,
    digestSignatureAlgorithm: 'SHA256withRSA',
    newestEventTime: newest ?? null,
    oldestEventTime: oldest ?? null,
    previousDigestS3Bucket: previous?.bucket ?? null,
    previousDigestS3Object: previous?.key ?? null,
    previousDigestHashValue: previous?.contentSha256 ?? null,
    previousDigestHashAlgorithm: previous === null ? null : 'SHA-256',
    previousDigestSignature: previous?.signature ?? null,
    logFiles: files.map((file) => ({
      s3Bucket: file.bucket,
      s3Object: file.key,
      hashValue: file.contentSha256,
      hashAlgorithm: 'SHA-256',
      newestEventTime: file.newestEventTime,
      oldestEventTime: file.oldestEventTime,
    })),
  };
}

/** What began anew after an end has no digest before it: hence a starting digest. */
function chainAfter({ chain, endMs, isFinal, isBackfill }: DigestRequest, link: DigestLink): DigestChain {
  const { account, region, standard, backfill } = chain;
  if (isFinal) return { account, region, isOpen: false, startMs: endMs, standard: null, backfill: null };
  return { account, region, isOpen: true, startMs: endMs, standard, backfill, ...(isBackfill ? { backfill: link } : { standard: link }) };
}
