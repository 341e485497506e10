/**
 * The journal: the record itself. Everything else follows it.
 *
 * Promises, for every implementation (`test/stores/journal.contract.ts`):
 * - `append` returns after the entries would survive a power cut, and not before (P1).
 * - Sequences are dense and start at 1; entries of one `append` keep their order and lie next to each other.
 * - One event id, once per account: the same id with the same bytes is a repeat of the first, however old that is;
 *   with other bytes it is a new entry, marked `isConflicting`. Concurrent appends obey this as well (F41).
 * - Reads are ordered and without gaps. What cannot be read is reported as damage, never skipped (P8).
 * - After an append failed on the device, every later append fails: nothing is acknowledged on a disk that lied (P7).
 */
import type { AccountId, EpochMs, Event, EventSourceKind, Region } from '../event/types.ts';

/** The kinds of fact that the evidence tree holds beside events (DESIGN §5). */
export type FactKind =
  /** Receipt of one delivery: which objects, with which hashes, from which sequences. */
  | 'delivery'
  /** A digest file was signed. */
  | 'digest'
  /** A span without digests, with who, what and why. */
  | 'gap'
  /** A configuration changed: hash before and after. */
  | 'configuration'
  /** A key was made, or retired. */
  | 'key'
  /** The clock moved by more than two seconds against the monotonic clock. */
  | 'clock-jump'
  /** An object that was delivered is not in its bucket as it should be (`trail/record-loss.ts`). */
  | 'loss'
  /** A lifecycle rule lets an object expire (`tlog/expiry.ts`). */
  | 'expiry'
  /** Who submitted what lies right before it, and what became of all of it (`event/submission.ts`). */
  | 'intake';

interface NewEntryBase {
  readonly account: AccountId;
  readonly region: Region;
  readonly receivedAtMs: EpochMs;
  /** At most 1 MiB. */
  readonly bytes: Uint8Array;
}

/** An event to append. */
export interface NewEvent extends NewEntryBase {
  readonly kind: 'event';
  readonly source: EventSourceKind;
  readonly eventId: string;
  /** What was read from the bytes; handed to followers while it is in memory, never stored. */
  readonly event?: Event;
}

/** A fact to append. A fact with an id that the account's journal holds already is a repeat, as for events. */
export interface NewFact extends NewEntryBase {
  readonly kind: 'fact';
  readonly factKind: FactKind;
  /** Deterministic, so that a follower may repeat itself after a crash. 1 to 256 characters. */
  readonly factId: string;
}

export type NewEntry = NewEvent | NewFact;

/** An entry of the journal. */
export interface JournalEntry {
  /** Dense position, from 1. */
  readonly sequence: bigint;
  readonly kind: 'event' | 'fact';
  /** `source` of an event; `fact` for facts. */
  readonly source: EventSourceKind | 'fact';
  /** Kind of a fact; absent for events. */
  readonly factKind?: FactKind;
  readonly account: AccountId;
  readonly region: Region;
  /** Event id, or fact id. */
  readonly id: string;
  readonly receivedAtMs: EpochMs;
  /** The account's journal holds the same id with other bytes: each follower counts this one as filtered (repeated id). */
  readonly isConflicting: boolean;
  /** 16 random bytes that keep the leaf from telling the bytes to who can guess them. */
  readonly nonce: Uint8Array;
  readonly bytes: Uint8Array;
  /** Present while the entry is fresh in memory; else parse `bytes` again. */
  readonly event?: Event;
}

/** What became of one entry given to `append`, in the order given. */
export type AppendVerdict =
  | { readonly kind: 'accepted'; readonly sequence: bigint; readonly isConflicting: boolean }
  | { readonly kind: 'repeated'; readonly sequence: bigint };

/** Makes the fact that says what became of the entries appended with it. */
export type CloseAppend = (verdicts: readonly AppendVerdict[]) => NewFact;

/** A range of sequences that cannot be read: their bytes are wrong, or the device does not give them. */
export interface JournalDamage {
  /** First sequence that is unreadable. */
  readonly from: bigint;
  /** Last sequence that is unreadable. */
  readonly to: bigint;
  /** Path of the file that they are in, or of the folder that lacks it. */
  readonly file: string;
  /** What is wrong with it. */
  readonly reason: string;
}

export interface Journal {
  /**
   * Appends entries and returns when they, and every entry that one of them repeats, are durable.
   * The next free sequences are taken at the call, so two appends made one after the other keep their order.
   *
   * @param entries 1 to 10,000 entries; none is allowed when there is a `closing` fact.
   * @param closing Makes a fact out of the verdicts on `entries`, in their order. It is appended with them, as the last one, and
   *   durable with them; its id must be new. Called at once and at most once; what it throws refuses the append.
   * @returns a verdict for each of `entries`; none for the closing fact.
   * @throws JournalFull when the disk reserve is reached: nothing was appended, the caller may try again later.
   * @throws JournalFailed when the device failed, now or before: nothing more can be acknowledged by this process.
   */
  append(entries: readonly NewEntry[], closing?: CloseAppend): Promise<readonly AppendVerdict[]>;

  /**
   * Reads durable entries after `after`, oldest first, events and facts alike.
   *
   * @param after Sequence of the last entry already seen; `0n` before the first.
   * @param limit Most entries to return, 1 to 10,000. Fewer come when their bytes exceed 16 MiB.
   * @returns Entries in order, without gaps. Empty when the reader has caught up.
   * @throws JournalDamaged when the next entry cannot be read.
   */
  read(after: bigint, limit: number): Promise<readonly JournalEntry[]>;

  /**
   * Fetches single entries by sequence, in the order asked for.
   * @throws JournalDamaged when one of them cannot be read.
   */
  fetch(sequences: readonly bigint[]): Promise<readonly JournalEntry[]>;

  /** Sequence of the last durable entry; `0n` when empty. */
  head(): bigint;

  /** Finds the first entry of an event id (or fact id) in an account; `undefined` when there is none. */
  find(account: AccountId, id: string): Promise<bigint | undefined>;

  /** Resolves when `head()` is past `after`, or when `signal` aborts. */
  waitBeyond(after: bigint, signal: AbortSignal): Promise<void>;

  /** Damage known so far: found at start, at a read, or by `scrub`. */
  damage(): readonly JournalDamage[];

  /**
   * Reads every entry and checks length, CRC and sequence. Returns all damage found: less when `signal` aborts.
   * @param rest Waited for after each part of at most some 64 MiB; absent: no rest.
   * @throws the system's error when a part cannot be read for now, after all others were read.
   */
  scrub(signal?: AbortSignal, rest?: () => Promise<void>): Promise<readonly JournalDamage[]>;

  /** Whether appends can succeed now, for the readiness probe: `ok`, or the reason in one sentence. */
  health(): { readonly state: 'ok' | 'full' | 'failed' | 'read-only'; readonly reason?: string };

  /** Waits for appends under way, then releases files and locks. */
  close(): Promise<void>;
}

/** The disk reserve is reached. A refusal that the caller may repeat (P9). */
export class JournalFull extends Error {
  override readonly name: string = 'JournalFull';
}

/** The journal is older than what was made of it, and is only read (F46). Appended is again what the whole data directory can take. */
export class JournalReadOnly extends JournalFull {
  override readonly name: string = 'JournalReadOnly';
}

/** The device refused a write or a sync. The process must stop and start anew from the disk (P7). */
export class JournalFailed extends Error {
  override readonly name = 'JournalFailed';
}

/** An entry that must be there cannot be read (P8). */
export class JournalDamaged extends Error {
  override readonly name = 'JournalDamaged';
  readonly damage: JournalDamage;

  constructor(damage: JournalDamage) {
    super(`journal entries ${damage.from} to ${damage.to} cannot be read: ${damage.file}: ${damage.reason}`);
    this.damage = damage;
  }
}
