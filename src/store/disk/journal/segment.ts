/**
 * A segment: a run of neighbouring entries in one file. Log segments hold frames as they came, sealed ones compressed
 * blocks; the journal asks both the same questions.
 */
import type { JournalDamage, JournalEntry } from '../../journal.ts';
import type { SalvagedFile } from './salvaged-file.ts';
import type { FrameHole } from './scan-frames.ts';

export interface Segment {
  readonly first: number;
  /** Last sequence that lies, or must lie, in it. One before `first` when it is empty. */
  readonly last: number;
  /**
   * Reads entries from `from` on: at least one, at most `limit`, and no further once `bytesMax` bytes are reached.
   * @throws JournalDamaged when `from` itself cannot be read.
   */
  read(from: number, limit: number, bytesMax: number): Promise<readonly JournalEntry[]>;
  /** Reads everything. Returns what cannot be read, in order. */
  scrub(signal: AbortSignal | undefined): Promise<readonly JournalDamage[]>;
}

/** Damage of rows of a segment. */
export function damageOf(file: string, from: number, to: number, reason: string): JournalDamage {
  return { from: BigInt(from), to: BigInt(to), file, reason };
}

/** What the holes of a scanned log file are, in order. */
export function damagesOf(path: string, holes: readonly FrameHole[], file: SalvagedFile): JournalDamage[] {
  return holes.map(({ from, to, position }, index) => {
    const loss = file.lossIn(position, holes[index + 1]?.position ?? Number.POSITIVE_INFINITY);
    return damageOf(path, from, to, loss ?? `frames are damaged at byte ${position}`);
  });
}

/** The damage that covers a sequence. */
export function findDamage(damages: readonly JournalDamage[], sequence: number): JournalDamage | undefined {
  const wanted = BigInt(sequence);
  return damages.find(({ from, to }) => from <= wanted && wanted <= to);
}
