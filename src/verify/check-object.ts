/**
 * Checks one log file or digest that a receipt names: is it there, and is it, byte for byte, what the receipt says.
 */
import type { Digest } from '../digest/digest-file.ts';
import { DIGEST_SIGNATURE_ALGORITHM } from '../digest/digest-file.ts';
import { parseDigestKey } from '../digest/digest-key.ts';
import { stringToSign } from '../digest/string-to-sign.ts';
import type { ReceiptDigest, ReceiptObject } from '../tlog/receipt.ts';
import { toHex } from '../tlog/text.ts';
import type { DigestBefore } from './digest-ledger.ts';
import { type FileFacts, LOG_BYTES_MAX } from './inspect-file.ts';
import { parseTrailArn, type TrailName } from './layout.ts';
import type { FileVerdict } from './report.ts';
import type { Run } from './run.ts';
import { sha256, type Trust } from './trust.ts';

/** Read beyond the size that a receipt states, to tell what was appended. */
const SLACK_BYTES = 1024 * 1024;
/** More versions of one file are not read one by one. */
const VERSIONS_READ_MAX = 10;

export interface ObjectOutcome {
  readonly verdict: FileVerdict;
  readonly code?: string;
  readonly reason?: string;
  /** Of a file that was read, whatever is wrong with it. */
  readonly facts?: FileFacts;
  readonly metadata?: Readonly<Record<string, string>>;
  /** False when the bytes are not those that the receipt names. */
  readonly isSame: boolean;
}

/** @param key Where the object lies in the source. */
export async function checkObject(
  run: Run,
  key: string,
  kind: 'log' | 'digest',
  expected: Pick<ReceiptObject, 'sha256' | 'contentSha256' | 'sizeBytes'> & { readonly events?: number },
): Promise<ObjectOutcome> {
  if (expected.sizeBytes > LOG_BYTES_MAX)
    return { verdict: 'unreadable', reason: `its receipt states ${expected.sizeBytes} bytes, more than are read`, isSame: false };
  const fetched = await run.source.get(key, expected.sizeBytes + SLACK_BYTES);
  const versions = (await areAlike(run, key, expected)) ? undefined : versionFault(run, key);
  switch (fetched.kind) {
    case 'missing':
      return { verdict: 'missing', ...(versions ?? { reason: 'it is not there, though a receipt names it' }), isSame: false };
    case 'unreadable':
      // What the listing shows needs no reading.
      if (versions !== undefined) return { verdict: 'tampered', ...versions, isSame: false };
      return { verdict: 'unreadable', code: 'unreadable', reason: `it cannot be read: ${fetched.reason}`, isSame: false };
    case 'too-large':
      return { verdict: 'tampered', code: 'bytes', reason: 'it is larger than its receipt says', isSame: false };
    case 'object': {
      const facts = await run.inspector.inspect({ kind, bytes: fetched.bytes });
      const read = { facts, ...(fetched.metadata !== undefined && { metadata: fetched.metadata }) };
      const fault = faultOfBytes(facts, kind, expected) ?? versions;
      const isSame = facts.sha256 === expected.sha256;
      return fault === undefined ? { verdict: 'valid', ...read, isSame } : { verdict: 'tampered', ...fault, ...read, isSame };
    }
  }
}

/**
 * Whether all versions hold the bytes that the receipt names, though the listing does not tell: an object under a KMS key that was put
 * again has another ETag.
 */
async function areAlike(
  { source, inventory }: Pick<Run, 'source' | 'inventory'>,
  key: string,
  expected: Pick<ReceiptObject, 'sha256' | 'sizeBytes'>,
): Promise<boolean> {
  const { versionIds } = inventory.overwritten.get(key) ?? {};
  if (versionIds === undefined || versionIds.length > VERSIONS_READ_MAX || inventory.deleted.has(key)) return false;
  for (const versionId of versionIds) {
    const fetched = await source.getVersion?.(key, versionId, expected.sizeBytes);
    if (fetched?.kind !== 'object' || toHex(sha256(fetched.bytes)) !== expected.sha256) return false;
  }
  return true;
}

interface Fault {
  readonly code: string;
  readonly reason: string;
}

/** What the listing of versions shows against an object that receipts or digests name. */
export function versionFault({ inventory }: Pick<Run, 'inventory'>, key: string): Fault | undefined {
  if (inventory.deleted.has(key)) return { code: 'delete-marker', reason: 'it was deleted: its newest version is a delete marker' };
  const found = inventory.overwritten.get(key);
  return found === undefined
    ? undefined
    : { code: 'overwritten', reason: `it was overwritten: ${found.contents} versions hold different bytes` };
}

function faultOfBytes(
  facts: FileFacts,
  kind: 'log' | 'digest',
  expected: Pick<ReceiptObject, 'sha256' | 'contentSha256' | 'sizeBytes'> & { readonly events?: number },
): Fault | undefined {
  if (facts.sha256 !== expected.sha256) {
    const what =
      facts.fault !== undefined
        ? `; it ${facts.fault}`
        : facts.contentSha256 === expected.contentSha256
          ? '; its content is the same, compressed in another way'
          : '';
    return { code: 'bytes', reason: `its bytes are not those that its receipt names${what}` };
  }
  // The bytes are the ones that were announced: what is wrong from here on was wrong when they were.
  if (facts.fault !== undefined) return { code: 'content', reason: `it ${facts.fault}` };
  if (facts.sizeBytes !== expected.sizeBytes)
    return { code: 'content', reason: `it has ${facts.sizeBytes} bytes, not ${expected.sizeBytes}` };
  if (facts.contentSha256 !== expected.contentSha256) return { code: 'content', reason: 'its content is not what its receipt names' };
  if (kind === 'log' && facts.records !== expected.events) {
    const found = facts.records === undefined ? 'something that is no record' : `${facts.records} records`;
    return { code: 'records', reason: `it holds ${found}; its receipt says ${expected.events}` };
  }
  return undefined;
}

/** What a digest's file and metadata are held against. */
export interface DigestClaim {
  readonly trail: TrailName;
  /** The receipt's: where the digest was put. */
  readonly bucket: string;
  readonly receipt: ReceiptDigest;
  /** `undefined` when it begins its chain. */
  readonly before: DigestBefore | undefined;
}

/** What is wrong with a digest whose bytes are those of its receipt. */
export function faultsOfDigest(
  trust: Trust,
  digest: Digest,
  metadata: Readonly<Record<string, string>> | undefined,
  claim: DigestClaim,
): readonly (Fault & { readonly isIncomplete?: boolean })[] {
  return [...faultsOfMetadata(metadata, claim.receipt), ...faultsOfMembers(digest, claim), ...faultsOfSignature(trust, digest, claim)];
}

function faultsOfMetadata(metadata: Readonly<Record<string, string>> | undefined, receipt: ReceiptDigest): Fault[] {
  // A copied folder keeps none: there the receipt's copy of the signature is all there is.
  if (metadata === undefined) return [];
  const faults: Fault[] = [];
  const algorithm = metadata['signature-algorithm'];
  if (algorithm !== DIGEST_SIGNATURE_ALGORITHM)
    faults.push({
      code: 'algorithm',
      reason: `its metadata \`signature-algorithm\` is \`${algorithm ?? ''}\`, not \`${DIGEST_SIGNATURE_ALGORITHM}\``,
    });
  if (metadata['signature'] !== receipt.signature)
    faults.push({ code: 'metadata', reason: 'its metadata `signature` is not the one that its receipt names' });
  if (receipt.isBackfill !== 'backfill-generation-timestamp' in metadata)
    faults.push({ code: 'metadata', reason: `its metadata ${receipt.isBackfill ? 'lacks' : 'has'} \`backfill-generation-timestamp\`` });
  return faults;
}

function faultsOfMembers(digest: Digest, { trail, bucket, receipt, before }: DigestClaim): Fault[] {
  const faults: Fault[] = [];
  const same = (what: string, found: string | null, expected: string | null, code = 'content') => {
    if (found !== expected) faults.push({ code, reason: `its ${what} is \`${found ?? 'null'}\`; \`${expected ?? 'null'}\` is due` });
  };
  const name = parseDigestKey(receipt.key);
  if (name === undefined || name.trailName !== trail.name || name.homeRegion !== trail.homeRegion)
    faults.push({ code: 'location', reason: 'its key is not one of a digest of this trail' });
  same('Region in the key', name?.region ?? null, receipt.region, 'location');
  same('account', digest.awsAccountId, receipt.account);
  same('digestS3Bucket', digest.digestS3Bucket, bucket, 'location');
  same('digestS3Object', digest.digestS3Object, receipt.key, 'location');
  same('digestStartTime', digest.digestStartTime, receipt.start);
  same('digestEndTime', digest.digestEndTime, receipt.end);
  if (name !== undefined && `${new Date(name.endTimeMs).toISOString().slice(0, 19)}Z` !== receipt.end)
    faults.push({ code: 'location', reason: 'the time in its key is not its digestEndTime' });
  if (name !== undefined && name.isBackfill !== receipt.isBackfill)
    faults.push({ code: 'location', reason: 'its key and its receipt disagree on whether it is a backfill' });
  same('digestPublicKeyFingerprint', digest.digestPublicKeyFingerprint, receipt.fingerprint);
  same('number of log files', String(digest.logFiles.length), String(receipt.logFiles));
  same('previousDigestSignature', digest.previousDigestSignature, receipt.previousSignature, 'link');
  // The ledger says what it means that the digest before is not known.
  if (before === undefined && receipt.previousSignature !== null) return faults;
  same('previousDigestHashValue', digest.previousDigestHashValue, before?.contentSha256 ?? null, 'link');
  same('previousDigestS3Bucket', digest.previousDigestS3Bucket, before?.bucket ?? null, 'link');
  same('previousDigestS3Object', digest.previousDigestS3Object, before?.key ?? null, 'link');
  return faults;
}

function faultsOfSignature(trust: Trust, digest: Digest, { bucket, receipt }: DigestClaim): (Fault & { isIncomplete?: boolean })[] {
  const message = stringToSign(digest, { bucket, key: receipt.key }, receipt.contentSha256);
  switch (trust.verifyDigest(receipt.fingerprint, message, receipt.signature)) {
    case 'signed':
      return [];
    case 'bad-signature':
      return [{ code: 'signature', reason: `its signature is not right under key \`${receipt.fingerprint}\`` }];
    case 'unknown-key':
      return trust.isDigestKeyDue
        ? [
            {
              code: 'digest-key',
              reason: `it is signed by key \`${receipt.fingerprint}\`, which is neither pinned nor stated by a receipt`,
            },
          ]
        : [{ code: 'digest-key', reason: `its public key \`${receipt.fingerprint}\` is not known`, isIncomplete: true }];
  }
}

/** Whether two texts are ARNs of one trail, or an ARN and its name. */
export function isTrail(wanted: string, trail: TrailName): boolean {
  const arn = parseTrailArn(wanted);
  if (arn === undefined) return wanted === trail.name;
  return arn.account === trail.account && arn.homeRegion === trail.homeRegion && arn.name === trail.name;
}
