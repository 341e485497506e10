/**
 * The look-up index of event history on disk: a table of newest rows in memory, and immutable runs.
 *
 * Each piece (run or table) covers a range of the journal, and `coveredTo` is the end of the ranges that follow each
 * other from the beginning. A table that is full becomes a run beside the intake; runs next to each other are merged
 * 8 to 1, then 4 to 1. A run that is lost or damaged leaves a hole: `coveredTo` falls to where it begins, the follower
 * gives the journal's entries from there again, those that are covered are ignored, and the hole alone is rebuilt.
 *
 * Refuses to answer from bytes that fail their CRC-32. Layout and measurements: `docs/formats/history.md`.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochMs } from '../../../event/types.ts';
import {
  type DroppedRun,
  HistoryDamaged,
  type HistoryIndex,
  type HistoryPosition,
  type HistoryQuery,
  type HistoryRow,
  type HistoryScope,
} from '../../history-index.ts';
import { NewestTable, TABLE_ROWS_MAX } from './newest-table.ts';
import { Run } from './run.ts';
import { RunDamaged, type RunScope, runName } from './run-directory.ts';
import { PageCache } from './run-pages.ts';
import { type RunTask, runTask, runTaskBeside } from './run-task.ts';
import { scopeKey, TermHasher } from './term-hash.ts';
import { TopPositions } from './top-positions.ts';
import { syncFolder, writeRun } from './write-run.ts';

/** Runs of a table's size that become one, and those that become one then. */
const SMALL_MERGE = 8;
const LARGE_MERGE = 4;
/** Pages of runs kept in memory. */
const CACHE_BYTES = 24 * 2 ** 20;
/** Most terms of a row that a table is sure to take: more than a record of 1 MiB can name. */
const ROW_TERMS_MAX = 600_000;

export interface DiskHistoryIndexOptions {
  /** Made when it is missing. Nothing else may write there. */
  readonly folder: string;
  /** 32 secret bytes, always the same: runs written with another key are dropped and rebuilt. */
  readonly termKey: Uint8Array;
  /** Whether runs are written beside this thread (the server) or in it (simulations). */
  readonly workers: boolean;
  /** Told of merges that failed: nothing is lost, the next full table tries again, and look-ups get slower until one succeeds. */
  readonly report?: (problem: Error) => void;
  /** Rows of a table, 1 to 65,536 (the default); tests make it small. */
  readonly tableRows?: number;
}

/** Opens the index of a folder. Leftovers of a crash are deleted; damaged runs are dropped and listed in `dropped()`. */
export async function openDiskHistoryIndex(options: DiskHistoryIndexOptions): Promise<DiskHistoryIndex> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  return new DiskHistoryIndex(options);
}

export class DiskHistoryIndex implements HistoryIndex {
  readonly #folder: string;
  readonly #hasher: TermHasher;
  readonly #useWorkers: boolean;
  readonly #tableRows: number;
  readonly #cache = new PageCache(CACHE_BYTES);
  /** By `after`. INVARIANT: their ranges don't overlap. */
  #runs: Run[] = [];
  /** Takes new rows. Only `add` changes it. */
  #active: NewestTable;
  /** A full table that becomes a run. `add` sets it; the end of the building clears it. */
  #frozen: NewestTable | undefined;
  /** A table to use next. */
  #spare: NewestTable | undefined;
  /** End of the ranges that follow each other from 0. Set by `#recover` alone. */
  #coveredTo = 0;
  /** Rows older than this have expired. */
  #floorMs = Number.NEGATIVE_INFINITY;
  /** The writing of `#frozen`; rejects when it failed, and the next full table tries it again. */
  #building: Promise<void> | undefined;
  readonly #report: (problem: Error) => void;
  /** Merges and removals of expired runs, one after the other. Never rejects. */
  #tidying: Promise<void> | undefined;
  /** A merge that a close cut short is done again after the next start. */
  readonly #stopMerging = new AbortController();
  readonly #dropped: DroppedRun[] = [];
  #isAdding = false;
  #isClosed = false;
  /** Nothing is written or deleted in the folder any more: two tables in memory take what there is room for. */
  #keepsFiles = false;

  constructor(options: DiskHistoryIndexOptions) {
    const tableRows = options.tableRows ?? TABLE_ROWS_MAX;
    assert(Number.isInteger(tableRows) && tableRows >= 1 && tableRows <= TABLE_ROWS_MAX, 'a table has 1 to 65,536 rows');
    this.#folder = options.folder;
    this.#hasher = new TermHasher(options.termKey);
    this.#useWorkers = options.workers;
    this.#report = options.report ?? (() => undefined);
    this.#tableRows = tableRows;
    this.#openRuns();
    this.#active = this.#newTable(0);
    this.#recover();
    this.#active.reset(this.#coveredTo);
  }

  async add(rows: readonly HistoryRow[], coveredTo: bigint): Promise<void> {
    assert(!this.#isAdding, 'rows are added by one caller at a time');
    this.#isAdding = true;
    try {
      await this.#add(rows, Number(coveredTo));
    } finally {
      this.#isAdding = false;
      this.#recover();
    }
  }

  async query(query: HistoryQuery): Promise<readonly HistoryPosition[]> {
    const top = new TopPositions(query, this.#floorMs);
    const scopes = [...new Map(query.scopes.map((scope) => [scopeKey(scope), scope])).values()];
    this.#active.query(scopes, query.terms, top);
    this.#frozen?.query(scopes, query.terms, top);
    this.#queryRuns(scopes, query, top);
    return top.take();
  }

  coveredTo(): bigint {
    return BigInt(this.#coveredTo);
  }

  scopes(): readonly HistoryScope[] {
    const found = new Map<string, HistoryScope>();
    for (const table of [this.#active, this.#frozen]) {
      for (const scope of table?.scopes(this.#floorMs) ?? []) found.set(scopeKey(scope), scope);
    }
    for (const run of this.#runs) {
      for (const { scope, maxTimeMs } of run.directory.scopes) if (maxTimeMs >= this.#floorMs) found.set(scopeKey(scope), scope);
    }
    return [...found.values()];
  }

  async expire(beforeMs: EpochMs): Promise<void> {
    this.#floorMs = Math.max(this.#floorMs, beforeMs);
    this.#tidy();
  }

  async settle(): Promise<void> {
    while (this.#building !== undefined || this.#tidying !== undefined) {
      await this.#building;
      await this.#tidying;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopMerging.abort();
    await Promise.allSettled([this.#building, this.#tidying]);
    for (const run of this.#runs) run.close();
    this.#runs = [];
  }

  keepFiles(): void {
    assert(this.#building === undefined && this.#tidying === undefined, 'nothing was added before');
    this.#keepsFiles = true;
  }

  dropped(): readonly DroppedRun[] {
    return this.#dropped;
  }

  async forget(after: bigint, to: bigint): Promise<void> {
    assert(!this.#isAdding, 'nothing is forgotten while rows are added');
    await this.settle();
    const isPart = (part: { readonly after: number; readonly to: number }): boolean => BigInt(part.after) < to && BigInt(part.to) > after;
    if (isPart(this.#active)) this.#active.reset(this.#active.after);
    this.#takeOut(this.#runs.filter((run) => isPart(run.directory)));
  }

  /** Rows of each run, in the order of the journal, for benches and tests. */
  runRows(): readonly number[] {
    return this.#runs.map((run) => run.directory.rowCount);
  }

  /** Bytes of all runs' data, for benches and metrics. */
  dataBytes(): number {
    return this.#runs.reduce((sum, run) => sum + run.directory.dataBytes, 0);
  }

  // Adding rows

  /** Fills the holes between what is covered already, from the first one on. */
  async #add(rows: readonly HistoryRow[], end: number): Promise<void> {
    let next = 0;
    let from = this.#coveredTo;
    while (from < end) {
      if (this.#active.to !== from) await this.#continueAt(from);
      const holeEnd = Math.min(end, this.#nextCoveredAfter(from));
      while (next < rows.length && Number(rows[next]!.sequence) <= from) next += 1;
      for (; next < rows.length && Number(rows[next]!.sequence) <= holeEnd; next += 1) await this.#addRow(rows[next]!);
      this.#active.to = holeEnd;
      from = this.#contiguousFrom(holeEnd);
    }
  }

  async #addRow(row: HistoryRow): Promise<void> {
    assert(row.terms.length <= ROW_TERMS_MAX, 'a row has at most 600,000 terms');
    if (!this.#active.hasRoom(row.terms.length)) await this.#freeze(this.#active.to);
    assert(Number(row.sequence) > this.#active.to, 'rows come in the order of their sequences');
    this.#active.add(row);
    if (!this.#active.hasRoom(1) && this.#frozen === undefined) await this.#freeze(this.#active.to);
  }

  /** Makes the active table begin after `from`. */
  async #continueAt(from: number): Promise<void> {
    if (this.#active.to > this.#active.after) await this.#freeze(from);
    else this.#active.reset(from);
  }

  /** Hands the active table over to be written and goes on with an empty one. Waits while another is being written. */
  async #freeze(from: number): Promise<void> {
    if (this.#keepsFiles && this.#frozen !== undefined)
      throw new Error('history is only read, and memory has no room for more of what it lacks; put back the newest copy');
    while (this.#frozen !== undefined) {
      if (this.#building === undefined) this.#startBuilding(this.#frozen);
      await this.#building;
    }
    this.#frozen = this.#active;
    this.#active = this.#spare ?? this.#newTable(from);
    this.#active.reset(from);
    this.#spare = undefined;
    if (!this.#keepsFiles) this.#startBuilding(this.#frozen);
  }

  #newTable(after: number): NewestTable {
    const table = new NewestTable(this.#hasher, this.#tableRows);
    table.reset(after);
    return table;
  }

  // What is covered

  /** All ranges that are covered, in the order of the journal. */
  #ranges(): { readonly after: number; readonly to: number }[] {
    const ranges: { readonly after: number; readonly to: number }[] = this.#runs.map((run) => run.directory);
    if (this.#frozen !== undefined) ranges.push(this.#frozen);
    ranges.push(this.#active);
    return ranges.filter((range) => range.to > range.after).sort((a, b) => a.after - b.after);
  }

  #contiguousFrom(from: number): number {
    let end = from;
    for (const range of this.#ranges()) if (range.after <= end && range.to > end) end = range.to;
    return end;
  }

  #nextCoveredAfter(from: number): number {
    return this.#ranges().find((range) => range.after >= from)?.after ?? Number.POSITIVE_INFINITY;
  }

  #recover(): void {
    this.#coveredTo = this.#contiguousFrom(0);
  }

  // Asking runs

  #queryRuns(scopes: readonly HistoryScope[], query: HistoryQuery, top: TopPositions): void {
    const candidates: { run: Run; part: RunScope; scope: HistoryScope }[] = [];
    for (const run of this.#runs) {
      // Rows of a run that begins after the newest sequence asked for came in later.
      if (run.directory.rowCount === 0 || run.directory.after >= top.sequenceMax) continue;
      for (const scope of scopes) {
        const part = run.scope(scope);
        if (part !== undefined && !top.excludes(part.minTimeMs, part.maxTimeMs)) candidates.push({ run, part, scope });
      }
    }
    // Best first, so that a full page excludes the rest.
    if (top.isOldestFirst) candidates.sort((a, b) => a.part.minTimeMs - b.part.minTimeMs);
    else candidates.sort((a, b) => b.part.maxTimeMs - a.part.maxTimeMs);
    for (const { run, part, scope } of candidates) {
      if (top.excludes(part.minTimeMs, part.maxTimeMs)) continue;
      const terms = query.terms.map((term) => this.#hasher.termHash(scope, term.attribute, term.value));
      try {
        run.query(part, terms, top);
      } catch (error) {
        if (!(error instanceof RunDamaged)) throw error;
        this.#drop(run, error.reason);
        throw new HistoryDamaged(`${error.message}; it is rebuilt from the journal, ask again later`, { cause: error });
      }
    }
  }

  // Runs on disk

  /** Opens what is whole, deletes what a crash left over, drops what is damaged. */
  #openRuns(): void {
    const files = readdirSync(this.#folder);
    const names = files.filter((file) => /^run-\d{16}-\d{16}\.dir$/.test(file)).map((file) => file.slice(0, -4));
    // By `after`; of two that begin alike the longer one, which is the merge of the shorter ones.
    names.sort((a, b) => (a.slice(0, 20) === b.slice(0, 20) ? (a < b ? 1 : -1) : a < b ? -1 : 1));
    let changed = false;
    let end = 0;
    for (const name of names) {
      const [after, to] = rangeOf(name);
      try {
        if (after < end) throw new RunDamaged(name, 'its range is covered by another run');
        const run = new Run(this.#folder, name, this.#cache);
        if (run.directory.keyCheck !== this.#hasher.keyCheck()) {
          run.close();
          throw new RunDamaged(name, 'its terms were hashed with another key');
        }
        this.#runs.push(run);
        end = run.directory.to;
      } catch (error) {
        if (!(error instanceof RunDamaged)) throw error;
        // The inputs of a merge that was published just before a crash are no loss.
        if (after >= end) this.#dropped.push({ run: name, after: BigInt(after), to: BigInt(to), reason: error.reason });
        unlinkSync(join(this.#folder, `${name}.dir`));
        changed = true;
      }
    }
    // Data without a directory was never finished, or its directory has just gone.
    const kept = new Set(
      this.#runs.flatMap((run) => (run.directory.dataBytes > 0 ? [`${run.name}.data`, `${run.name}.dir`] : [`${run.name}.dir`])),
    );
    for (const file of readdirSync(this.#folder)) {
      if (kept.has(file) || !file.startsWith('run-')) continue;
      unlinkSync(join(this.#folder, file));
      changed = true;
    }
    if (changed) syncFolder(this.#folder);
  }

  #drop(run: Run, reason: string): void {
    if (!this.#runs.includes(run)) return;
    this.#dropped.push({ run: run.name, after: BigInt(run.directory.after), to: BigInt(run.directory.to), reason });
    this.#takeOut([run]);
  }

  #takeOut(runs: readonly Run[]): void {
    this.#runs = this.#runs.filter((run) => !runs.includes(run));
    this.#delete(runs);
    this.#recover();
  }

  /** Deletes the files of runs, each directory first: without it the data is nothing. */
  #delete(runs: readonly Run[]): void {
    for (const run of runs) run.close();
    if (this.#keepsFiles) return;
    for (const run of runs) {
      unlinkIfThere(join(this.#folder, `${run.name}.dir`));
      unlinkIfThere(join(this.#folder, `${run.name}.data`));
    }
    syncFolder(this.#folder);
  }

  async #perform(task: RunTask): Promise<void> {
    if (this.#useWorkers) return runTaskBeside(task, this.#stopMerging.signal);
    await Promise.resolve();
    runTask(task);
  }

  #startBuilding(table: NewestTable): void {
    this.#building = this.#build(table).finally(() => {
      this.#building = undefined;
    });
    // Whoever needs the room awaits the promise itself and sees the failure.
    this.#building.catch(() => undefined);
  }

  async #build(table: NewestTable): Promise<void> {
    const { after, to } = table;
    await this.#perform({ kind: 'build', folder: this.#folder, after, to, keyCheck: this.#hasher.keyCheck(), ...table.columns() });
    this.#runs.push(new Run(this.#folder, runName(after, to), this.#cache));
    this.#runs.sort((a, b) => a.directory.after - b.directory.after);
    this.#frozen = undefined;
    this.#spare = table;
    this.#tidy();
  }

  /** Starts what there is to tidy, unless it is under way. */
  #tidy(): void {
    if (this.#tidying !== undefined || this.#isClosed || this.#keepsFiles) return;
    this.#tidying = this.#tidyAll()
      .catch((cause: unknown) => {
        if (this.#isClosed) return;
        const problem = cause instanceof Error ? cause.message : String(cause);
        this.#report(new Error(`history runs are not merged, which makes look-ups slower: ${problem}`, { cause }));
      })
      .finally(() => {
        this.#tidying = undefined;
      });
  }

  async #tidyAll(): Promise<void> {
    while (!this.#isClosed) {
      this.#emptyExpired();
      const inputs = this.#mergeable();
      if (inputs === undefined) return;
      await this.#merge(inputs);
    }
  }

  /** Replaces runs whose rows have all expired by empty ones, which keep their range covered. */
  #emptyExpired(): void {
    for (const [at, run] of this.#runs.entries()) {
      const { rowCount, after, to, keyCheck } = run.directory;
      if (rowCount === 0 || run.maxTimeMs >= this.#floorMs) continue;
      const none = new Float64Array(0);
      writeRun(
        { folder: this.#folder, name: run.name, after, to, keyCheck, scopes: [], rowCount: 0, times: none, sequences: none },
        () => false,
      );
      run.close();
      this.#runs[at] = new Run(this.#folder, run.name, this.#cache);
      unlinkIfThere(join(this.#folder, `${run.name}.data`));
    }
  }

  /** The oldest runs next to each other that are worth joining. */
  #mergeable(): readonly Run[] | undefined {
    const small = this.#tableRows;
    const large = small * SMALL_MERGE;
    return this.#neighbours(SMALL_MERGE, (rows) => rows <= small) ?? this.#neighbours(LARGE_MERGE, (rows) => rows > small && rows <= large);
  }

  #neighbours(count: number, isWanted: (rows: number) => boolean): readonly Run[] | undefined {
    let found: Run[] = [];
    for (const run of this.#runs) {
      if (!isWanted(run.directory.rowCount)) {
        found = [];
        continue;
      }
      if (found.length > 0 && found.at(-1)!.directory.to !== run.directory.after) found = [];
      found.push(run);
      if (found.length === count) return found;
    }
    return undefined;
  }

  async #merge(inputs: readonly Run[]): Promise<void> {
    try {
      await this.#perform({ kind: 'merge', folder: this.#folder, inputs: inputs.map((run) => run.name) });
    } catch (error) {
      if (!(error instanceof RunDamaged)) throw error;
      const damaged = inputs.find((run) => run.name === error.run);
      if (damaged !== undefined) this.#drop(damaged, error.reason);
      return;
    }
    const merged = new Run(this.#folder, runName(inputs[0]!.directory.after, inputs.at(-1)!.directory.to), this.#cache);
    if (!inputs.every((run) => this.#runs.includes(run))) {
      // An input was dropped meanwhile and its range may be rebuilt by now: what was merged from it is not needed.
      this.#delete([merged]);
      return;
    }
    this.#runs.splice(this.#runs.indexOf(inputs[0]!), inputs.length, merged);
    this.#delete(inputs);
  }
}

/** The range that a run's name tells. */
function rangeOf(name: string): [after: number, to: number] {
  return [Number(name.slice(4, 20)), Number(name.slice(21, 37))];
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
