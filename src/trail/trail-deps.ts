/**
 * What trails need from outside. `server/` fills it in.
 */
import type { AccountId, BucketName, EpochMs, Region } from '../event/types.ts';
import type { Catalog } from '../store/catalog.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Journal, JournalEntry } from '../store/journal.ts';
import type { Keys, PublicKeyInfo } from '../store/keys.ts';
import type { LogGroups } from '../store/log-groups.ts';
import type { Objects } from '../store/objects.ts';
import type { Topics } from '../store/topics.ts';
import type { TrailKeys } from '../store/trail-keys.ts';
import type { Sha256 } from '../tlog/hash.ts';
import type { TrailId } from './trail.ts';

/** The evidence tree, as far as receipts need it. */
export interface TrailEvidence {
  /** The newest signed checkpoint; `undefined` before the very first. */
  latestCheckpoint(): { readonly note: string; readonly size: bigint } | undefined;
  /** RFC 6962 consistency proof between two sizes; empty when there is nothing to prove. */
  consistency(fromSize: bigint, toSize: bigint): Promise<readonly Uint8Array[]>;
}

/**
 * The journal's statement of a checkpoint key: a note that the key and the one before it signed. `unstated` while the key
 * is being made.
 */
export type FindKeyStatement = (
  key: Pick<PublicKeyInfo, 'use' | 'fingerprint'>,
) => Promise<{ readonly kind: 'stated'; readonly note: string } | { readonly kind: 'unstated' | 'unreadable' }>;

/** That an entry is in the record that a checkpoint signs, as `GetInclusionProof` answers it. */
export type ProveEntry = (entry: JournalEntry) => Promise<object>;

/** Amounts that tests and small machines change. */
export interface TrailSettings {
  /**
   * Most bytes of records in one batch, hence in one log file. The service's limit is 50 MB (cloudtrail.md §2.2); less keeps
   * memory and the time that hashing takes small.
   */
  readonly batchBytesMax: number;
  /** Most log files of one batch: a receipt names all of them within 1 MiB. */
  readonly batchFilesMax: number;
  /** Longest time for one put. */
  readonly putTimeoutMs: number;
  /** How long delivery goes on trying for a trail that was deleted, while its bucket is away. */
  readonly deletedTrailGraceMs: number;
  /** How long after the end of a window its events are waited for, where they are aggregated. */
  readonly aggregationGraceMs: number;
}

export const TRAIL_SETTINGS: TrailSettings = {
  batchBytesMax: 16 * 1024 * 1024,
  batchFilesMax: 400,
  putTimeoutMs: 60_000,
  deletedTrailGraceMs: 24 * 3600 * 1000,
  aggregationGraceMs: 60_000,
};

export interface TrailDeps {
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly objects: Objects;
  /** Names of the buckets that lie at another S3; none when absent. */
  readonly foreignBuckets?: ReadonlySet<BucketName>;
  /** Where events go as log events; absent when no CloudWatch Logs is configured. */
  readonly logGroups?: LogGroups | undefined;
  /** Topics that deliveries are told to. */
  readonly topics: Topics;
  /** Told when a notice of the trail waits. */
  readonly onNotice?: (trail: TrailId) => void;
  readonly keys: Keys;
  readonly trailKeys: TrailKeys;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'fraction'>;
  readonly evidence: TrailEvidence;
  readonly keyStatement: FindKeyStatement;
  readonly proveEntry: ProveEntry;
  readonly sha256: Sha256;
  /** Deterministic, one member (`compress.ts`). */
  readonly gzip: (content: Uint8Array) => Promise<Uint8Array>;
  /** Name of the log, under which receipts are signed. */
  readonly origin: string;
  /** Time between two flushes of a trail, 1 or more. */
  readonly flushIntervalMs: number;
  /** Length of a digest's interval: whole seconds, counted from 1970 on. */
  readonly digestIntervalMs: number;
  readonly settings?: Partial<TrailSettings>;
  /** Told of each failed try and of a follower that stops; for the log. */
  readonly report?: (trouble: TrailTrouble) => void;
}

export interface TrailTrouble {
  /** Name of the follower. */
  readonly trail: string;
  readonly account: AccountId;
  readonly region: Region;
  /** `retry`: tried again by itself. `halted`: stopped, an operator must look at it. */
  readonly kind: 'retry' | 'halted';
  readonly error: unknown;
  /** Tries that failed in a row. */
  readonly failures: number;
  /** When it is tried again; absent when halted. */
  readonly retryInMs?: EpochMs;
}
