/**
 * How far the delivery of a trail is, as the catalog keeps it.
 *
 * All of it is written by the trail's follower alone, but for changes: those are queued by the operations, in the order
 * of the journal, and taken off the queue when delivery has come to their sequence. So a trail delivers exactly what
 * lay between StartLogging and StopLogging, however late it does.
 *
 * The state outlives a deleted trail: a trail of the same name goes on with the next receipt number and a later digest
 * time, since what was written before is still in the bucket.
 */
import type { AccountId, BucketName, EpochMs, ObjectKey, Region } from '../event/types.ts';
import type { LogFolder } from '../logfile/log-file-key.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { FactKind } from '../store/journal.ts';
import type { Receipt } from '../tlog/receipt.ts';
import type { TrailId, TrailSelection } from './trail.ts';

/** Where a trail puts its objects. */
export interface TrailTarget {
  readonly bucket: BucketName;
  /** `null` when there is none. */
  readonly prefix: string | null;
  /** Of an organization's trail: log files and digests lie in its folder. Receipts do not, so a place is the same with another one. */
  readonly organizationId?: string;
}

/** The settings that delivery goes by. */
export interface DeliverySettings {
  readonly target: TrailTarget;
  readonly isMultiRegionTrail: boolean;
  readonly includeGlobalServiceEvents: boolean;
  readonly selection: TrailSelection;
  readonly validates: boolean;
  /** What log files and digests are encrypted with; absent when they are not. */
  readonly kmsKeyArn?: string;
  /** Of an organization's trail: its accounts, by number. */
  readonly members?: readonly AccountId[];
}

/** A change that a caller made, waiting for delivery to come to it. */
export interface TrailChange {
  readonly kind: 'create' | 'start' | 'stop' | 'update' | 'delete';
  /** Of the change's `configuration` fact: what lies up to it is delivered as before the change. Decimal text. */
  readonly sequence: string;
  readonly atMs: EpochMs;
  /** The call and the caller's ARN, for receipts. */
  readonly event: string;
  readonly principal: string;
  /** After the change; those before it for `delete`. */
  readonly settings: DeliverySettings;
}

/** How one kind of delivery goes, for GetTrailStatus. */
export interface AttemptStatus {
  readonly succeededAtMs?: EpochMs;
  readonly attemptedAtMs?: EpochMs;
  /** S3's code; absent when the last try succeeded. */
  readonly error?: string;
}

/** Receipts that follow on one another and went to one place, or to none. */
export interface ReceiptSpan {
  readonly from: number;
  readonly to: number;
  /** `withdrawn`: given up, wherever they went. `forgotten`: they went to several places, too long ago to be kept. */
  readonly place: TrailTarget | 'withdrawn' | 'forgotten';
}

/** What of the data events a trail's aggregation has counted: all up to `to` that close by `closedToMs`, and nothing else after `from`. */
export interface AggregationPoint {
  /** Up to here, all are counted, or were there before aggregation began. Sequences are decimal texts. */
  readonly from: string;
  readonly to: string;
  /** The end of a window, or the beginning of the first one. */
  readonly closedToMs: EpochMs;
}

export interface TrailState {
  readonly phase: 'off' | 'logging' | 'deleted';
  readonly settings: DeliverySettings;
  /** Accounting begins after this sequence. Sequences are decimal texts. */
  readonly start: string;
  /** Everything up to here is delivered or counted as filtered. */
  readonly cursor: string;
  /** Everything up to here, since logging began, is named by a receipt. */
  readonly receiptedTo: string;
  /** The newest receipt that was made; it may still wait to be put. */
  readonly receipts: {
    /** 0 before the first. */
    readonly number: number;
    readonly sha256: string | null;
    /** Size of the newest checkpoint that a receipt carries; `null` before. */
    readonly checkpointSize: string | null;
    /** Never decreases, whatever the clock does (P11). */
    readonly createdAtMs: EpochMs;
    /** Where receipts went: each number from 1 on is in one of the spans, in ascending order. See `receipt-places.ts`. */
    readonly spans: readonly ReceiptSpan[];
  };
  /** When the newest batch was bound, or digests began after it. Never decreases, and no batch is bound before it. */
  readonly lastBatchAtMs: EpochMs;
  /** Fingerprints of the keys that receipts stated. */
  readonly statedKeys: { readonly digest: string | null; readonly checkpoint: string | null };
  /** Object keys (with bucket) where the public keys in use were put last. */
  readonly keyFiles: { readonly digest: string | null; readonly checkpoint: string | null };
  readonly delivery: AttemptStatus;
  readonly digest: AttemptStatus;
  /** Absent before aggregation began first; of no meaning while the settings have no templates. */
  readonly aggregation?: AggregationPoint;
}

/** A digest, as far as the next one of its chain needs it. */
export interface DigestLink {
  readonly bucket: string;
  readonly key: ObjectKey;
  /** Of the uncompressed bytes, hexadecimal. */
  readonly contentSha256: string;
  /** Hexadecimal. */
  readonly signature: string;
}

/** The digest chains of one account and Region. */
export interface DigestChain {
  readonly account: AccountId;
  readonly region: Region;
  /** False between StopLogging and StartLogging. */
  readonly isOpen: boolean;
  /** Start of the next digest: a whole second, the end of the last one while open. Never decreases. */
  readonly startMs: EpochMs;
  /** The next regular digest ends after this, for an interval whose digest was signed for a bucket that is gone. */
  readonly endsAfterMs?: EpochMs;
  /** The last digest of each chain since it began; `null` before the first. */
  readonly standard: DigestLink | null;
  readonly backfill: DigestLink | null;
}

/** A log file that waits to be listed in a digest. */
export interface DeliveredFile {
  readonly bucket: string;
  readonly key: ObjectKey;
  readonly contentSha256: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly oldestEventTime: string;
  readonly newestEventTime: string;
  /** When its batch was bound: this decides which digest lists it. */
  readonly atMs: EpochMs;
}

/** What the files of a step follow from, beside entries of the journal. */
export interface BoundFiles {
  readonly atMs: EpochMs;
  /** The clock's time, for the names. */
  readonly nameMs: EpochMs;
  readonly isMultiRegionTrail: boolean;
  readonly includeGlobalServiceEvents: boolean;
  readonly selection: TrailSelection;
  /** Of the uncompressed and the stored bytes, in the order of the files. */
  readonly files: readonly { readonly contentSha256: string; readonly sha256: string }[];
}

/** A receipt that was made, and what is to be done for it. There is at most one for a trail. */
export interface PendingStep {
  readonly number: number;
  /** The signed note, as it goes into the journal and the bucket. */
  readonly note: string;
  readonly factKind: FactKind;
  readonly target: TrailTarget;
  readonly work: /** Entries after `after` up to `to` are in it. */
    | (BoundFiles & { readonly kind: 'batch'; readonly after: string; readonly to: string })
    /** Data events are counted from `point` on, up to and with `next.to`; `isLast` as `AggregationRun` has it. */
    | (BoundFiles & {
        readonly kind: 'aggregation';
        readonly point: AggregationPoint;
        readonly next: AggregationPoint;
        readonly isLast: boolean;
      })
    | {
        readonly kind: 'digest';
        readonly key: ObjectKey;
        readonly metadata: Readonly<Record<string, string>>;
        /** Documents at `digestPartKey` that hold the compressed digest. */
        readonly parts: number;
        /** Log files of batches up to this number are listed. */
        readonly listedTo: number;
        /** The chain once the digest is put. */
        readonly chain: DigestChain;
      }
    /** Nothing to put but the receipt; `becomes` is what changes of the state once it is there. */
    | { readonly kind: 'mark'; readonly receiptKind: Receipt['kind']; readonly change?: string; readonly becomes: Partial<TrailState> };
}

/** The selection by which a trail delivered before a change; kept for a while, so that lost log files can be made again. */
export interface PastSelection {
  readonly selection: TrailSelection;
  readonly replacedAtMs: EpochMs;
}

/** One account and hour of a trail's accounting. */
export interface TrailCount {
  readonly account: string;
  /** Whole hours since 1970, of receipt. */
  readonly hour: number;
  readonly delivered: number;
  readonly filtered: number;
}

const id = ({ account, homeRegion, name }: TrailId) => [account, homeRegion, name] as const;

export const stateKey = (trail: TrailId): CatalogKey => ['trail-state', ...id(trail)];
export const pendingKey = (trail: TrailId): CatalogKey => ['trail-pending', ...id(trail)];
export const changesKey = (trail: TrailId): CatalogKey => ['trail-change', ...id(trail)];
export const chainsKey = (trail: TrailId): CatalogKey => ['trail-chain', ...id(trail)];
export const digestPartsKey = (trail: TrailId): CatalogKey => ['trail-digest', ...id(trail)];
/** All log files of a trail that no digest lists yet. */
export const filesKey = (trail: TrailId): CatalogKey => ['trail-file', ...id(trail)];

export const pastSelectionsKey = (trail: TrailId): CatalogKey => ['trail-selection', ...id(trail)];

/** `sequence` is that of the change: the selection was in force for what lies up to it. */
export function pastSelectionKey(trail: TrailId, sequence: string): CatalogKey {
  return [...pastSelectionsKey(trail), sequence.padStart(20, '0')];
}

export function changeKey(trail: TrailId, sequence: string): CatalogKey {
  return [...changesKey(trail), sequence.padStart(20, '0')];
}

export function chainKey(trail: TrailId, { account, region }: { account: AccountId; region: Region }): CatalogKey {
  return [...chainsKey(trail), account, region];
}

export function digestPartKey(trail: TrailId, part: number): CatalogKey {
  return [...digestPartsKey(trail), String(part).padStart(6, '0')];
}

/** `batch` is the number of the batch's receipt: the keys are in the order of delivery. */
export function fileKey(
  trail: TrailId,
  { account, region }: { account: AccountId; region: Region },
  { batch, folder }: { readonly batch: number; readonly folder: LogFolder },
): CatalogKey {
  return [...filesKey(trail), account, region, String(batch).padStart(12, '0'), folder];
}

/** The batch's number in a key made by `fileKey`. */
export function batchOfFileKey(key: CatalogKey): number {
  return Number(key.at(-2));
}

/** The state of a trail that was made just now, after what an earlier trail of the name left. */
export function newTrailState(change: TrailChange, earlier: TrailState | undefined): TrailState {
  return {
    phase: 'off',
    settings: change.settings,
    start: change.sequence,
    cursor: change.sequence,
    receiptedTo: change.sequence,
    receipts: earlier?.receipts ?? { number: 0, sha256: null, checkpointSize: null, createdAtMs: 0, spans: [] },
    lastBatchAtMs: earlier?.lastBatchAtMs ?? 0,
    statedKeys: earlier?.statedKeys ?? { digest: null, checkpoint: null },
    keyFiles: earlier?.keyFiles ?? { digest: null, checkpoint: null },
    delivery: {},
    digest: {},
  };
}
