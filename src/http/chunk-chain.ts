/**
 * The chain of signatures over the chunks of a streamed body: each covers the one before.
 *
 * Source: S3 API Reference, "Transferring Payload in Multiple Chunks (Chunked Upload)" and "… with trailing headers".
 */
import { timingSafeEqual } from 'node:crypto';
import { EMPTY_SHA256, type Scope, scopeText, sha256Hex } from './canonical-request.ts';
import { hmac } from './signing-keys.ts';

/** Says whether chunks and trailer were signed in their places. */
export type VerifyChunks = Pick<ChunkChain, 'verifyChunk' | 'verifyTrailer'>;

export class ChunkChain {
  readonly #key: Uint8Array;
  readonly #head: string;
  /** Signature of the last chunk signed or verified; first, the one of the request. */
  #previous: string;

  constructor(signing: {
    readonly signingKey: Uint8Array;
    readonly amzDate: string;
    readonly scope: Scope;
    readonly seedSignature: string;
  }) {
    this.#key = signing.signingKey;
    this.#head = `${signing.amzDate}\n${scopeText(signing.scope)}`;
    this.#previous = signing.seedSignature;
  }

  /** Signs the next chunk. @param sha256 Hexadecimal hash of its bytes; of no bytes for the last one. */
  signChunk(sha256: string): string {
    this.#previous = this.#sign(`AWS4-HMAC-SHA256-PAYLOAD\n${this.#head}\n${this.#previous}\n${EMPTY_SHA256}\n${sha256}`);
    return this.#previous;
  }

  /** Signs the trailer. @param lines Its headers, `name:value` with a line feed after each. */
  signTrailer(lines: string): string {
    this.#previous = this.#sign(`AWS4-HMAC-SHA256-TRAILER\n${this.#head}\n${this.#previous}\n${sha256Hex(lines)}`);
    return this.#previous;
  }

  /** Whether `signature` is the one that comes next in the chain; the chain then goes on from it. */
  verifyChunk(sha256: string, signature: string): boolean {
    return isSame(this.signChunk(sha256), signature);
  }

  verifyTrailer(lines: string, signature: string): boolean {
    return isSame(this.signTrailer(lines), signature);
  }

  #sign(text: string): string {
    return hmac(this.#key, text).toString('hex');
  }
}

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected, 'latin1'), Buffer.from(given, 'latin1')];
  return a.length === b.length && timingSafeEqual(a, b);
}
