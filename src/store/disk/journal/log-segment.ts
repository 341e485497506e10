/**
 * A log file that is open: the active one, and full ones until they are sealed.
 *
 * Knows where each of its entries begins. Every read checks length, CRC and sequence again; once one finds damage, all of the
 * file is looked through, and what is damaged is remembered. What the device does not read is damage, too (`salvaged-file.ts`).
 */
import type { Clock } from '../../clock.ts';
import { type JournalDamage, JournalDamaged, type JournalEntry } from '../../journal.ts';
import { type OpenFile, readFully } from '../files.ts';
import { checkFrame, decodeFrame } from './frame.ts';
import { Patience, SalvagedFile } from './salvaged-file.ts';
import { closeEnd, newScanSummary, scanFrames } from './scan-frames.ts';
import { damageOf, damagesOf, findDamage, type Segment } from './segment.ts';
import { PREAMBLE_BYTES } from './segment-name.ts';
import type { SegmentFile, SegmentReader } from './segment-reader.ts';

/** Read at once: enough for a follower's batch, little enough to lie in memory a few times. */
const READ_BYTES = 4 * 1_048_576;

export class LogSegment implements Segment {
  readonly first: number;
  readonly path: string;
  readonly file: OpenFile;
  readonly #salt: number;
  readonly #patience: Patience;
  readonly #reader: SegmentReader | undefined;
  readonly #readerFile: SegmentFile;
  /** Where each entry begins; 0 for one that cannot be read. */
  #positions = new Uint32Array(256);
  #count = 0;
  /** Where the next group is written: after the last entry. A mark may lie there, and is written over. */
  #end = PREAMBLE_BYTES;
  /** Found so far, in order. */
  #damages: readonly JournalDamage[] = [];
  /** The look through the file that a damaged entry caused. */
  #looking: Promise<unknown> | undefined;
  /** Reads under way: the file stays open for them. */
  #readers = 0;
  #isRetired = false;

  constructor(options: {
    readonly first: number;
    readonly path: string;
    readonly file: OpenFile;
    readonly salt: number;
    readonly clock: Clock;
    /** For single entries; absent: they are read through `file` as well. */
    readonly reader: SegmentReader | undefined;
  }) {
    this.first = options.first;
    this.path = options.path;
    this.file = options.file;
    this.#salt = options.salt;
    this.#patience = new Patience(options.clock);
    this.#reader = options.reader;
    this.#readerFile = { path: options.path };
  }

  get last(): number {
    return this.first + this.#count - 1;
  }

  get count(): number {
    return this.#count;
  }

  get end(): number {
    return this.#end;
  }

  get isDamaged(): boolean {
    return this.#damages.length > 0;
  }

  /** Takes up what a scan found. */
  load(positions: readonly number[], end: number, damages: readonly JournalDamage[]): void {
    for (const position of positions) this.#push(position);
    this.#end = end;
    this.#remember(damages);
  }

  /** The entries of a group are durable: they lie one after the other from `position`. */
  extend(position: number, lengths: readonly number[]): void {
    let at = position;
    for (const length of lengths) {
      this.#push(at);
      at += length;
    }
    this.#end = at;
  }

  async read(from: number, limit: number, bytesMax: number): Promise<readonly JournalEntry[]> {
    const row = from - this.first;
    const position = this.#positions[row]!;
    if (position === 0) throw new JournalDamaged(findDamage(this.#damages, from)!);
    const lastRow = this.#lastRowWithin(row, limit, Math.min(bytesMax, READ_BYTES));
    this.#readers += 1;
    try {
      const end = this.#endOf(lastRow);
      const file = this.#salvaged();
      const bytes = await this.#readBytes(file, { position, length: end - position, isSingle: lastRow === row });
      const entries = this.#decode(bytes, position, row, lastRow);
      if (!(entries instanceof JournalDamaged)) return entries;
      this.#looking ??= this.scrub(undefined).finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
      const damage = findDamage(this.#damages, from);
      if (damage !== undefined) throw new JournalDamaged(damage);
      // The device gives now what it did not give before.
      throw file.lossIn(position, end) === undefined
        ? entries
        : new Error(`${entries.message}; a look through the file found nothing wrong`);
    } finally {
      this.#readers -= 1;
      await this.#closeWhenUnused();
    }
  }

  async scrub(signal: AbortSignal | undefined): Promise<readonly JournalDamage[]> {
    const { first, last } = this;
    const summary = newScanSummary(first);
    const options = { salt: this.#salt, firstSequence: first, lastSequence: last, endBytes: this.#end };
    const file = this.#salvaged();
    this.#readers += 1;
    try {
      for await (const _ of scanFrames(file, options, summary)) if (signal?.aborted) return [];
    } finally {
      this.#readers -= 1;
      await this.#closeWhenUnused();
    }
    closeEnd(summary, last);
    const damages = damagesOf(this.path, summary.holes, file);
    this.#remember(damages);
    return damages;
  }

  /** Damaged entries are not read again: what is damaged stays it as long as the file is open. */
  #remember(damages: readonly JournalDamage[]): void {
    const more = damages.filter(({ from, to }) => !this.#damages.some((known) => known.from <= from && to <= known.to));
    this.#damages = [...this.#damages, ...more].sort((a, b) => Number(a.from - b.from));
    for (const { from, to } of more) this.#positions.fill(0, Number(from) - this.first, Number(to) - this.first + 1);
  }

  /** Closes the file as soon as nobody reads it. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.#closeWhenUnused();
  }

  /** A single entry is mostly one of many that are fetched at once: the reader takes those together. */
  async #readBytes(
    file: SalvagedFile,
    { position, length, isSingle }: { readonly position: number; readonly length: number; readonly isSingle: boolean },
  ): Promise<Buffer> {
    if (isSingle && this.#reader !== undefined) {
      // Sealed meanwhile and removed, or no file can be opened for now: the handle of this segment reads it, or says why not.
      const piece = await this.#reader.read(this.#readerFile, position, length).catch(() => undefined);
      if (piece instanceof Buffer) return piece;
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    return bytes.subarray(0, await readFully(file, bytes, position));
  }

  #salvaged(): SalvagedFile {
    return new SalvagedFile(this.file, this.#patience);
  }

  async #closeWhenUnused(): Promise<void> {
    if (!this.#isRetired || this.#readers > 0) return;
    this.#isRetired = false;
    this.#reader?.forget(this.#readerFile);
    await this.file.close();
  }

  /** Last row of a run that has no hole and is within the limits; at least `row`. */
  #lastRowWithin(row: number, limit: number, bytesMax: number): number {
    const position = this.#positions[row]!;
    let last = row;
    while (last + 1 < this.#count && last + 1 < row + limit && this.#positions[last + 1] !== 0) {
      if (this.#endOf(last + 1) - position > bytesMax) break;
      last += 1;
    }
    return last;
  }

  /** A position at or after the end of a row: marks may lie before the next one. */
  #endOf(row: number): number {
    for (let next = row + 1; next < this.#count; next++) if (this.#positions[next] !== 0) return this.#positions[next]!;
    return this.#end;
  }

  #decode(bytes: Buffer, base: number, row: number, lastRow: number): JournalEntry[] | JournalDamaged {
    const entries: JournalEntry[] = [];
    for (let each = row; each <= lastRow; each++) {
      // Another read may have found meanwhile that it is damaged.
      const position = this.#positions[each]!;
      const at = position - base;
      const frame = position === 0 ? undefined : checkFrame(bytes, at, bytes.length, this.#salt);
      if (frame === undefined || frame.isMark || frame.sequence !== this.first + each) {
        if (entries.length > 0) break;
        const sequence = this.first + each;
        return new JournalDamaged(damageOf(this.path, sequence, sequence, `the frame at byte ${position} is damaged`));
      }
      entries.push(decodeFrame(bytes, at));
    }
    return entries;
  }

  #push(position: number): void {
    if (this.#count === this.#positions.length) {
      const larger = new Uint32Array(2 * this.#count);
      larger.set(this.#positions);
      this.#positions = larger;
    }
    this.#positions[this.#count++] = position;
  }
}
