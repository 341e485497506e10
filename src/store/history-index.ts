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
 * - Rows come newest first by (time, sequence).
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

/** A place in the order (time, sequence), newest first. */
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
  /** Only rows after this place in the order; absent for the first page. */
  readonly after?: HistoryPosition;
  /** 1 to 10,000. */
  readonly limit: number;
}

export interface HistoryIndex {
  /** Adds rows in the order of their sequences. A row at or below `coveredTo()` is ignored (a repeat). */
  add(rows: readonly HistoryRow[], coveredTo: bigint): Promise<void>;
  query(query: HistoryQuery): Promise<readonly HistoryPosition[]>;
  /** Every journal entry up to here is in the index, in memory or on disk; after a restart: on disk. */
  coveredTo(): bigint;
  /** Scopes that hold a row. */
  scopes(): readonly HistoryScope[];
  /** Drops rows older than this; exact, whatever is on disk. */
  expire(beforeMs: EpochMs): Promise<void>;
  /** Waits for writes and merges under way. For tests and benches. */
  settle(): Promise<void>;
  close(): Promise<void>;
}
