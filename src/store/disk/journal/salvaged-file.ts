/**
 * Reads that go on where the device gives an error (EIO): tried again for about a second, then done without what does not come.
 *
 * What does not come is read as zeros, which no checksum accepts: everybody who finds damage by the checksums finds this as
 * well, and `lossIn` says why. An error that goes away in that time leaves no trace. Other errors, such as a lack of memory
 * or descriptors, say nothing of the bytes: they are thrown as they are.
 * Source: docs/decisions/0010-who-passes-over-damage.md.
 */
import type { Clock } from '../../clock.ts';
import { errorCode, type ReadableFile, readFully } from '../files.ts';

/** Before each further try; the first comes at once. */
const WAITS_MS = [0, 200, 800];
/** What a device gives or does not give as a whole is rarely larger. */
const PIECE_BYTES = 4_096;
const PATIENCE_MS = 5_000;
const RENEWED_MS = 600_000;

/** Whether the device says that it cannot give these bytes. */
export function isDeviceError(error: unknown): boolean {
  return errorCode(error) === 'EIO';
}

/**
 * How long errors of a device may hold up a start, or the readers of a segment: five seconds from the first one on. After
 * that, what fails counts at once; ten minutes later it begins anew.
 */
export class Patience {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  #untilMs: number | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'sleep'>) {
    this.#clock = clock;
  }

  isOver(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#untilMs === undefined || nowMs >= this.#untilMs + RENEWED_MS) this.#untilMs = nowMs + PATIENCE_MS;
    return nowMs >= this.#untilMs;
  }

  /** Waits before a further try; no more once it is over. */
  async rest(ms: number): Promise<void> {
    if (!this.isOver() && ms > 0) await this.#clock.sleep(ms);
  }
}

/** Tries a read again that the device refuses. @throws its error when it stays, or patience is over; any other error at once. */
export async function readAgain<T>(patience: Patience, read: () => Promise<T>): Promise<T> {
  for (const waitMs of WAITS_MS) {
    try {
      return await read();
    } catch (error) {
      if (!isDeviceError(error) || patience.isOver()) throw error;
      await patience.rest(waitMs);
    }
  }
  return await read();
}

/** A file without the bytes that its device does not give. */
export class SalvagedFile implements ReadableFile {
  readonly #file: ReadableFile;
  readonly #patience: Patience;
  /** Numbers of the pieces that did not come. They are not asked for again. */
  readonly #lost = new Set<number>();

  constructor(file: ReadableFile, patience: Patience) {
    this.#file = file;
    this.#patience = patience;
  }

  sizeBytes(): Promise<number> {
    return this.#file.sizeBytes();
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (this.lossIn(position, position + into.length) === undefined) {
      try {
        return await readFully(this.#file, into, position);
      } catch (error) {
        if (!isDeviceError(error)) throw error;
      }
    }
    const count = Math.max(0, Math.min(into.length, (await this.sizeBytes()) - position));
    const wanted = into.subarray(0, count).fill(0);
    let missing: readonly number[] = piecesOf(position, position + count).filter((piece) => !this.#lost.has(piece));
    for (const waitMs of WAITS_MS) {
      if (missing.length === 0) break;
      await this.#patience.rest(waitMs);
      missing = await this.#readPieces(wanted, position, missing);
      if (this.#patience.isOver()) break;
    }
    for (const piece of missing) this.#lost.add(piece);
    return count;
  }

  /** Why a part of the file, `to` not included, is not what was written; `undefined` when the device gave all that was asked for. */
  lossIn(from: number, to: number): string | undefined {
    if (this.#lost.size === 0) return undefined;
    const first = [...this.#lost].sort((a, b) => a - b).find((piece) => (piece + 1) * PIECE_BYTES > from && piece * PIECE_BYTES < to);
    if (first === undefined) return undefined;
    let last = first;
    while (this.#lost.has(last + 1)) last += 1;
    return deviceProblem(first * PIECE_BYTES, (last + 1) * PIECE_BYTES);
  }

  /**
   * Reads pieces into their places. Returns those that did not come. Once patience is over, those after a failed one are not all asked
   * for: one is left out after the second failure in a row, three after the third, seven after the fourth, and so on. So a device that
   * gives nothing is asked some ten times for a window, and a damaged place takes at most as much with it as it is long.
   */
  async #readPieces(into: Uint8Array, position: number, pieces: readonly number[]): Promise<readonly number[]> {
    const missing: number[] = [];
    let step = 1;
    for (let place = 0; place < pieces.length; ) {
      const from = Math.max(pieces[place]! * PIECE_BYTES, position);
      const part = into.subarray(from - position, (pieces[place]! + 1) * PIECE_BYTES - position);
      const wasOver = this.#patience.isOver();
      try {
        await readFully(this.#file, part, from);
        step = 1;
        place += 1;
      } catch (error) {
        if (!isDeviceError(error)) throw error;
        part.fill(0);
        missing.push(...pieces.slice(place, place + step));
        place += step;
        if (wasOver) step *= 2;
      }
    }
    return missing;
  }
}

/** What is said of bytes that a device does not give, `to` not included. */
export function deviceProblem(from: number, to: number): string {
  return `the device does not read bytes ${from} to ${to - 1} (EIO)`;
}

/** Numbers of the pieces that a part of a file lies in. */
function piecesOf(from: number, to: number): number[] {
  const first = Math.floor(from / PIECE_BYTES);
  return Array.from({ length: Math.max(0, Math.ceil(to / PIECE_BYTES) - first) }, (_, index) => first + index);
}
