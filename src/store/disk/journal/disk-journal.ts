/**
 * The journal over segment files: the embedded default.
 *
 * The life of an append: its ids are looked up (`#gatherEarlier`), its entries get sequences and frames (`#assign`), they
 * wait in a group while the group before is being written and synced, then the whole group is written at once, synced
 * once, and every append in it is answered (`#commit`). Appends keep the order of their calls throughout.
 *
 * Promises are in `store/journal.ts`; files in docs/formats/journal.md; recovery in `open-segments.ts`.
 * Relies on being alone in its folder: the server holds the lock of the data directory (`lock-folder.ts`).
 * Refuses to retry a failed sync, to go on after one, and to skip what it cannot read.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { AccountId } from '../../../event/types.ts';
import type { Chance, Clock } from '../../clock.ts';
import {
  type AppendVerdict,
  type CloseAppend,
  type Journal,
  type JournalDamage,
  JournalDamaged,
  type JournalEntry,
  JournalFailed,
  JournalFull,
  type NewEntry,
} from '../../journal.ts';
import { errorCode, type Files, nodeFiles, type OpenFile, writeFully } from '../files.ts';
import { BlockCache } from './block-cache.ts';
import { FilePool } from './file-pool.ts';
import { ENTRY_BYTES_MAX, encodeFrame, encodeMark, frameBytes, freshEntry, idOf, MARK_BYTES, NONCE_BYTES, view } from './frame.ts';
import { FreshEntries } from './fresh-entries.ts';
import { type Fingerprint, fingerprint } from './id-fingerprint.ts';
import { LogSegment } from './log-segment.ts';
import { deriveNonces, NONCE_KEY_BYTES } from './nonces.ts';
import { openSegments } from './open-segments.ts';
import { RecentIds } from './recent-ids.ts';
import { Patience } from './salvaged-file.ts';
import { sealInProcess } from './seal-in-process.ts';
import { type SealTask, sealSegment } from './seal-segment.ts';
import { SealedIds } from './sealed-ids.ts';
import { type CachedPage, openSealedSegment, SealedSegment } from './sealed-segment.ts';
import { damageOf } from './segment.ts';
import { SEGMENT_ENTRIES_MAX } from './segment-index.ts';
import { encodePreamble, segmentFileName } from './segment-name.ts';
import { ReadInPlace, type SegmentReader } from './segment-reader.ts';
import { SegmentReaderThread } from './segment-reader-thread.ts';
import type { UnpackedBlock } from './unpack-block.ts';

export interface DiskJournalOptions {
  /** Made when it is missing. Holds nothing else. */
  readonly folder: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The system's by default. */
  readonly files?: Files;
  /** Free space that is never used. Default: the smaller of 1 GiB and 5 % of the file system. */
  readonly reserveBytes?: number;
  /** A segment that would grow beyond is closed, and the next one begun. Default 64 MiB; 4 KiB to 256 MiB. */
  readonly segmentBytes?: number;
  /** Most bytes that are written and synced at once, unless a single append is larger. Default 8 MiB. */
  readonly groupBytes?: number;
  /** Newest entries that stay in memory. Default 32 MiB. */
  readonly freshBytes?: number;
  /** Inflated blocks that stay in memory. Default 8 MiB. */
  readonly cacheBytes?: number;
  /** Where full segments are compressed. Default: in a process of its own over the system's files, else in place. */
  readonly sealing?: 'process' | 'in-place' | 'never';
  /** Deflate level of sealed segments, 1 to 9. Default 4: sealed segments within 1.2 of one gzip of real events (bench/size.ts). */
  readonly level?: number;
  /** Told when work behind the scenes failed. It is tried again; nothing is lost meanwhile. */
  readonly report?: (problem: Error) => void;
  /** A planted bug: answers before the sync. Exists only so that the fault tests can prove that they would notice. */
  readonly unsafeAcknowledgeBeforeSync?: boolean;
}

export interface DiskJournal extends Journal {
  /** Resolves when no full segment waits to be sealed, or sealing has failed for now. */
  whenSealed(): Promise<void>;
}

/** Bytes of a batch that `read` returns, at most, unless a single entry has more. */
const READ_BYTES_MAX = 16 * 1_048_576;
const ENTRIES_MAX = 10_000;
/** Bytes of one `append`. Positions in a segment are 32-bit numbers. */
const APPEND_BYTES_MAX = 512 * 1_048_576;
const ID_LENGTH_MAX = 256;
const OPEN_FILES_MAX = 256;
/** Pages of ids: those of some ten segments, so that a repeated import asks the disk once for each page. */
const PAGE_CACHE_BYTES = 8 * 1_048_576;
/** Free space is asked for at least this often while appends come in. */
const SPACE_INTERVAL_MS = 1_000;
/** Codes that say "not now": nothing is lost, and it may work later. */
const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);
/** The same when a file is to be made. */
const CANNOT_CREATE_CODES = new Set([...FULL_CODES, 'EMFILE', 'ENFILE']);

/**
 * Opens the journal of a folder, and recovers it.
 * @throws JournalTooNew when a newer Snowtrail wrote it; JournalEndUnreadable when the device does not read the end of the last log
 * file; the system's error when a file cannot be opened or written.
 */
export async function openDiskJournal(options: DiskJournalOptions): Promise<DiskJournal> {
  const journal = new SegmentedJournal(options);
  await journal.open();
  return journal;
}

/** An append that has no sequences yet. */
interface Arrival {
  readonly entries: readonly NewEntry[];
  readonly closing: CloseAppend | undefined;
  readonly resolve: (verdicts: readonly AppendVerdict[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** What an entry is looked for by. */
interface WantedId {
  readonly kind: 'event' | 'fact';
  readonly account: string;
  readonly id: string;
}

/** What the journal holds already under the id of a new entry. */
interface Earlier {
  /** Entries of the same kind, account and id, oldest first. */
  readonly entries: JournalEntry[];
  /** One more has this fingerprint and cannot be read. */
  hasUnreadable: boolean;
}

/** Entries that are written and synced together. */
interface Group {
  /** Sequence of its first entry. */
  readonly first: number;
  last: number;
  bytes: number;
  readonly parts: Buffer[];
  readonly lengths: number[];
  /** Appends that wait for it, and their answers. */
  readonly waiting: { readonly arrival: Arrival; readonly verdicts: readonly AppendVerdict[] }[];
}

class SegmentedJournal implements DiskJournal {
  readonly #options: DiskJournalOptions;
  readonly #files: Files;
  readonly #folder: string;
  readonly #pool: FilePool;
  /** Reads for look-ups; absent over files that are not the system's. */
  readonly #thread: SegmentReaderThread | undefined;
  readonly #reader: SegmentReader;
  readonly #cache: BlockCache<UnpackedBlock>;
  readonly #pages = new BlockCache<CachedPage>(PAGE_CACHE_BYTES);
  #salt = 0;
  readonly #nonceKey: Uint8Array;
  /** By sequence. The last one is written to. */
  #segments: (LogSegment | SealedSegment)[] = [];
  #active: LogSegment | undefined;
  #recentIds = new RecentIds();
  #sealedIds = new SealedIds();
  #fresh = new FreshEntries(0, 1);
  #damages: JournalDamage[] = [];

  /** Sequence that the next entry gets. Counts back to after `#durable` when appends are refused. */
  #next = 1;
  /** Last sequence that would survive a power cut: what readers may see. Set by `#acknowledge` alone. */
  #durable = 0;
  /** Appends without sequences, in the order of their calls. */
  #arrivals: Arrival[] = [];
  #isAssigning = false;
  /** A segment after the active one was begun, and could not be made so far. */
  #isNextBegun = false;
  /** Groups that wait to be written, oldest first. */
  #groups: Group[] = [];
  /** The group that is being written. */
  #writing: Group | undefined;
  #isWriting = false;
  /** Resolves when the last group is answered. */
  #whenWritten: Promise<void> = Promise.resolve();
  /** Where the mark behind the last group was written; -1 when it was not. */
  #markAt = -1;
  #beyond: { readonly after: bigint; readonly resolve: () => void }[] = [];

  #reserveBytes = 0;
  #freeBytes = 0;
  #spaceAskedMs = Number.NEGATIVE_INFINITY;
  #isAskingSpace = false;
  /** Why nothing is taken for now. Goes away by itself. */
  #full: string | undefined;
  /** Why nothing is taken any more. Set once. */
  #failure: JournalFailed | undefined;
  #isClosed = false;

  #sealing: Promise<void> | undefined;
  readonly #stopSealing = new AbortController();

  constructor(options: DiskJournalOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFiles;
    this.#nonceKey = options.chance.bytes(NONCE_KEY_BYTES);
    this.#folder = options.folder;
    this.#pool = new FilePool(this.#files, OPEN_FILES_MAX);
    this.#thread = this.#files === nodeFiles ? new SegmentReaderThread() : undefined;
    this.#reader = this.#thread ?? new ReadInPlace(this.#pool);
    this.#cache = new BlockCache(options.cacheBytes ?? 8 * 1_048_576);
  }

  async open(): Promise<void> {
    await this.#files.makeFolder(this.#folder);
    const opened = await openSegments({ ...this.#shared(), thread: this.#thread, folder: this.#folder });
    this.#salt = opened.salt ?? Buffer.from(this.#options.chance.bytes(4)).readUInt32LE(0);
    this.#segments = [...opened.segments];
    this.#active = opened.active;
    this.#durable = opened.last;
    this.#next = opened.last + 1;
    this.#fresh = new FreshEntries(this.#options.freshBytes ?? 32 * 1_048_576, this.#next);
    for (const segment of this.#segments) if (segment instanceof SealedSegment) this.#sealedIds.add(segment);
    for (const { high, low, sequence } of opened.recentIds) this.#recentIds.add({ high, low }, sequence);
    for (const damage of opened.damages) this.#addDamage(damage);
    const { totalBytes } = await this.#askSpace();
    this.#reserveBytes = this.#options.reserveBytes ?? Math.min(1_073_741_824, Math.floor(totalBytes / 20));
    this.#sealFull();
  }

  /** What all sealed segments use together. */
  #shared() {
    return {
      files: this.#files,
      clock: this.#options.clock,
      pool: this.#pool,
      reader: this.#reader,
      cache: this.#cache,
      pages: this.#pages,
    };
  }

  // ---- appending ----

  append(entries: readonly NewEntry[], closing?: CloseAppend): Promise<readonly AppendVerdict[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new JournalFailed('the journal is closed');
      checkEntries(entries, closing !== undefined);
      this.#arrivals.push({ entries, closing, resolve, reject });
      if (!this.#isAssigning) void this.#assignArrivals();
    });
  }

  /** Gives sequences to the appends that have come, in order. Runs at the call itself unless a disk must be asked. */
  async #assignArrivals(): Promise<void> {
    this.#isAssigning = true;
    for (let arrival = this.#arrivals.shift(); arrival !== undefined; arrival = this.#arrivals.shift()) {
      try {
        this.#checkWorks();
        const ids = arrival.entries.map((entry) => fingerprint(this.#salt, entry.kind, entry.account, idOf(entry)));
        const earlier = this.#gatherEarlier(arrival.entries, ids);
        this.#assign(arrival, ids, earlier instanceof Promise ? await earlier : earlier);
      } catch (error) {
        arrival.reject(error);
      }
    }
    this.#isAssigning = false;
  }

  #checkWorks(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Finds the entries that have the id of a new one, by the place of the new one. Most ids are new, and the filters in
   * memory say so at once; else this waits for a disk.
   */
  #gatherEarlier(entries: readonly NewEntry[], ids: readonly Fingerprint[]): Map<number, Earlier> | Promise<Map<number, Earlier>> {
    const found = new Map<number, Earlier>();
    const lookUps: Promise<void>[] = [];
    for (const [place, id] of ids.entries()) {
      const recent = this.#recentIds.find(id);
      const sealed = this.#sealedIds.candidates(id.high);
      if (recent === undefined && sealed === undefined) continue;
      const { kind, account } = entries[place]!;
      const wanted = { kind, account, id: idOf(entries[place]!) };
      const fresh = sealed === undefined ? this.#allFresh(recent!) : undefined;
      if (fresh !== undefined) found.set(place, { entries: fresh.filter((entry) => hasId(entry, wanted)), hasUnreadable: false });
      else lookUps.push(this.#confirm(wanted, id, sealed ?? [], recent ?? []).then((earlier) => void found.set(place, earlier)));
    }
    return lookUps.length === 0 ? found : Promise.all(lookUps).then(() => found);
  }

  /** The entries of these sequences when all of them are in memory (or were taken back). */
  #allFresh(sequences: readonly number[]): JournalEntry[] | undefined {
    const entries: JournalEntry[] = [];
    for (const sequence of sequences) {
      const entry = this.#fresh.get(sequence);
      if (entry !== undefined) entries.push(entry);
      else if (sequence <= this.#durable) return undefined;
    }
    return entries;
  }

  /** Entries that have this id indeed, oldest first. */
  async #confirm(wanted: WantedId, id: Fingerprint, sealed: readonly SealedSegment[], recent: readonly number[]): Promise<Earlier> {
    const earlier: Earlier = { entries: [], hasUnreadable: false };
    const old = await Promise.all(sealed.map((segment) => segment.lookUp(id)));
    const sequences = [...new Set([...old.flat(), ...recent])];
    for (const sequence of sequences) {
      const entry = this.#fresh.get(sequence) ?? (sequence <= this.#durable ? await this.#readOne(sequence) : undefined);
      if (entry === 'unreadable') earlier.hasUnreadable = true;
      else if (entry !== undefined && hasId(entry, wanted)) earlier.entries.push(entry);
    }
    return earlier;
  }

  async #readOne(sequence: number): Promise<JournalEntry | 'unreadable'> {
    try {
      return (await this.#readSegment(sequence, 1, 0))[0]!;
    } catch (error) {
      if (error instanceof JournalDamaged) return 'unreadable';
      throw error;
    }
  }

  /** Decides each entry of an append, and puts the new ones into a group. Nothing else runs in between. */
  #assign(arrival: Arrival, ids: readonly Fingerprint[], earlier: ReadonlyMap<number, Earlier>): void {
    this.#checkWorks();
    const { entries } = arrival;
    const firstNew = this.#next;
    const accepted: { readonly entry: NewEntry; readonly isConflicting: boolean }[] = [];
    const lengths: number[] = [];
    let bytes = 0;
    /** Last sequence that must be durable before the answer. */
    let needed = 0;
    const accept = (entry: NewEntry, id: Fingerprint, isConflicting: boolean): number => {
      const sequence = firstNew + accepted.length;
      accepted.push({ entry, isConflicting });
      this.#recentIds.add(id, sequence);
      const length = frameBytes(entry);
      lengths.push(length);
      bytes += length;
      return sequence;
    };
    const verdicts = entries.map((entry, place): AppendVerdict => {
      const known = this.#knownBefore(entry, ids[place]!, earlier.get(place), firstNew, accepted);
      if (known.repeats !== undefined) {
        needed = Math.max(needed, known.repeats);
        return { kind: 'repeated', sequence: BigInt(known.repeats) };
      }
      const sequence = accept(entry, ids[place]!, known.isConflicting);
      return { kind: 'accepted', sequence: BigInt(sequence), isConflicting: known.isConflicting };
    });
    if (arrival.closing !== undefined) {
      const fact = arrival.closing(verdicts);
      checkEntries([fact], false);
      accept(fact, fingerprint(this.#salt, 'fact', fact.account, fact.factId), false);
    }
    if (accepted.length === 0) this.#answerRepeats(arrival, verdicts, needed);
    else this.#enqueue({ arrival, verdicts, accepted, lengths, bytes });
  }

  /** Whether the journal, or this append before it, holds the entry already, or another one with its id. */
  #knownBefore(
    entry: NewEntry,
    id: Fingerprint,
    earlier: Earlier | undefined,
    firstNew: number,
    accepted: readonly { readonly entry: NewEntry }[],
  ): { readonly repeats?: number; readonly isConflicting: boolean } {
    let isConflicting = earlier?.hasUnreadable ?? false;
    for (const old of earlier?.entries ?? []) {
      const sequence = Number(old.sequence);
      // It was in memory, and its append was refused meanwhile.
      if (sequence > this.#durable && this.#fresh.get(sequence) !== old) continue;
      if (isSameBytes(old.bytes, entry.bytes)) return { repeats: sequence, isConflicting: false };
      isConflicting = true;
    }
    if (accepted.length === 0) return { isConflicting };
    for (const sequence of this.#recentIds.find(id) ?? []) {
      const other = accepted[sequence - firstNew]?.entry;
      if (other === undefined || other.kind !== entry.kind || other.account !== entry.account || idOf(other) !== idOf(entry)) continue;
      if (isSameBytes(other.bytes, entry.bytes)) return { repeats: sequence, isConflicting: false };
      isConflicting = true;
    }
    return { isConflicting };
  }

  /** Answers an append that brought nothing new, as soon as what it repeats is durable. */
  #answerRepeats(arrival: Arrival, verdicts: readonly AppendVerdict[], needed: number): void {
    if (needed <= this.#durable) {
      arrival.resolve(verdicts);
      return;
    }
    const group = [this.#writing, ...this.#groups].find((each) => each !== undefined && each.last >= needed);
    assert(group !== undefined, 'an entry that is not durable waits in a group');
    group.waiting.push({ arrival, verdicts });
  }

  #enqueue(batch: {
    readonly arrival: Arrival;
    readonly verdicts: readonly AppendVerdict[];
    readonly accepted: readonly { readonly entry: NewEntry; readonly isConflicting: boolean }[];
    readonly lengths: readonly number[];
    readonly bytes: number;
  }): void {
    const { accepted, lengths, bytes } = batch;
    const nonces = deriveNonces(this.#nonceKey, this.#next, accepted.length);
    const frames = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const [place, { entry, isConflicting }] of accepted.entries()) {
      const nonce = view(nonces, place * NONCE_BYTES, (place + 1) * NONCE_BYTES);
      const context = { salt: this.#salt, sequence: this.#next + place, isConflicting, nonce };
      const end = encodeFrame(frames, at, entry, context);
      assert(end - at === lengths[place], 'a frame has the size that was computed for it');
      this.#fresh.push(freshEntry(entry, context, view(frames, end - entry.bytes.length, end)));
      at = end;
    }
    const group = this.#groupFor(bytes);
    group.parts.push(frames);
    group.lengths.push(...lengths);
    group.bytes += bytes;
    this.#next += accepted.length;
    group.last = this.#next - 1;
    group.waiting.push({ arrival: batch.arrival, verdicts: batch.verdicts });
    if (!this.#isWriting) this.#whenWritten = this.#writeGroups();
  }

  #groupFor(bytes: number): Group {
    const last = this.#groups.at(-1);
    if (last !== undefined && last.bytes + bytes <= (this.#options.groupBytes ?? 8 * 1_048_576)) return last;
    const group: Group = { first: this.#next, last: this.#next, bytes: 0, parts: [], lengths: [], waiting: [] };
    this.#groups.push(group);
    return group;
  }

  // ---- writing ----

  /** Writes group after group until none waits. */
  async #writeGroups(): Promise<void> {
    this.#isWriting = true;
    // Whatever else is ready to append right now joins the first group.
    await new Promise((resolve) => setImmediate(resolve));
    for (;;) {
      this.#writing = this.#groups.shift();
      if (this.#writing === undefined) {
        await this.#writeLastMark();
        if (this.#groups.length === 0) break;
        continue;
      }
      try {
        await this.#commit(this.#writing);
      } catch (error) {
        this.#refuseAll(error);
      }
    }
    this.#isWriting = false;
  }

  async #commit(group: Group): Promise<void> {
    this.#checkWorks();
    await this.#checkSpace(group.bytes);
    const segment = await this.#segmentFor(group);
    const mark = encodeMark(this.#salt, this.#durable);
    const position = segment.end;
    this.#markAt = -1;
    try {
      await writeFully(segment.file, [mark, ...group.parts], position);
    } catch (error) {
      if (!FULL_CODES.has(errorCode(error) ?? '')) throw error;
      // Nothing of it was synced: it is cut off again, so that no torn frame stays in the middle.
      await segment.file.truncate(position);
      await segment.file.datasync();
      throw new JournalFull(`the disk is full (${errorCode(error)}); free some space, then try again`, { cause: error });
    }
    if (this.#options.unsafeAcknowledgeBeforeSync) this.#acknowledge(group, segment, position + mark.length);
    await segment.file.datasync();
    if (!this.#options.unsafeAcknowledgeBeforeSync) this.#acknowledge(group, segment, position + mark.length);
  }

  #acknowledge(group: Group, segment: LogSegment, position: number): void {
    segment.extend(position, group.lengths);
    this.#durable = group.last;
    this.#full = undefined;
    this.#freeBytes -= group.bytes;
    this.#fresh.trim(this.#durable);
    for (const { arrival, verdicts } of group.waiting) arrival.resolve(verdicts);
    const head = this.head();
    const reached = this.#beyond.filter(({ after }) => after < head);
    if (reached.length === 0) return;
    this.#beyond = this.#beyond.filter(({ after }) => after >= head);
    for (const { resolve } of reached) resolve();
  }

  /** Refuses every append that has sequences and is not durable, and takes the sequences back. */
  #refuseAll(error: unknown): void {
    if (error instanceof JournalFull) this.#full = error.message;
    else this.#failure ??= toFailure(error);
    const reason = error instanceof JournalFull ? error : this.#failure!;
    const refused = [this.#writing!, ...this.#groups];
    this.#groups = [];
    this.#fresh.takeBackAfter(this.#durable);
    this.#next = this.#durable + 1;
    for (const { waiting } of refused) for (const { arrival } of waiting) arrival.reject(reason);
  }

  /**
   * States behind the last group that it is durable. Needs no sync: it is lost or kept with what comes next. Without it
   * the last group looks, once damaged, like one that was torn.
   */
  async #writeLastMark(): Promise<void> {
    const segment = this.#active;
    if (this.#failure !== undefined || segment === undefined || this.#markAt === segment.end || segment.count === 0) return;
    try {
      await writeFully(segment.file, [encodeMark(this.#salt, this.#durable)], segment.end);
      this.#markAt = segment.end;
    } catch (error) {
      if (FULL_CODES.has(errorCode(error) ?? '')) return;
      this.#failure = toFailure(error);
    }
  }

  /** The log file that takes a group: the active one, or a new one when that is full. */
  async #segmentFor(group: Group): Promise<LogSegment> {
    const active = this.#active;
    const segmentBytes = this.#options.segmentBytes ?? 64 * 1_048_576;
    const isFull =
      active !== undefined &&
      active.count > 0 &&
      (active.end + MARK_BYTES + group.bytes > segmentBytes || active.count + group.lengths.length > SEGMENT_ENTRIES_MAX);
    if (active !== undefined && !isFull && !this.#isNextBegun) return active;
    // INVARIANT: what comes after this is in the new segment, even if it is not made at the first try and would fit into
    // the old one: a file that the try left behind says to the next start that the old one ends before it.
    this.#isNextBegun = true;
    const segment = await this.#createSegment(group.first);
    this.#isNextBegun = false;
    this.#active = segment;
    this.#segments.push(segment);
    this.#sealFull();
    return segment;
  }

  async #createSegment(first: number): Promise<LogSegment> {
    const path = join(this.#folder, segmentFileName({ first, salt: this.#salt, kind: 'log' }));
    let file: OpenFile | undefined;
    try {
      file = await this.#files.open(path, 'create');
      await writeFully(file, [encodePreamble('log')], 0);
    } catch (error) {
      await file?.close();
      if (!CANNOT_CREATE_CODES.has(errorCode(error) ?? '')) throw error;
      // The next try empties the file that may be there; a start in between makes it the active one.
      throw new JournalFull(`no new segment can be made (${errorCode(error)}); free some space, then try again`, { cause: error });
    }
    await file.datasync();
    await this.#files.syncFolder(this.#folder);
    return new LogSegment({ first, path, file, salt: this.#salt, clock: this.#options.clock, reader: this.#thread });
  }

  // ---- space ----

  /** @throws JournalFull when the group would use the reserve. */
  async #checkSpace(bytes: number): Promise<void> {
    const isOld = this.#options.clock.monotonicMs() - this.#spaceAskedMs >= SPACE_INTERVAL_MS;
    if (isOld || this.#full !== undefined || this.#freeBytes - bytes < this.#reserveBytes) await this.#askSpace();
    if (this.#freeBytes - bytes >= this.#reserveBytes) return;
    throw new JournalFull(
      `the disk reserve is reached: ${this.#freeBytes} bytes are free and ${this.#reserveBytes} stay in reserve; free some space, then try again`,
    );
  }

  async #askSpace(): Promise<{ readonly totalBytes: number }> {
    const { freeBytes, totalBytes } = await this.#files.space(this.#folder);
    this.#freeBytes = freeBytes;
    this.#spaceAskedMs = this.#options.clock.monotonicMs();
    return { totalBytes };
  }

  health(): { readonly state: 'ok' | 'full' | 'failed'; readonly reason?: string } {
    if (this.#failure !== undefined) return { state: 'failed', reason: this.#failure.message };
    if (this.#full === undefined) return { state: 'ok' };
    void this.#askWhetherStillFull();
    return { state: 'full', reason: this.#full };
  }

  /** While nothing is sent because the answer was "full", somebody has to look whether it still is. */
  async #askWhetherStillFull(): Promise<void> {
    const isRecent = this.#options.clock.monotonicMs() - this.#spaceAskedMs < SPACE_INTERVAL_MS;
    if (this.#isAskingSpace || isRecent || this.#isClosed) return;
    this.#isAskingSpace = true;
    try {
      await this.#askSpace();
      if (this.#freeBytes >= this.#reserveBytes) this.#full = undefined;
    } catch (error) {
      this.#report(error);
    } finally {
      this.#isAskingSpace = false;
    }
  }

  // ---- reading ----

  head(): bigint {
    return BigInt(this.#durable);
  }

  async read(after: bigint, limit: number): Promise<readonly JournalEntry[]> {
    if (!(limit >= 1 && limit <= ENTRIES_MAX)) throw new RangeError(`limit \`${limit}\` is not from 1 to ${ENTRIES_MAX}`);
    if (after < 0n) throw new RangeError(`\`${after}\` is not a sequence`);
    const entries: JournalEntry[] = [];
    const head = this.#durable;
    let bytes = 0;
    for (let next = Number(after) + 1; next <= head && entries.length < limit; next = Number(after) + 1 + entries.length) {
      const fresh = this.#fresh.get(next);
      const run =
        fresh === undefined
          ? await this.#readRun(next, Math.min(limit - entries.length, head - next + 1), READ_BYTES_MAX - bytes, entries.length > 0)
          : [fresh];
      if (run.length === 0) break;
      for (const entry of run) {
        bytes += entry.bytes.length;
        if (bytes > READ_BYTES_MAX && entries.length > 0) return entries;
        entries.push(entry);
      }
    }
    return entries;
  }

  /** Entries from the disk; none when the first is damaged and `mayBeEmpty`. */
  async #readRun(from: number, limit: number, bytesMax: number, mayBeEmpty: boolean): Promise<readonly JournalEntry[]> {
    try {
      return await this.#readSegment(from, limit, bytesMax);
    } catch (error) {
      if (mayBeEmpty && error instanceof JournalDamaged) return [];
      throw error;
    }
  }

  async fetch(sequences: readonly bigint[]): Promise<readonly JournalEntry[]> {
    return await Promise.all(sequences.map((sequence) => this.#fetchOne(sequence)));
  }

  async #fetchOne(sequence: bigint): Promise<JournalEntry> {
    const wanted = Number(sequence);
    if (wanted < 1 || wanted > this.#durable) throw new RangeError(`the journal has no entry \`${sequence}\`: it ends at ${this.#durable}`);
    return this.#fresh.get(wanted) ?? (await this.#readSegment(wanted, 1, 0))[0]!;
  }

  /** Reads from the segment that holds a durable sequence. Damage that shows up is remembered. @throws JournalDamaged */
  async #readSegment(from: number, limit: number, bytesMax: number): Promise<readonly JournalEntry[]> {
    const segment = this.#segmentOf(from);
    if (segment === undefined) throw new JournalDamaged(this.#damageAt(from));
    try {
      return await segment.read(from, limit, bytesMax);
    } catch (error) {
      if (error instanceof JournalDamaged) this.#addDamage(error.damage);
      throw error;
    }
  }

  #segmentOf(sequence: number): LogSegment | SealedSegment | undefined {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.first <= sequence) low = middle + 1;
      else high = middle;
    }
    const segment = this.#segments[low - 1];
    return segment !== undefined && sequence <= segment.last ? segment : undefined;
  }

  #damageAt(sequence: number): JournalDamage {
    const wanted = BigInt(sequence);
    const known = this.#damages.find(({ from, to }) => from <= wanted && wanted <= to);
    return known ?? damageOf(this.#folder, sequence, sequence, 'a segment is missing');
  }

  async find(account: AccountId, id: string): Promise<bigint | undefined> {
    const firsts = await Promise.all((['event', 'fact'] as const).map((kind) => this.#findFirst(kind, account, id)));
    const found = firsts.filter((first) => first !== undefined).map(Number);
    return found.length === 0 ? undefined : BigInt(Math.min(...found));
  }

  async #findFirst(kind: 'event' | 'fact', account: AccountId, id: string): Promise<bigint | undefined> {
    const print = fingerprint(this.#salt, kind, account, id);
    const recent = (this.#recentIds.find(print) ?? []).filter((sequence) => sequence <= this.#durable);
    const { entries } = await this.#confirm({ kind, account, id }, print, this.#sealedIds.candidates(print.high) ?? [], recent);
    return entries[0]?.sequence;
  }

  async waitBeyond(after: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.head() > after) return;
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        this.#beyond = this.#beyond.filter((each) => each !== waiter);
        resolve();
      };
      const waiter = {
        after,
        resolve: () => {
          signal.removeEventListener('abort', stop);
          resolve();
        },
      };
      this.#beyond.push(waiter);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  damage(): readonly JournalDamage[] {
    return [...this.#damages];
  }

  async scrub(signal?: AbortSignal, rest?: () => Promise<void>): Promise<readonly JournalDamage[]> {
    const found: JournalDamage[] = this.#damages.filter(({ from }) => this.#segmentOf(Number(from)) === undefined);
    // By place: a log file may be replaced by its sealed form meanwhile.
    let failure: { readonly error: unknown } | undefined;
    for (let place = 0; place < this.#segments.length && !signal?.aborted; place++) {
      try {
        const damages = await this.#segments[place]!.scrub(signal);
        for (const damage of damages) this.#addDamage(damage);
        found.push(...damages);
      } catch (error) {
        failure ??= { error };
      }
      await rest?.();
    }
    if (failure !== undefined) throw failure.error;
    return found.sort((a, b) => Number(a.from - b.from));
  }

  /** Remembers damage once, however often it is met. */
  #addDamage(damage: JournalDamage): void {
    if (this.#damages.some(({ from, to }) => from <= damage.from && damage.to <= to)) return;
    this.#damages = this.#damages.filter(({ from, to }) => !(damage.from <= from && to <= damage.to));
    this.#damages.push(damage);
    this.#damages.sort((a, b) => Number(a.from - b.from));
  }

  // ---- sealing ----

  whenSealed(): Promise<void> {
    return this.#sealing ?? Promise.resolve();
  }

  #sealFull(): void {
    if (this.#sealing !== undefined || this.#options.sealing === 'never') return;
    this.#sealing = this.#sealAll()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#sealing = undefined;
      });
  }

  /**
   * Seals full log files from the oldest on, but damaged ones, which stay as they are. When it fails otherwise, the log files
   * stay as well; the next rotation tries again.
   */
  async #sealAll(): Promise<void> {
    for (;;) {
      const log = this.#segments.find(
        (segment): segment is LogSegment => segment instanceof LogSegment && segment !== this.#active && !segment.isDamaged,
      );
      if (log === undefined || this.#isClosed || this.#failure !== undefined) return;
      try {
        await this.#seal(log);
      } catch (error) {
        if (this.#isClosed) return;
        if (await this.#isWhole(log)) throw error;
      }
    }
  }

  /** Looks through a log file that could not be sealed. When it is damaged, that is remembered. */
  async #isWhole(log: LogSegment): Promise<boolean> {
    for (const damage of await log.scrub(undefined)) this.#addDamage(damage);
    return !log.isDamaged;
  }

  async #seal(log: LogSegment): Promise<void> {
    const { first, last, count } = log;
    const task: SealTask = {
      folder: this.#folder,
      salt: this.#salt,
      firstSequence: first,
      entries: count,
      nonceKey: this.#nonceKey,
      level: this.#options.level ?? 4,
    };
    const isElsewhere = (this.#options.sealing ?? (this.#files === nodeFiles ? 'process' : 'in-place')) === 'process';
    await (isElsewhere ? sealInProcess(task, this.#stopSealing.signal) : sealSegment(this.#files, task));
    const options = { ...this.#shared(), folder: this.#folder, first, last, salt: this.#salt };
    const sealed = await openSealedSegment(options, new Patience(this.#options.clock));
    // The log file stays, and wins at the next start.
    if (sealed.damages.length > 0)
      throw new Error(`what was just sealed cannot be read: ${sealed.damages[0]!.file}: ${sealed.damages[0]!.reason}`);
    this.#segments[this.#segments.indexOf(log)] = sealed;
    this.#sealedIds.add(sealed);
    const logs = this.#segments.filter((segment) => segment instanceof LogSegment && segment !== this.#active);
    this.#recentIds.keepOnly([...logs, { first: this.#active?.first ?? this.#next, last: Number.POSITIVE_INFINITY }]);
    await this.#files.remove(log.path);
    await this.#files.syncFolder(this.#folder);
    await log.retire();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopSealing.abort();
    while (this.#isAssigning || this.#isWriting) {
      await this.#whenWritten;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#sealing;
    const logs = this.#segments.filter((segment) => segment instanceof LogSegment);
    if (this.#failure === undefined && this.#markAt >= 0) await this.#active?.file.datasync();
    for (const log of logs) await log.retire();
    await this.#reader.close();
    await this.#pool.close();
    this.#cache.clear();
    this.#pages.clear();
  }

  #report(error: unknown): void {
    if (this.#isClosed) return;
    this.#options.report?.(error instanceof Error ? error : new Error(String(error)));
  }
}

function toFailure(cause: unknown): JournalFailed {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new JournalFailed(`the journal's device failed: ${what}; nothing more is acknowledged until the server starts anew`, { cause });
}

function hasId(entry: JournalEntry, wanted: WantedId): boolean {
  return entry.kind === wanted.kind && entry.account === wanted.account && entry.id === wanted.id;
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** @throws RangeError when the caller did not keep the limits: a bug of ours, since input was checked before. */
function checkEntries(entries: readonly NewEntry[], mayBeEmpty: boolean): void {
  if ((entries.length < 1 && !mayBeEmpty) || entries.length > ENTRIES_MAX)
    throw new RangeError(`${entries.length} entries are not 1 to ${ENTRIES_MAX}`);
  let bytes = 0;
  for (const entry of entries) {
    const id = idOf(entry);
    if (entry.bytes.length > ENTRY_BYTES_MAX)
      throw new RangeError(`an entry of ${entry.bytes.length} bytes is larger than ${ENTRY_BYTES_MAX}`);
    if (id.length < 1 || id.length > ID_LENGTH_MAX) throw new RangeError(`an id of ${id.length} characters is not 1 to ${ID_LENGTH_MAX}`);
    if (entry.account.length > 64 || entry.region.length > 64) throw new RangeError('an account or Region has more than 64 characters');
    if (!(Number.isInteger(entry.receivedAtMs) && entry.receivedAtMs >= 0 && entry.receivedAtMs < 2 ** 48))
      throw new RangeError(`time of receipt \`${entry.receivedAtMs}\` is not kept`);
    bytes += entry.bytes.length;
  }
  if (bytes > APPEND_BYTES_MAX) throw new RangeError(`an append of ${bytes} bytes is larger than ${APPEND_BYTES_MAX}`);
}
