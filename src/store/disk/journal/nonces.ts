/**
 * Nonces of entries, made from a key and the sequence: so that a sealed segment keeps one key in the place of 16 random
 * bytes for each entry, which nothing compresses.
 *
 * A nonce keeps the leaf of the evidence tree from telling the bytes to who can guess them. Proofs show nonces of single
 * entries, and those must say nothing of the others: each is a block of AES-256 under the key, counted by the sequence.
 * To erase an event for good, its segment is written anew without the key, the other nonces stored (docs/decisions/0009).
 * A process uses a key of its own, so the same sequence never gets the same nonce again after a backup was restored.
 */
import { createCipheriv } from 'node:crypto';
import { NONCE_BYTES } from './frame.ts';

/** A random number of 32 bytes. Whoever knows it knows the nonces: it is kept where the entries are, and shown nowhere. */
export const NONCE_KEY_BYTES = 32;

/** Nonces of `count` entries from `sequence` on, one after the other. */
export function deriveNonces(key: Uint8Array, sequence: number, count: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.writeUIntBE(sequence, 10, 6);
  return createCipheriv('aes-256-ctr', key, counter).update(Buffer.alloc(count * NONCE_BYTES));
}
