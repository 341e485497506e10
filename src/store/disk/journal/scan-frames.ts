/**
 * Walks the frames of a log file from its first to its last, and finds the place after a damaged one where whole frames
 * go on.
 *
 * It reports what is there and decides nothing: whether a hole is damage or the torn end of a group that nobody was
 * promised is for `open-segments.ts` to say, by the marks.
 */
import { type ReadableFile, readFully } from '../files.ts';
import { checkFrame, type FoundFrame, FRAME_BYTES_MAX, mayBeginFrame } from './frame.ts';
import { PREAMBLE_BYTES } from './segment-name.ts';

const WINDOW_BYTES = 4 * 1_048_576;

export interface ScanOptions {
  readonly salt: number;
  readonly firstSequence: number;
  /** Where to stop; the file's size by default. */
  readonly endBytes?: number;
  /** Frames after this one do not belong to the segment: an append that was refused may have left them. */
  readonly lastSequence?: number;
}

/** Sequences that are missing or unreadable between frames that are whole. */
export interface FrameHole {
  readonly from: number;
  readonly to: number;
  /** Where in the file it begins. */
  readonly position: number;
  /** A mark or the segment after it shows that these entries had been durable. */
  isProven: boolean;
}

/** Whole entry frames in order. Valid until the next batch is asked for. */
export interface FrameBatch {
  readonly bytes: Buffer;
  /** Position in the file of `bytes[0]`. */
  readonly base: number;
  readonly frames: readonly FoundFrame[];
}

/** What was found; complete once the scan has ended. */
export interface ScanSummary {
  readonly holes: FrameHole[];
  /** Position after the last whole frame, be it an entry or a mark. */
  end: number;
  /** Position after the last whole entry. */
  entriesEnd: number;
  /** Last sequence that is there, or that a mark vouches for; one before the first when there is none. */
  last: number;
  /** Highest sequence that a mark vouches for. */
  durable: number;
  /** Position of the last mark; recovery writes again what comes after it. */
  lastMarkAt: number;
  sizeBytes: number;
}

export function newScanSummary(firstSequence: number): ScanSummary {
  const end = PREAMBLE_BYTES;
  return { holes: [], end, entriesEnd: end, last: firstSequence - 1, durable: firstSequence - 1, lastMarkAt: end, sizeBytes: 0 };
}

/** Scans a file; `summary` is filled in on the way. Reads in windows of 4 MiB. */
export async function* scanFrames(
  file: ReadableFile,
  options: ScanOptions,
  summary: ScanSummary,
): AsyncGenerator<FrameBatch, void, undefined> {
  const { salt, lastSequence = Number.POSITIVE_INFINITY } = options;
  const sizeBytes = Math.min(options.endBytes ?? Number.POSITIVE_INFINITY, await file.sizeBytes());
  summary.sizeBytes = sizeBytes;
  let base = PREAMBLE_BYTES;
  /** Where a hole begins whose other side is not found yet. */
  let holeAt: number | undefined;
  let isPastLast = false;
  while (base < sizeBytes && !isPastLast) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, sizeBytes - base));
    const end = await readFully(file, bytes, base);
    const isLast = base + end >= sizeBytes || end < bytes.length;
    const frames: FoundFrame[] = [];
    let at = 0;
    while (at < end) {
      // The last frame of a window may be cut by it: the next window begins there.
      if (!isLast && end - at < FRAME_BYTES_MAX && at > 0) break;
      const frame = holeAt === undefined || mayBeginFrame(bytes, at, end, summary.last) ? checkFrame(bytes, at, end, salt) : undefined;
      const isNext = frame !== undefined && (frame.isMark ? frame.sequence >= summary.last : frame.sequence > summary.last);
      if (!isNext) {
        holeAt ??= base + at;
        at += 1;
        continue;
      }
      if (frame.sequence > lastSequence) {
        isPastLast = true;
        break;
      }
      const reaches = frame.isMark ? frame.sequence : frame.sequence - 1;
      if (reaches > summary.last)
        summary.holes.push({ from: summary.last + 1, to: reaches, position: holeAt ?? base + at, isProven: false });
      holeAt = undefined;
      summary.last = frame.sequence;
      if (frame.isMark) {
        vouch(summary, frame.sequence);
        summary.lastMarkAt = base + at;
      } else {
        frames.push(frame);
        summary.entriesEnd = base + at + frame.length;
      }
      at += frame.length;
      summary.end = base + at;
    }
    if (frames.length > 0) yield { bytes, base, frames };
    if (isLast) return;
    base += at;
  }
}

/** The file must hold everything up to `last`: what is missing at its end is a hole, and every hole is damage. */
export function closeEnd(summary: ScanSummary, last: number): void {
  if (summary.last < last) summary.holes.push({ from: summary.last + 1, to: last, position: summary.end, isProven: true });
  summary.last = last;
  vouch(summary, last);
}

/** Everything up to `sequence` had been durable: what is missing of it is damage. */
function vouch(summary: ScanSummary, sequence: number): void {
  summary.durable = Math.max(summary.durable, sequence);
  for (const hole of summary.holes) if (hole.from <= sequence) hole.isProven = true;
}
