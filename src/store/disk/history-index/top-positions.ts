/**
 * The best few rows of a query, kept in a heap while candidates stream past, so that nothing is sorted in full.
 *
 * Also decides whether a row is inside the query's bounds: one place for the order's two directions.
 */
import type { HistoryPosition, HistoryQuery } from '../../history-index.ts';

/** Keeps the first `limit` rows in the query's order. */
export class TopPositions {
  /** Rows outside these bounds are not taken. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly sequenceMax: number;
  readonly isOldestFirst: boolean;
  readonly #limit: number;
  /** 1 for newest first, −1 for oldest first: times and sequences are multiplied by it, so that greater is better. */
  readonly #sign: 1 | -1;
  readonly #afterTime: number;
  readonly #afterSequence: number;
  readonly #times: Float64Array;
  readonly #sequences: Float64Array;
  #count = 0;

  /** @param floorMs Rows older than this have expired. */
  constructor(query: HistoryQuery, floorMs: number) {
    this.isOldestFirst = query.order === 'oldest';
    this.#sign = this.isOldestFirst ? -1 : 1;
    this.#limit = query.limit;
    this.#times = new Float64Array(query.limit);
    this.#sequences = new Float64Array(query.limit);
    this.sequenceMax = Number(query.sequenceMax);
    this.#afterTime = query.after === undefined ? Number.POSITIVE_INFINITY : query.after.timeMs * this.#sign;
    this.#afterSequence = query.after === undefined ? 0 : Number(query.after.sequence) * this.#sign;
    const after = query.after?.timeMs;
    this.fromMs = Math.max(query.fromMs, floorMs, this.isOldestFirst && after !== undefined ? after : Number.NEGATIVE_INFINITY);
    this.toMs = Math.min(query.toMs, !this.isOldestFirst && after !== undefined ? after : Number.POSITIVE_INFINITY);
  }

  /**
   * Takes a row if it is inside the bounds and better than the worst one kept.
   * @returns False when the row, and so every later row of a list in the query's order, is too late in the order.
   */
  offer(timeMs: number, sequence: number): boolean {
    const time = timeMs * this.#sign;
    const order = sequence * this.#sign;
    const isFull = this.#count === this.#limit;
    if (isFull && (time < this.#times[0]! || (time === this.#times[0]! && order < this.#sequences[0]!))) return false;
    if (timeMs < this.fromMs) return this.isOldestFirst;
    if (timeMs > this.toMs) return !this.isOldestFirst;
    if (sequence > this.sequenceMax) return true;
    if (time > this.#afterTime || (time === this.#afterTime && order >= this.#afterSequence)) return true;
    if (isFull) this.#replaceWorst(time, order);
    else this.#insert(time, order);
    return true;
  }

  /** True when no row between these times can be among the best. */
  excludes(minTimeMs: number, maxTimeMs: number): boolean {
    if (maxTimeMs < this.fromMs || minTimeMs > this.toMs) return true;
    if (this.#count < this.#limit) return false;
    return (this.isOldestFirst ? -minTimeMs : maxTimeMs) < this.#times[0]!;
  }

  /** The rows kept, best first. The heap is empty afterwards. */
  take(): HistoryPosition[] {
    const order = Array.from({ length: this.#count }, (_, index) => index);
    const times = this.#times;
    const sequences = this.#sequences;
    order.sort((a, b) => times[b]! - times[a]! || sequences[b]! - sequences[a]!);
    this.#count = 0;
    return order.map((index) => ({
      // Adding 0 turns −0 into 0.
      timeMs: times[index]! * this.#sign + 0,
      sequence: BigInt(sequences[index]! * this.#sign),
    }));
  }

  #insert(time: number, sequence: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    let place = this.#count;
    this.#count += 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (times[parent]! < time || (times[parent]! === time && sequences[parent]! < sequence)) break;
      times[place] = times[parent]!;
      sequences[place] = sequences[parent]!;
      place = parent;
    }
    times[place] = time;
    sequences[place] = sequence;
  }

  #replaceWorst(time: number, sequence: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= this.#count) break;
      const other = child + 1;
      if (
        other < this.#count &&
        (times[other]! < times[child]! || (times[other]! === times[child]! && sequences[other]! < sequences[child]!))
      ) {
        child = other;
      }
      if (times[child]! > time || (times[child]! === time && sequences[child]! > sequence)) break;
      times[place] = times[child]!;
      sequences[place] = sequences[child]!;
      place = child;
    }
    times[place] = time;
    sequences[place] = sequence;
  }
}
