/**
 * Uncompresses a file that must be exactly one gzip member, within a limit.
 *
 * Bytes after the first member are what some readers decode and others pass over: `gunzip` and Athena see records there
 * that `aws cloudtrail validate-logs` never hashed (reliability.md T4). So a second member, trailing bytes and a wrong
 * checksum are all refused, and the output never grows beyond the limit, whatever the input claims.
 * Source: RFC 1952.
 */
import { crc32, inflateRawSync } from 'node:zlib';

export type Gunzipped =
  | { readonly kind: 'content'; readonly content: Uint8Array }
  /** The reason completes the sentence "the file …". */
  | { readonly kind: 'refused'; readonly reason: string };

const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const FLAG_HEADER_CRC = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;
const FLAGS_RESERVED = 0xe0;

/** @param bytesMax Most bytes of content; more is refused, before or as soon as it shows. */
export function gunzipOneMember(bytes: Uint8Array, bytesMax: number): Gunzipped {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const from = endOfHeader(file);
  if (from === undefined) return { kind: 'refused', reason: 'is not gzip' };
  if (file.length < from + TRAILER_BYTES) return { kind: 'refused', reason: 'ends before its gzip member does' };

  const inflated = inflate(file.subarray(from), bytesMax);
  if (typeof inflated === 'string') return { kind: 'refused', reason: inflated };
  const { content, readBytes } = inflated;

  const end = from + readBytes + TRAILER_BYTES;
  if (end > file.length) return { kind: 'refused', reason: 'ends before its gzip member does' };
  if (crc32(content) !== file.readUInt32LE(end - 8)) return { kind: 'refused', reason: 'has a wrong gzip checksum' };
  if (content.length !== file.readUInt32LE(end - 4)) return { kind: 'refused', reason: 'has a wrong gzip length' };
  if (end < file.length) {
    const rest = file.length - end;
    const what = endOfHeader(file.subarray(end)) === undefined ? `${rest} bytes` : `a second gzip member (${rest} bytes)`;
    return { kind: 'refused', reason: `has ${what} after its gzip member` };
  }
  return { kind: 'content', content };
}

/** The content and how many bytes of deflate it took; or why there is none. */
function inflate(file: Buffer, bytesMax: number): { readonly content: Uint8Array; readonly readBytes: number } | string {
  // The last four bytes claim the length. One buffer of that size saves the copying of many; the claim is not trusted.
  const claimed = file.readUInt32LE(file.length - 4);
  const chunkSize = Math.min(Math.max(claimed + 1, 1024), bytesMax + 1, 1 << 26);
  try {
    const { buffer, engine } = inflateRawSync(file, { info: true, maxOutputLength: bytesMax, chunkSize }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    return { content: buffer, readBytes: engine.bytesWritten };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') return `holds more than ${bytesMax} bytes`;
    if (code === 'Z_BUF_ERROR') return 'ends before its gzip member does';
    return 'is damaged gzip';
  }
}

/** Index after the header of a gzip member; `undefined` when there is none. */
function endOfHeader(file: Buffer): number | undefined {
  if (file.length < HEADER_BYTES || file[0] !== 0x1f || file[1] !== 0x8b || file[2] !== 8) return undefined;
  const flags = file[3]!;
  if ((flags & FLAGS_RESERVED) !== 0) return undefined;
  let at = HEADER_BYTES;
  if (flags & FLAG_EXTRA) {
    if (at + 2 > file.length) return undefined;
    at += 2 + file.readUInt16LE(at);
  }
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = file.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if (flags & FLAG_HEADER_CRC) at += 2;
  return at <= file.length ? at : undefined;
}
