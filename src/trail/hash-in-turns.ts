/**
 * SHA-256 of a content that may be large, without keeping requests waiting meanwhile.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** Hashed in one go: one to five milliseconds, with the instructions of the processor or without. */
const TURN_BYTES = 2 * 1024 * 1024;

/** @returns the hash, 32 bytes. The content must not change before. */
export async function hashInTurns(content: Uint8Array): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for (let at = 0; at < content.length; at += TURN_BYTES) {
    if (at > 0) await setImmediate();
    hash.update(content.subarray(at, at + TURN_BYTES));
  }
  return hash.digest();
}
