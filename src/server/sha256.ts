/**
 * SHA-256 as the engines take it: bytes in, 32 bytes out.
 */
import { createHash, hash } from 'node:crypto';

/** One call into OpenSSL where Node has it (20.12 and later), two otherwise. */
export const hashSha256: (bytes: Uint8Array) => Uint8Array =
  typeof hash === 'function' ? (bytes) => hash('sha256', bytes, 'buffer') : (bytes) => createHash('sha256').update(bytes).digest();
