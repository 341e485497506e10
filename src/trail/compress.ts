/**
 * Compresses log files and digests: gzip, one member, the same bytes for the same content.
 *
 * A repeat after a crash must write the same object again, so nothing of the time or the machine may be in it: no
 * time, no file name, no flags, and the byte that tells the operating system says "unknown" (RFC 1952 §2.3.1).
 * Level 6, as measured in DESIGN §8. The bytes also depend on the zlib that Node was built with.
 */

import { promisify } from 'node:util';
import { gzipSync, gzip as gzipWithCallback } from 'node:zlib';

const OPTIONS = { level: 6 } as const;
/** Position of the operating system's byte in the header. */
const SYSTEM_AT = 9;
const SYSTEM_UNKNOWN = 255;
/** Smaller contents are compressed where they are: handing them to a thread takes longer. */
const INLINE_BYTES_MAX = 16 * 1024;

const gzipOffThread = promisify<Uint8Array, typeof OPTIONS, Buffer>(gzipWithCallback);

/** Compresses off the main thread, on zlib's own threads; small contents at once. */
export async function gzip(content: Uint8Array): Promise<Uint8Array> {
  return content.length <= INLINE_BYTES_MAX ? gzipInline(content) : withoutSystem(await gzipOffThread(content, OPTIONS));
}

/** Compresses on the calling thread: for the simulation, where nothing may happen beside. */
export async function gzipInline(content: Uint8Array): Promise<Uint8Array> {
  return withoutSystem(gzipSync(content, OPTIONS));
}

function withoutSystem(member: Buffer): Uint8Array {
  member[SYSTEM_AT] = SYSTEM_UNKNOWN;
  return member;
}
