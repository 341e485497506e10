/**
 * Receipts: what a trail says of each delivery, before it delivers, as the text of a signed note.
 *
 * A trail's receipts are dense in `number` and chained by hash, so a missing, changed or added one shows; each carries
 * the newest checkpoint and the proof that it continues the one before, so the receipts pin the whole journal. A log
 * file or digest that no receipt names was not put by Snowtrail.
 *
 * The text is one line of JSON with its members in one order; every other text is refused, so one receipt has one hash.
 * Specified in ARCHITECTURE.md, "Evidence beside the digests".
 */
import { HASH_BYTES } from './hash.ts';
import { Malformed, type ParsedVersion } from './parsed.ts';
import {
  asObject,
  checkMembers,
  hasMember,
  type JsonMembers,
  readArray,
  readBoolean,
  readCount,
  readObject,
  readSequence,
  readText,
  readTextOrNull,
  readVersioned,
} from './read-json.ts';
import { fromBase64, toBase64 } from './text.ts';

/** The form that is written and read here. Raise it with every change of the form. */
export const RECEIPT_VERSION = 3;

/** Largest receipt, as bytes of its note: a journal fact holds it whole. */
export const RECEIPT_BYTES_MAX = 1_048_576;

/** Ranges that one receipt names of others, of each kind. */
export const RECEIPT_RANGES_MAX = 100;

const OBJECTS_MAX = 20_000;
/** A tree of 2^63 leaves is 63 levels high, and one more hash may come with a consistency proof. */
const PROOF_HASHES_MAX = 64;

interface ReceiptBase {
  readonly trailARN: string;
  /** Dense from 1 for each trail. */
  readonly number: number;
  /** Hexadecimal SHA-256 of the whole bytes of the receipt's note before; `null` for number 1. */
  readonly previousReceiptSha256: string | null;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly createdAt: string;
  /** The bucket that the objects and the receipt go to. */
  readonly bucket: string;
  /** The prefix in it, without the slash at its end; `null` when there is none. */
  readonly prefix: string | null;
  /**
   * Only in the first receipt after the trail came here: where the receipts lie that were made since the last one here.
   * Ascending, as is `withdrawn`; together they hold all of them. Absent when there are none.
   */
  readonly elsewhere?: readonly ReceiptsElsewhere[];
  /**
   * Of the same receipts those that were given up, because the trail left a place that refused them. Each may be there or
   * not, and so may what it names; whatever of it is wanted still is announced again by a later receipt.
   */
  readonly withdrawn?: readonly ReceiptRange[];
  /** The newest checkpoint note when the receipt was made; `null` before the first. */
  readonly checkpoint: string | null;
  /** Consistency proof from the checkpoint of the receipt before to this one; empty when there is nothing to prove. */
  readonly consistency: readonly Uint8Array[];
}

/** Numbers of receipts, both inclusive. */
export interface ReceiptRange {
  readonly from: number;
  readonly to: number;
}

/** Receipts at another place. */
export interface ReceiptsElsewhere extends ReceiptRange {
  /** `null` when the trail was moved so often since that nobody remembers. */
  readonly bucket: string | null;
  /** `null` when there is none. */
  readonly prefix: string | null;
}

/** A log file of a delivery. */
export interface ReceiptObject {
  readonly key: string;
  readonly account: string;
  readonly region: string;
  /** Of the stored bytes, hexadecimal. */
  readonly sha256: string;
  /** Of the uncompressed bytes, hexadecimal. */
  readonly contentSha256: string;
  /** Of the stored bytes. */
  readonly sizeBytes: number;
  /** Number of records in it. */
  readonly events: number;
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly oldestEventTime: string;
  readonly newestEventTime: string;
}

/** A digest file. */
export interface ReceiptDigest {
  readonly key: string;
  readonly account: string;
  readonly region: string;
  readonly sha256: string;
  readonly contentSha256: string;
  readonly sizeBytes: number;
  /** `digestStartTime` and `digestEndTime` of the file. */
  readonly start: string;
  readonly end: string;
  readonly isBackfill: boolean;
  /** Hexadecimal, as in the object's metadata: a copied folder loses it. */
  readonly signature: string;
  /** Of the digest key. */
  readonly fingerprint: string;
  /** `previousDigestSignature` of the file; `null` in a starting digest. */
  readonly previousSignature: string | null;
  /** Number of log files listed. */
  readonly logFiles: number;
}

/** What made logging start or stop, and who. */
export interface ReceiptReason {
  /** Name of the call, such as `StopLogging`. */
  readonly event: string;
  /** ARN of the caller. */
  readonly principal: string;
  /** Of the call's own event, where it is known. */
  readonly eventId?: string;
}

/** A key that came into use. */
export interface ReceiptKey {
  readonly use: 'digest' | 'checkpoint';
  readonly fingerprint: string;
  /** Digest keys: PKCS#1 DER. Checkpoint keys: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** `null` for the first key of its use. */
  readonly previousFingerprint: string | null;
}

export type Receipt = ReceiptBase &
  (
    | { readonly kind: 'start' | 'stop'; readonly reason: ReceiptReason }
    | {
        readonly kind: 'delivery';
        /** Journal range, both inclusive; contiguous from delivery to delivery while logging. */
        readonly fromSequence: bigint;
        readonly toSequence: bigint;
        /** May be empty: nothing in the range was for this trail. */
        readonly objects: readonly ReceiptObject[];
      }
    | {
        /** Aggregated events: the same events counted, in files of their own. */
        readonly kind: 'aggregation';
        /** Journal range that was looked at, both inclusive. It may begin within the one before, and overlaps those of deliveries. */
        readonly fromSequence: bigint;
        readonly toSequence: bigint;
        readonly objects: readonly ReceiptObject[];
      }
    | { readonly kind: 'digest'; readonly digest: ReceiptDigest }
    | { readonly kind: 'key'; readonly key: ReceiptKey }
  );

/** The receipt's text, one line with its line end, to be signed as a note. */
export function encodeReceipt(receipt: Receipt): string {
  return `${JSON.stringify({
    version: RECEIPT_VERSION,
    trailARN: receipt.trailARN,
    number: receipt.number,
    previousReceiptSha256: receipt.previousReceiptSha256,
    kind: receipt.kind,
    createdAt: receipt.createdAt,
    ...membersOfKind(receipt),
    bucket: receipt.bucket,
    prefix: receipt.prefix,
    elsewhere: receipt.elsewhere?.map(({ from, to, bucket, prefix }) => ({ from, to, bucket, prefix })),
    withdrawn: receipt.withdrawn?.map(({ from, to }) => ({ from, to })),
    checkpoint: receipt.checkpoint,
    consistency: receipt.consistency.map(toBase64),
  })}\n`;
}

/** Reads the text of an untrusted note as a receipt. */
export function parseReceipt(text: string): ParsedVersion<Receipt> {
  if (text.length > RECEIPT_BYTES_MAX) return { kind: 'malformed', reason: `a receipt has at most ${RECEIPT_BYTES_MAX} bytes` };
  return readVersioned(text, RECEIPT_VERSION, readReceipt);
}

function membersOfKind(receipt: Receipt): object {
  switch (receipt.kind) {
    case 'start':
    case 'stop':
      return { reason: { event: receipt.reason.event, principal: receipt.reason.principal, eventId: receipt.reason.eventId } };
    case 'delivery':
    case 'aggregation':
      return { fromSequence: `${receipt.fromSequence}`, toSequence: `${receipt.toSequence}`, objects: receipt.objects.map(encodeObject) };
    case 'digest':
      return { digest: encodeDigest(receipt.digest) };
    case 'key':
      return { key: encodeKey(receipt.key) };
  }
}

function encodeObject(object: ReceiptObject): object {
  const { key, account, region, sha256, contentSha256, sizeBytes, events, oldestEventTime, newestEventTime } = object;
  const range = { firstSequence: `${object.firstSequence}`, lastSequence: `${object.lastSequence}` };
  return { key, account, region, sha256, contentSha256, sizeBytes, events, ...range, oldestEventTime, newestEventTime };
}

function encodeDigest(digest: ReceiptDigest): object {
  const { key, account, region, sha256, contentSha256, sizeBytes, start, end, isBackfill } = digest;
  const { signature, fingerprint, previousSignature, logFiles } = digest;
  return {
    key,
    account,
    region,
    sha256,
    contentSha256,
    sizeBytes,
    start,
    end,
    isBackfill,
    signature,
    fingerprint,
    previousSignature,
    logFiles,
  };
}

function encodeKey(key: ReceiptKey): object {
  const { use, fingerprint, publicKey, previousFingerprint } = key;
  return { use, fingerprint, publicKey: toBase64(publicKey), previousFingerprint };
}

/** The members of each object, in the order in which they are written. */
const FILE_MEMBERS = ['key', 'account', 'region', 'sha256', 'contentSha256', 'sizeBytes'];
const OBJECT_MEMBERS = [...FILE_MEMBERS, 'events', 'firstSequence', 'lastSequence', 'oldestEventTime', 'newestEventTime'];
const DIGEST_MEMBERS = [...FILE_MEMBERS, 'start', 'end', 'isBackfill', 'signature', 'fingerprint', 'previousSignature', 'logFiles'];
const KEY_MEMBERS = ['use', 'fingerprint', 'publicKey', 'previousFingerprint'];
/** Each of them may be absent. */
const MOVE_MEMBERS: readonly string[] = ['elsewhere', 'withdrawn'];
const RECEIPT_MEMBERS: Readonly<Record<Receipt['kind'], readonly string[]>> = {
  start: receiptMembers('reason'),
  stop: receiptMembers('reason'),
  delivery: receiptMembers('fromSequence', 'toSequence', 'objects'),
  aggregation: receiptMembers('fromSequence', 'toSequence', 'objects'),
  digest: receiptMembers('digest'),
  key: receiptMembers('key'),
};

function receiptMembers(...ofKind: string[]): readonly string[] {
  const before = ['version', 'trailARN', 'number', 'previousReceiptSha256', 'kind', 'createdAt'];
  return [...before, ...ofKind, 'bucket', 'prefix', ...MOVE_MEMBERS, 'checkpoint', 'consistency'];
}

const BUCKET = /^[a-z0-9][a-z0-9._-]{1,254}$/i;
const ACCOUNT = /^[0-9]{12}$/;
const REGION = /^[a-z][a-z0-9-]{1,31}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const FINGERPRINT = /^([0-9a-f]{8}|[0-9a-f]{32})$/;
const SIGNATURE = /^([0-9a-f]{2}){1,2048}$/;
const TIME = /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/;
const OBJECT_KEY = /^.{1,1024}$/su;
const SHORT = /^.{1,2048}$/su;

function readReceipt(root: JsonMembers): Receipt {
  const kind = readText(root, 'kind', /^(start|delivery|aggregation|digest|stop|key)$/) as Receipt['kind'];
  checkMembers(
    root,
    RECEIPT_MEMBERS[kind].filter((name) => !MOVE_MEMBERS.includes(name) || hasMember(root, name)),
  );
  const number = readCount(root, 'number', 1);
  const previousReceiptSha256 = readTextOrNull(root, 'previousReceiptSha256', SHA256);
  if ((previousReceiptSha256 === null) !== (number === 1))
    throw new Malformed('`previousReceiptSha256` is null in number 1 and only there');
  const base: ReceiptBase = {
    trailARN: readText(root, 'trailARN', /^arn:[^:]+:cloudtrail:[^:]+:[0-9]{12}:trail\/[A-Za-z0-9._-]{3,128}$/),
    number,
    previousReceiptSha256,
    createdAt: readText(root, 'createdAt', TIME),
    bucket: readText(root, 'bucket', BUCKET),
    prefix: readTextOrNull(root, 'prefix', OBJECT_KEY),
    ...(hasMember(root, 'elsewhere') && { elsewhere: readRanges(root, 'elsewhere', number, readElsewhere) }),
    ...(hasMember(root, 'withdrawn') && { withdrawn: readRanges(root, 'withdrawn', number, readRange) }),
    checkpoint: readTextOrNull(root, 'checkpoint', /^.{1,65536}$/su),
    consistency: readProof(root),
  };
  switch (kind) {
    case 'start':
    case 'stop':
      return { ...base, kind, reason: readReason(readObject(root, 'reason')) };
    case 'delivery':
    case 'aggregation':
      return { ...base, kind, ...readDelivery(root) };
    case 'digest':
      return { ...base, kind, digest: readDigest(readObject(root, 'digest')) };
    case 'key':
      return { ...base, kind, key: readKey(readObject(root, 'key')) };
  }
}

/** Ranges of receipts before `number`, in ascending order. */
function readRanges<Range extends ReceiptRange>(
  root: JsonMembers,
  name: string,
  number: number,
  read: (from: JsonMembers) => Range,
): readonly Range[] {
  const ranges = readArray(root, name, RECEIPT_RANGES_MAX).map((value, index) => read(asObject(value, `${name}[${index}]`)));
  if (ranges.length === 0) throw new Malformed(`\`${name}\` is empty, and would be left out then`);
  for (const [index, { from, to }] of ranges.entries()) {
    const isRight = from <= to && to < number && from > (ranges[index - 1]?.to ?? 0);
    if (!isRight) throw new Malformed(`\`${name}[${index}]\` is no range of earlier receipts after the one before`);
  }
  return ranges;
}

function readElsewhere(from: JsonMembers): ReceiptsElsewhere {
  checkMembers(from, ['from', 'to', 'bucket', 'prefix']);
  return { ...rangeOf(from), bucket: readTextOrNull(from, 'bucket', BUCKET), prefix: readTextOrNull(from, 'prefix', OBJECT_KEY) };
}

function readRange(from: JsonMembers): ReceiptRange {
  checkMembers(from, ['from', 'to']);
  return rangeOf(from);
}

function rangeOf(from: JsonMembers): ReceiptRange {
  return { from: readCount(from, 'from', 1), to: readCount(from, 'to', 1) };
}

function readDelivery(root: JsonMembers): { fromSequence: bigint; toSequence: bigint; objects: readonly ReceiptObject[] } {
  const fromSequence = readSequence(root, 'fromSequence');
  const toSequence = readSequence(root, 'toSequence');
  if (toSequence < fromSequence) throw new Malformed('`toSequence` lies before `fromSequence`');
  const objects = readArray(root, 'objects', OBJECTS_MAX).map((value, index) => readReceiptObject(asObject(value, `objects[${index}]`)));
  for (const { key, firstSequence, lastSequence } of objects) {
    if (firstSequence < fromSequence || lastSequence > toSequence || lastSequence < firstSequence)
      throw new Malformed(`the sequences of \`${key}\` lie outside of the delivery's`);
  }
  return { fromSequence, toSequence, objects };
}

function readReceiptObject(from: JsonMembers): ReceiptObject {
  checkMembers(from, OBJECT_MEMBERS);
  return {
    ...readFile(from),
    events: readCount(from, 'events', 1),
    firstSequence: readSequence(from, 'firstSequence'),
    lastSequence: readSequence(from, 'lastSequence'),
    oldestEventTime: readText(from, 'oldestEventTime', TIME),
    newestEventTime: readText(from, 'newestEventTime', TIME),
  };
}

function readDigest(from: JsonMembers): ReceiptDigest {
  checkMembers(from, DIGEST_MEMBERS);
  return {
    ...readFile(from),
    start: readText(from, 'start', TIME),
    end: readText(from, 'end', TIME),
    isBackfill: readBoolean(from, 'isBackfill'),
    signature: readText(from, 'signature', SIGNATURE),
    fingerprint: readText(from, 'fingerprint', FINGERPRINT),
    previousSignature: readTextOrNull(from, 'previousSignature', SIGNATURE),
    logFiles: readCount(from, 'logFiles', 0),
  };
}

function readFile(from: JsonMembers): Pick<ReceiptObject, 'key' | 'account' | 'region' | 'sha256' | 'contentSha256' | 'sizeBytes'> {
  return {
    key: readText(from, 'key', OBJECT_KEY),
    account: readText(from, 'account', ACCOUNT),
    region: readText(from, 'region', REGION),
    sha256: readText(from, 'sha256', SHA256),
    contentSha256: readText(from, 'contentSha256', SHA256),
    sizeBytes: readCount(from, 'sizeBytes', 1),
  };
}

function readReason(from: JsonMembers): ReceiptReason {
  const hasId = hasMember(from, 'eventId');
  checkMembers(from, hasId ? ['event', 'principal', 'eventId'] : ['event', 'principal']);
  const reason = { event: readText(from, 'event', SHORT), principal: readText(from, 'principal', SHORT) };
  return hasId ? { ...reason, eventId: readText(from, 'eventId', SHORT) } : reason;
}

function readKey(from: JsonMembers): ReceiptKey {
  checkMembers(from, KEY_MEMBERS);
  const publicKey = fromBase64(readText(from, 'publicKey', /^[A-Za-z0-9+/=]{1,8192}$/));
  if (publicKey === undefined) throw new Malformed(`\`${from.path}.publicKey\` is not base64`);
  return {
    use: readText(from, 'use', /^(digest|checkpoint)$/) as ReceiptKey['use'],
    fingerprint: readText(from, 'fingerprint', FINGERPRINT),
    publicKey,
    previousFingerprint: readTextOrNull(from, 'previousFingerprint', FINGERPRINT),
  };
}

function readProof(root: JsonMembers): readonly Uint8Array[] {
  return readArray(root, 'consistency', PROOF_HASHES_MAX).map((value, index) => {
    const hash = typeof value === 'string' ? fromBase64(value) : undefined;
    if (hash?.length !== HASH_BYTES) throw new Malformed(`\`consistency[${index}]\` is not a hash in base64`);
    return hash;
  });
}
