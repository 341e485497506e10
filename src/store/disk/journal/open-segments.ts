/**
 * Finds the segments of a journal's folder at a start, and brings the last one back to what was durable.
 *
 * May be killed at any call and run again: it only ever cuts off what nobody was promised, and removes files that
 * another one stands for.
 *
 * What decides between a torn end and damage are the marks. In the last log file:
 * - a bad frame that a later mark vouches for had been durable: damage, kept and reported, never cut.
 * - a bad frame that no mark vouches for belongs to the group whose sync never returned. It and all after it is cut,
 *   also where whole frames follow: a power cut may keep the end of a group and lose its middle.
 * - whole frames after the last mark stay, although nobody was told: they are written again and synced first, because
 *   after a failed sync the page cache shows what the disk does not have.
 * - what the device does not read (EIO) counts as bad frames where a mark after it vouches for them. Elsewhere nobody can say
 *   whether it was promised: the journal is not opened, and nothing is cut.
 */
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { JournalDamage } from '../../journal.ts';
import { type Files, type OpenFile, readFully, writeFully } from '../files.ts';
import { encodeMark, frameIdentity } from './frame.ts';
import { fingerprint } from './id-fingerprint.ts';
import { LogSegment } from './log-segment.ts';
import { Patience, SalvagedFile } from './salvaged-file.ts';
import { closeEnd, newScanSummary, type ScanSummary, scanFrames } from './scan-frames.ts';
import { openSealedSegment, type SealedSegment, type SealedSegmentOptions } from './sealed-segment.ts';
import { damageOf, damagesOf } from './segment.ts';
import { IdColumns } from './segment-index.ts';
import {
  encodePreamble,
  PREAMBLE_BYTES,
  parseSegmentFileName,
  readPreamble,
  type SegmentFileKind,
  segmentFileName,
} from './segment-name.ts';
import type { SegmentReader } from './segment-reader.ts';

export interface OpenedSegments {
  /** Number that every CRC starts from; `undefined` when the journal is new. */
  readonly salt: number | undefined;
  /** By sequence, without overlap. The last one is the active log file, where there is one. */
  readonly segments: readonly (LogSegment | SealedSegment)[];
  readonly active: LogSegment | undefined;
  /** Ids of the log files, by sequence. */
  readonly recentIds: readonly { readonly high: number; readonly low: number; readonly sequence: number }[];
  readonly damages: readonly JournalDamage[];
  /** Sequence of the last entry. */
  readonly last: number;
}

interface SealedContext extends Pick<SealedSegmentOptions, 'files' | 'clock' | 'pool' | 'reader' | 'cache' | 'pages' | 'folder'> {
  /** What log files are given to read single entries with. */
  readonly thread: SegmentReader | undefined;
}

/** Opens all segments. @throws JournalTooNew, JournalEndUnreadable, or the system's error */
export async function openSegments(context: SealedContext): Promise<OpenedSegments> {
  const found = await findSegmentFiles(context);
  const patience = new Patience(context.clock);
  const segments: (LogSegment | SealedSegment)[] = [];
  const recentIds: { high: number; low: number; sequence: number }[] = [];
  const damages: JournalDamage[] = [];
  let last = 0;
  for (const [place, { first, kinds }] of found.segments.entries()) {
    if (first > last + 1) damages.push(damageOf(context.folder, last + 1, first - 1, 'a segment is missing'));
    const next = found.segments[place + 1]?.first;
    const options = { ...context, first, salt: found.salt!, ...(next === undefined ? {} : { last: next - 1 }) };
    const log = kinds.has('log') ? await openLog(options, patience) : undefined;
    const isLogBest = log !== undefined && (!log.segment.isDamaged || !kinds.has('sealed'));
    const sealed = isLogBest ? undefined : await openSealedSegment(options, patience);
    // A log file is removed for a sealed one of which each block was read: its index says nothing of them.
    if (log !== undefined && (sealed === undefined || (await sealed.scrub(undefined)).length > 0)) {
      // The log file is what sealing begins with: what came out of it, whole or not, is made again.
      if (!log.segment.isDamaged) await removeFiles(context, first, found.salt!, ['sealed', 'index'], kinds);
      segments.push(log.segment);
      damages.push(...log.damages);
      // One by one: there may be more of them than a call can have arguments.
      for (const id of log.ids) recentIds.push(id);
      last = log.segment.last;
      continue;
    }
    if (log !== undefined) await log.segment.retire();
    await removeFiles(context, first, found.salt!, ['log'], kinds);
    segments.push(sealed!);
    damages.push(...sealed!.damages);
    last = sealed!.last;
  }
  const active = segments.at(-1);
  return { salt: found.salt, segments, active: active instanceof LogSegment ? active : undefined, recentIds, damages, last };
}

interface SegmentFiles {
  readonly first: number;
  readonly kinds: Set<SegmentFileKind>;
}

/** Groups the folder's files by segment, and removes what was being written when the process ended. */
async function findSegmentFiles(
  context: SealedContext,
): Promise<{ readonly salt: number | undefined; readonly segments: readonly SegmentFiles[] }> {
  const { files, folder } = context;
  const segments = new Map<number, SegmentFiles>();
  let salt: number | undefined;
  for (const name of await files.list(folder)) {
    const parsed = parseSegmentFileName(name);
    if (parsed === undefined) continue;
    if (parsed.isTemporary) {
      await files.remove(join(folder, name));
      continue;
    }
    if (salt !== undefined && salt !== parsed.salt)
      throw new Error(`\`${folder}\` holds files of two journals: \`${name}\` does not belong to the ones before it; move one set away`);
    salt = parsed.salt;
    const segment = segments.get(parsed.first) ?? { first: parsed.first, kinds: new Set() };
    segment.kinds.add(parsed.kind);
    segments.set(parsed.first, segment);
  }
  return { salt, segments: [...segments.values()].sort((a, b) => a.first - b.first) };
}

async function removeFiles(
  context: SealedContext,
  first: number,
  salt: number,
  wanted: readonly SegmentFileKind[],
  kinds: ReadonlySet<SegmentFileKind>,
): Promise<void> {
  const present = wanted.filter((kind) => kinds.has(kind));
  for (const kind of present) await context.files.remove(join(context.folder, segmentFileName({ first, salt, kind })));
  if (present.length > 0) await context.files.syncFolder(context.folder);
}

interface OpenedLog {
  readonly segment: LogSegment;
  readonly ids: OpenedSegments['recentIds'];
  readonly damages: readonly JournalDamage[];
}

interface LogOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly thread: SegmentReader | undefined;
  readonly folder: string;
  readonly first: number;
  readonly salt: number;
  /** Where the next segment begins, less one; absent for the last log file, whose end may be torn. */
  readonly last?: number;
}

/** The device does not read the end of the last log file, where acknowledged entries and a torn end cannot be told apart. */
class JournalEndUnreadable extends Error {
  override readonly name = 'JournalEndUnreadable';
}

async function openLog(options: LogOptions, patience: Patience): Promise<OpenedLog> {
  const { files, clock, folder, first, salt } = options;
  const path = join(folder, segmentFileName({ first, salt, kind: 'log' }));
  const file = await files.open(path, 'write');
  const salvaged = new SalvagedFile(file, patience);
  const isBegun = (await readPreamble(salvaged, 'log', path)) || salvaged.lossIn(0, PREAMBLE_BYTES) !== undefined;
  const positions: number[] = [];
  const ids = new IdColumns();
  const summary = newScanSummary(first);
  const scan = scanFrames(
    salvaged,
    { salt, firstSequence: first, ...(options.last === undefined ? {} : { lastSequence: options.last }) },
    summary,
  );
  for await (const { bytes, base, frames } of scan) {
    for (const { at, sequence } of frames) {
      while (positions.length < sequence - first) positions.push(0);
      positions.push(base + at);
      const { kind, account, id } = frameIdentity(bytes, at);
      ids.add(fingerprint(salt, kind, account, id), sequence - first);
    }
  }
  if (options.last === undefined) {
    const loss = salvaged.lossIn(summary.lastMarkAt, Number.POSITIVE_INFINITY);
    if (loss !== undefined) {
      await file.close();
      throw endUnreadable(path, loss, summary.durable);
    }
    await mendEnd(file, salt, summary, isBegun);
  } else {
    // The next one is begun when this one is complete.
    closeEnd(summary, options.last);
  }

  const count = Math.max(0, summary.last - first + 1);
  positions.length = Math.min(positions.length, count);
  while (positions.length < count) positions.push(0);
  const damages = damagesOf(path, summary.holes, salvaged);
  const segment = new LogSegment({ first, path, file, salt, clock, reader: options.thread });
  segment.load(positions, summary.entriesEnd, damages);
  return {
    segment,
    ids: [...ids.inOrder()].filter(({ row }) => row < count).map(({ high, low, row }) => ({ high, low, sequence: first + row })),
    damages,
  };
}

function endUnreadable(path: string, loss: string, durable: number): JournalEndUnreadable {
  return new JournalEndUnreadable(
    `\`${path}\`: ${loss}. Entries up to ${durable} are known to have been acknowledged, and what comes after them may be, too: nothing is cut ` +
      'off, and the server does not start. Copy the whole data directory to a disk that works, with the newest whole copy of this file in its ' +
      'place, and start there; keep the old disk until `snowtrail doctor` finds nothing',
  );
}

/** The last log file: cuts the torn end, and makes durable what stays. */
async function mendEnd(file: OpenFile, salt: number, summary: ScanSummary, isBegun: boolean): Promise<void> {
  const torn = summary.holes.findIndex((hole) => !hole.isProven);
  let cutAt = summary.end;
  if (torn !== -1) {
    const hole = summary.holes[torn]!;
    cutAt = hole.position;
    summary.last = hole.from - 1;
    summary.entriesEnd = Math.min(summary.entriesEnd, cutAt);
    summary.holes.splice(torn);
  }
  if (cutAt < summary.sizeBytes) await file.truncate(cutAt);
  if (!isBegun) await writeFully(file, [encodePreamble('log')], 0);
  await writeAgain(file, Math.min(summary.lastMarkAt, cutAt), cutAt);
  await file.datasync();
  // From here on all of it is durable, and says so.
  await writeFully(file, [encodeMark(salt, summary.last)], summary.entriesEnd);
}

/** Makes the system write a part of a file once more, whatever it believes to have written. */
async function writeAgain(file: OpenFile, from: number, to: number): Promise<void> {
  if (from >= to) return;
  const bytes = Buffer.allocUnsafeSlow(to - from);
  const count = await readFully(file, bytes, from);
  await writeFully(file, [bytes.subarray(0, count)], from);
}
