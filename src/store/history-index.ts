/**
 * The look-up index of event history: which sequences match an attribute in a scope and a time range.
 *
 * It holds no bodies: those have one home, the journal. It may be lost at any time and is rebuilt by replaying the
 * journal from `coveredTo()`.
 *
 * Promises, for every implementation (`test/stores/history-index.contract.ts`; memory is the brute-force reference):
 * - A row is found as soon as `add` returned.
 * - `query` is exact on scope, time and sequence; on terms it may give a false hit (hash collision), never a miss.
 *   The caller compares the value with the fetched event.
 * - Rows come by (time, sequence), newest first where nothing else is asked for.
 * - Times are whole milliseconds within ±2^48; sequences are below 2^48.
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';

/** A scope is what one LookupEvents call can see: an account, a Region, a kind of event. */
export interface HistoryScope {
  readonly account: AccountId;
  readonly region: Region;
  readonly category: 'management' | 'data' | 'network' | 'insight';
}

/** LookupEvents' eight attributes, and two of ours. */
export type HistoryAttribute =
  | 'EventId'
  | 'EventName'
  | 'ReadOnly'
  | 'Username'
  | 'ResourceType'
  | 'ResourceName'
  | 'EventSource'
  | 'AccessKeyId'
  | 'SourceIpAddress'
  | 'ErrorCode';

export interface HistoryTerm {
  readonly attribute: HistoryAttribute;
  readonly value: string;
}

export interface HistoryRow {
  readonly scope: HistoryScope;
  /** The event's time, or its time of receipt where the event's is suspicious. */
  readonly timeMs: EpochMs;
  readonly sequence: bigint;
  readonly terms: readonly HistoryTerm[];
}

/** A place in the order (time, sequence). */
export interface HistoryPosition {
  readonly timeMs: EpochMs;
  readonly sequence: bigint;
}

export interface HistoryQuery {
  readonly scopes: readonly HistoryScope[];
  /** All must hold. Empty: every row of the scopes. */
  readonly terms: readonly HistoryTerm[];
  /** Inclusive. */
  readonly fromMs: EpochMs;
  /** Inclusive. */
  readonly toMs: EpochMs;
  /** Only rows up to this sequence: what came in later does not slip into a later page. */
  readonly sequenceMax: bigint;
  /** Only rows after this place in the order asked for; absent for the first page. */
  readonly after?: HistoryPosition;
  /** `newest` first (the default), or `oldest` first. */
  readonly order?: 'newest' | 'oldest';
  /** 1 to 10,000. */
  readonly limit: number;
}

export interface HistoryIndex {
  /**
   * Adds the rows of every journal entry after the present `coveredTo()` up to the given one, in the order of their
   * sequences. A row that is covered already is ignored (a repeat). One call at a time.
   * @throws Error when rows cannot be written: what `coveredTo()` then says is in, the rest may be given again.
   */
  add(rows: readonly HistoryRow[], coveredTo: bigint): Promise<void>;
  /** @throws HistoryDamaged when a part cannot be read. It was dropped; `coveredTo()` fell to what lies before it. */
  query(query: HistoryQuery): Promise<readonly HistoryPosition[]>;
  /**
   * Every journal entry up to here is in the index, in memory or on disk; after a restart: on disk.
   * It falls when a part is lost. Rows that are given again then fill the hole, and it returns to where it was.
   */
  coveredTo(): bigint;
  /**
   * Takes out the parts that hold entries of the range (`after`, `to`], durable on return: they are to be made again with
   * rows that could not be given before. `coveredTo()` falls to what lies before them. Not while rows are added.
   */
  forget(after: bigint, to: bigint): Promise<void>;
  /**
   * Leaves what is on disk as it is from now on, for an installation that only reads: what is added stays in memory. To be called
   * before anything is added. `add` throws once there are more rows than memory has room for.
   */
  keepFiles(): void;
  /** Parts that could not be read and were dropped since the index was opened. They are made again from the journal. */
  dropped(): readonly DroppedRun[];
  /** Scopes that hold a row. */
  scopes(): readonly HistoryScope[];
  /** Drops rows older than this, also those that are added later; exact, whatever is on disk. Forgotten by a restart. */
  expire(beforeMs: EpochMs): Promise<void>;
  /** Waits for writes and merges under way. For tests and benches. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** A part of the index that was damaged and dropped. */
export interface DroppedRun {
  /** Its file, or what else names it. */
  readonly run: string;
  /** The journal range (`after`, `to`] that has to be read again. */
  readonly after: bigint;
  readonly to: bigint;
  /** What was wrong with it, in one sentence. */
  readonly reason: string;
}

/** A part of the index cannot be read. It was dropped, and is rebuilt from the journal: the caller may ask again later. */
export class HistoryDamaged extends Error {
  override readonly name = 'HistoryDamaged';
}
