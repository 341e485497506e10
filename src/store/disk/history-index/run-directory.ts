/**
 * The directory of a run: what is held in memory of it, and how that lies in its file.
 *
 * A run is two files: `NAME.data`, synced first, and `NAME.dir`, renamed into place when the data is durable. A run
 * without its directory does not exist. The directory carries a CRC-32 of itself and one of each page of the data, so
 * that no damaged byte is ever answered from.
 *
 * Layout: `docs/formats/history.md`.
 */
import { crc32 } from 'node:zlib';
import type { AccountId, Region } from '../../../event/types.ts';
import type { HistoryScope } from '../../history-index.ts';

/** Bytes of a page of the data file: the unit of reading, caching and checking. */
export const PAGE_BYTES = 16_384;
/** Rows of a row block. */
export const BLOCK_ROWS = 256;
/** Rows between two skip entries of a posting list. */
export const SKIP_ROWS = 128;
/** Buckets of the term tables: the upper 16 bits of a hash. */
export const BUCKETS = 65_536;
const MAGIC = 'SNOWHIS1';

/** The rows of one scope: contiguous, by (time, sequence). */
export interface RunScope {
  readonly scope: HistoryScope;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

export interface RunDirectory {
  /** The run holds the rows of the journal range (`after`, `to`]. */
  readonly after: number;
  readonly to: number;
  /** `TermHasher.keyCheck` of the key that the terms were hashed with. */
  readonly keyCheck: string;
  readonly rowCount: number;
  readonly dataBytes: number;
  /** Where postings, terms with one row and terms with more begin in the data; row blocks begin at 0. */
  readonly postingsAt: number;
  readonly singlesAt: number;
  readonly manysAt: number;
  /** By scope key. */
  readonly scopes: readonly RunScope[];
  /** Offset of each row block. */
  readonly blockOffsets: Uint32Array;
  /** Time of each block's first row. */
  readonly blockTimes: Float64Array;
  /** For each bucket the index of its first entry, and one more for the end. */
  readonly singleBuckets: Uint32Array;
  readonly manyBuckets: Uint32Array;
  /** CRC-32 of each page of the data. */
  readonly pageCrcs: Uint32Array;
}

/** A part of a run cannot be used: it was cut, changed, or cannot be read. */
export class RunDamaged extends Error {
  override readonly name = 'RunDamaged';
  readonly run: string;
  readonly reason: string;

  constructor(run: string, reason: string, options?: { cause?: unknown }) {
    super(`history run \`${run}\` is damaged: ${reason}`, options);
    this.run = run;
    this.reason = reason;
  }
}

/** `run-AFTER-TO`: the range of the journal in 16 digits each, so that names sort by it. */
export function runName(after: number, to: number): string {
  return `run-${String(after).padStart(16, '0')}-${String(to).padStart(16, '0')}`;
}

/** Bytes of a row number in the table of terms with one row. */
export function rowBytes(rowCount: number): 2 | 3 {
  return rowCount <= 65_536 ? 2 : 3;
}

export function encodeRunDirectory(directory: RunDirectory): Uint8Array {
  const header = Buffer.from(
    JSON.stringify({
      after: directory.after,
      to: directory.to,
      keyCheck: directory.keyCheck,
      rowCount: directory.rowCount,
      dataBytes: directory.dataBytes,
      postingsAt: directory.postingsAt,
      singlesAt: directory.singlesAt,
      manysAt: directory.manysAt,
      scopes: directory.scopes.map(({ scope, firstRow, rowCount, minTimeMs, maxTimeMs }) => [
        scope.account,
        scope.region,
        scope.category,
        firstRow,
        rowCount,
        minTimeMs,
        maxTimeMs,
      ]),
      blocks: directory.blockOffsets.length,
      pages: directory.pageCrcs.length,
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const body = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    length,
    header,
    bytesOf(directory.blockOffsets),
    bytesOf(directory.blockTimes),
    bytesOf(directory.pageCrcs),
    encodeCounts(directory.singleBuckets),
    encodeCounts(directory.manyBuckets),
  ]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(body));
  return Buffer.concat([body, crc]);
}

/** @throws RunDamaged when the bytes are not a directory that was written here. */
export function decodeRunDirectory(name: string, bytes: Uint8Array): RunDirectory {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 16 || buffer.toString('latin1', 0, 8) !== MAGIC) throw new RunDamaged(name, 'its directory has no known beginning');
  if (crc32(buffer.subarray(0, -4)) !== buffer.readUInt32LE(buffer.length - 4))
    throw new RunDamaged(name, 'its directory fails its CRC-32');
  const headerEnd = 12 + buffer.readUInt32LE(8);
  const header = JSON.parse(buffer.toString('utf8', 12, headerEnd));
  const take = (at: number, length: number): ArrayBuffer => Uint8Array.prototype.slice.call(buffer, at, at + length).buffer as ArrayBuffer;
  const timesAt = headerEnd + header.blocks * 4;
  const crcsAt = timesAt + header.blocks * 8;
  const bucketsAt = crcsAt + header.pages * 4;
  const singles = decodeCounts(buffer, bucketsAt);
  const manys = decodeCounts(buffer, singles.end);
  return {
    after: header.after,
    to: header.to,
    keyCheck: header.keyCheck,
    rowCount: header.rowCount,
    dataBytes: header.dataBytes,
    postingsAt: header.postingsAt,
    singlesAt: header.singlesAt,
    manysAt: header.manysAt,
    scopes: header.scopes.map((scope: [AccountId, Region, HistoryScope['category'], number, number, number, number]) => ({
      scope: { account: scope[0], region: scope[1], category: scope[2] },
      firstRow: scope[3],
      rowCount: scope[4],
      minTimeMs: scope[5],
      maxTimeMs: scope[6],
    })),
    blockOffsets: new Uint32Array(take(headerEnd, header.blocks * 4)),
    blockTimes: new Float64Array(take(timesAt, header.blocks * 8)),
    pageCrcs: new Uint32Array(take(crcsAt, header.pages * 4)),
    singleBuckets: singles.starts,
    manyBuckets: manys.starts,
  };
}

function bytesOf(array: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Bucket starts as one varint count for each bucket: most are below 128. */
function encodeCounts(starts: Uint32Array): Uint8Array {
  const out = new Uint8Array(BUCKETS * 5);
  let at = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    let count = starts[bucket + 1]! - starts[bucket]!;
    while (count >= 0x80) {
      out[at++] = (count & 0x7f) | 0x80;
      count >>>= 7;
    }
    out[at++] = count;
  }
  return out.subarray(0, at);
}

function decodeCounts(bytes: Uint8Array, from: number): { starts: Uint32Array; end: number } {
  const starts = new Uint32Array(BUCKETS + 1);
  let at = from;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    let count = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[at++]!;
      count |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    starts[bucket + 1] = starts[bucket]! + count;
  }
  return { starts, end: at };
}
