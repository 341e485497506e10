/**
 * One run, open for reading: its directory in memory, its data by page.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HistoryScope } from '../../history-index.ts';
import { PostingList } from './posting-list.ts';
import { blockSequence, blockTime } from './row-block.ts';
import { BLOCK_ROWS, decodeRunDirectory, RunDamaged, type RunDirectory, type RunScope, rowBytes } from './run-directory.ts';
import { type PageCache, RunPages } from './run-pages.ts';
import { scopeKey, type TermHash } from './term-hash.ts';
import type { TopPositions } from './top-positions.ts';

export class Run {
  readonly name: string;
  readonly directory: RunDirectory;
  /** The newest row's time; −∞ where there is none. */
  readonly maxTimeMs: number;
  readonly #scopes = new Map<string, RunScope>();
  readonly #file: number | undefined;
  readonly #pages: RunPages | undefined;
  /** The row block used last. */
  #block: DataView | undefined;
  #blockIndex = -1;

  /**
   * Opens a run and checks that its directory is whole and its data has the right size. Pages are checked when read.
   * @throws RunDamaged
   */
  constructor(folder: string, name: string, cache: PageCache) {
    this.name = name;
    this.directory = decodeRunDirectory(name, readOrDamaged(folder, name));
    let maxTimeMs = Number.NEGATIVE_INFINITY;
    for (const scope of this.directory.scopes) {
      this.#scopes.set(scopeKey(scope.scope), scope);
      maxTimeMs = Math.max(maxTimeMs, scope.maxTimeMs);
    }
    this.maxTimeMs = maxTimeMs;
    const { dataBytes, pageCrcs } = this.directory;
    if (dataBytes === 0) return;
    this.#file = openOrDamaged(folder, name);
    const size = fstatSync(this.#file).size;
    if (size !== dataBytes) {
      closeSync(this.#file);
      throw new RunDamaged(name, `its data has ${size} bytes instead of ${dataBytes}`);
    }
    this.#pages = new RunPages(name, this.#file, dataBytes, pageCrcs, cache);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  scope(scope: HistoryScope): RunScope | undefined {
    return this.#scopes.get(scopeKey(scope));
  }

  /** Offers the rows of one scope that have all terms to `top`, best first, until it takes no more. */
  query(scope: RunScope, terms: readonly TermHash[], top: TopPositions): void {
    // The rows that can be inside the bounds: [low, high).
    const end = scope.firstRow + scope.rowCount;
    const low = scope.minTimeMs >= top.fromMs ? scope.firstRow : this.#firstRowNotBefore(top.fromMs, scope.firstRow, end);
    const high = scope.maxTimeMs <= top.toMs ? end : this.#firstRowNotBefore(top.toMs + 1, scope.firstRow, end);
    if (low >= high) return;
    if (terms.length === 0) {
      if (top.isOldestFirst) for (let row = low; row < high && this.#offer(row, top); row += 1);
      else for (let row = high - 1; row >= low && this.#offer(row, top); row -= 1);
      return;
    }
    const lists: PostingList[] = [];
    for (const term of terms) {
      const list = this.#find(term);
      if (list === undefined) return;
      lists.push(list);
    }
    // The shortest list leads; the others are asked.
    lists.sort((a, b) => a.count - b.count);
    const [leader, ...others] = lists as [PostingList, ...PostingList[]];
    if (top.isOldestFirst) this.#ascend(leader, others, low, high, top);
    else this.#descend(leader, others, low, high, top);
  }

  #descend(leader: PostingList, others: readonly PostingList[], low: number, high: number, top: TopPositions): void {
    for (let step = leader.stepOf(high - 1); step < leader.steps; step += 1) {
      const rows = leader.step(step);
      for (let index = 0; index < rows.length; index += 1) {
        const row = rows[index]!;
        if (row >= high) continue;
        if (row < low) return;
        if (others.every((list) => list.has(row)) && !this.#offer(row, top)) return;
      }
    }
  }

  #ascend(leader: PostingList, others: readonly PostingList[], low: number, high: number, top: TopPositions): void {
    for (let step = leader.stepOf(low); step >= 0; step -= 1) {
      const rows = leader.step(step);
      for (let index = rows.length - 1; index >= 0; index -= 1) {
        const row = rows[index]!;
        if (row < low) continue;
        if (row >= high) return;
        if (others.every((list) => list.has(row)) && !this.#offer(row, top)) return;
      }
    }
  }

  #offer(row: number, top: TopPositions): boolean {
    const block = this.#loadBlock(Math.floor(row / BLOCK_ROWS));
    const rows = this.#rowsInBlock(this.#blockIndex);
    const index = row % BLOCK_ROWS;
    return top.offer(blockTime(block, rows, index), blockSequence(block, rows, index));
  }

  /** The first row in [from, end) whose time is `timeMs` or later; `end` when there is none. */
  #firstRowNotBefore(timeMs: number, from: number, end: number): number {
    // By the first times of whole blocks, then inside one block.
    let low = from;
    let high = end;
    const { blockTimes } = this.directory;
    while (high - low > BLOCK_ROWS) {
      const block = Math.floor((low + high) / 2 / BLOCK_ROWS);
      const first = block * BLOCK_ROWS;
      if (first <= low) break;
      if (blockTimes[block]! >= timeMs) high = first;
      else low = first;
    }
    while (low < high) {
      const middle = (low + high) >> 1;
      const block = this.#loadBlock(Math.floor(middle / BLOCK_ROWS));
      if (blockTime(block, this.#rowsInBlock(this.#blockIndex), middle % BLOCK_ROWS) >= timeMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #rowsInBlock(block: number): number {
    return Math.min(BLOCK_ROWS, this.directory.rowCount - block * BLOCK_ROWS);
  }

  #loadBlock(index: number): DataView {
    if (index === this.#blockIndex) return this.#block!;
    const { blockOffsets, postingsAt } = this.directory;
    const from = blockOffsets[index]!;
    const bytes = this.#pages!.read(from, (blockOffsets[index + 1] ?? postingsAt) - from);
    this.#block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#blockIndex = index;
    return this.#block;
  }

  #find(term: TermHash): PostingList | undefined {
    const { singleBuckets, manyBuckets, singlesAt, manysAt, postingsAt, rowCount } = this.directory;
    const row = this.#findInTable(singlesAt, singleBuckets, 4 + rowBytes(rowCount), term);
    if (row !== undefined) return PostingList.ofRow(row);
    const offset = this.#findInTable(manysAt, manyBuckets, 8, term);
    return offset === undefined ? undefined : PostingList.read(this.#pages!, postingsAt + offset, singlesAt);
  }

  #findInTable(tableAt: number, buckets: Uint32Array, entryBytes: number, term: TermHash): number | undefined {
    const first = buckets[term.bucket]!;
    const count = buckets[term.bucket + 1]! - first;
    if (count === 0) return undefined;
    const bytes = this.#pages!.read(tableAt + first * entryBytes, count * entryBytes);
    let low = 0;
    let high = count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const fingerprint = bytes.readUInt32LE(middle * entryBytes);
      if (fingerprint === term.fingerprint) return bytes.readUIntLE(middle * entryBytes + 4, entryBytes - 4);
      if (fingerprint < term.fingerprint) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}

function readOrDamaged(folder: string, name: string): Uint8Array {
  try {
    return readFileSync(join(folder, `${name}.dir`));
  } catch (cause) {
    throw new RunDamaged(name, `its directory cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function openOrDamaged(folder: string, name: string): number {
  try {
    return openSync(join(folder, `${name}.data`), 'r');
  } catch (cause) {
    throw new RunDamaged(name, `its data cannot be opened: ${(cause as Error).message}`, { cause });
  }
}
