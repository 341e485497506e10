/**
 * Where a page of history begins, as its token says it. It names no run of the index, so merges don't break it.
 */
import type { HistoryPosition } from '../store/history-index.ts';

/** What a token says. */
export interface PagePlace {
  /** The last row that was looked at. */
  readonly after: HistoryPosition;
  /** Newest sequence when page 1 was made: what came in later doesn't slip into later pages. */
  readonly sequenceMax: bigint;
}

/** As text, to be sealed. */
export function writePlace({ after, sequenceMax }: PagePlace): string {
  return [after.timeMs, after.sequence, sequenceMax].join(' ');
}

/** @param text Of `writePlace`: it was sealed. */
export function readPlace(text: string): PagePlace {
  const [timeMs, sequence, sequenceMax] = text.split(' ') as [string, string, string];
  return { after: { timeMs: Number(timeMs), sequence: BigInt(sequence) }, sequenceMax: BigInt(sequenceMax) };
}
