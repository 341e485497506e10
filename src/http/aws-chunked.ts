/**
 * Decodes bodies in the `aws-chunked` encoding: signed chunks, signed chunks with a trailer, and unsigned chunks with
 * a trailer.
 *
 * A signed chunk is handed on only after its signature was verified. What is longer or shorter than
 * `x-amz-decoded-content-length` says is refused, and so is a trailer that was not announced. Untrusted bytes.
 *
 * Source: S3 API Reference, "Transferring Payload in Multiple Chunks (Chunked Upload)".
 */
import { createHash } from 'node:crypto';
import { ApiError } from '../api/api-error.ts';
import { EMPTY_SHA256 } from './canonical-request.ts';
import type { VerifyChunks } from './chunk-chain.ts';
import type { ByteBudget } from './limits.ts';
import { NoRoomForBody } from './read-body.ts';
import { SignatureRefusal } from './signature-refusal.ts';

/** A signed chunk waits in memory for its signature; clients send 64 KiB to 1 MiB. */
const SIGNED_CHUNK_BYTES_MAX = 8 * 1024 * 1024;
/** A chunk's first line: size, and a signature. */
const LINE_BYTES_MAX = 256;
const TRAILER_BYTES_MAX = 4_096;

export interface ChunkedOptions {
  /** Verifies each chunk; absent for unsigned chunks. */
  readonly chain?: VerifyChunks;
  readonly hasTrailer: boolean;
  /** `x-amz-decoded-content-length`. */
  readonly decodedLength: number;
  /** Lower-case names that `x-amz-trailer` announces. */
  readonly trailerNames: readonly string[];
  /** Where the memory for signed chunks is counted. */
  readonly budget: ByteBudget;
}

/**
 * Yields the body's own bytes.
 *
 * @param trailers Is given the trailing headers, lower-case names, when the body has been read to its end.
 * @throws SignatureRefusal `wrong-signature` at the first chunk that was not signed in this place of the chain.
 * @throws ApiError IncompleteBody, InvalidChunkSizeError, MalformedTrailerError
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Uint8Array>,
  options: ChunkedOptions,
  trailers: Map<string, string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new ByteReader(source);
  const { chain, decodedLength } = options;
  let total = 0;
  for (;;) {
    const { size, signature } = parseChunkHead(await reader.line(LINE_BYTES_MAX), chain !== undefined);
    total += size;
    if (total > decodedLength) throw incomplete(`the chunks hold more than the ${decodedLength} bytes announced`);
    if (size === 0) {
      if (chain !== undefined && !chain.verifyChunk(EMPTY_SHA256, signature)) throw wrongChunk();
      break;
    }
    if (chain === undefined) yield* reader.take(size);
    else {
      if (size > SIGNED_CHUNK_BYTES_MAX)
        throw new ApiError('InvalidChunkSizeError', `a signed chunk holds at most ${SIGNED_CHUNK_BYTES_MAX} bytes`, { status: 403 });
      yield* await holdChunk(reader, { size, signature, chain, budget: options.budget });
    }
    if ((await reader.line(0)) !== '') throw incomplete('a chunk is longer than it says');
  }
  if (total !== decodedLength) throw incomplete(`the chunks hold ${total} bytes, ${decodedLength} were announced`);
  if (options.hasTrailer) await readTrailer(reader, options, trailers);
  else if ((await reader.lineOrEnd(0)) !== '') throw incomplete('there are bytes after the last chunk');
  await reader.requireEnd();
}

/** The pieces of one signed chunk, once its signature was verified. */
async function holdChunk(
  reader: ByteReader,
  {
    size,
    signature,
    chain,
    budget,
  }: { readonly size: number; readonly signature: string; readonly chain: VerifyChunks; readonly budget: ByteBudget },
): Promise<readonly Uint8Array[]> {
  if (!budget.reserve(size)) throw new NoRoomForBody();
  try {
    const pieces: Uint8Array[] = [];
    const hash = createHash('sha256');
    for await (const piece of reader.take(size)) {
      hash.update(piece);
      pieces.push(piece);
    }
    if (!chain.verifyChunk(hash.digest('hex'), signature)) throw wrongChunk();
    return pieces;
  } finally {
    budget.release(size);
  }
}

async function readTrailer(reader: ByteReader, { chain, trailerNames }: ChunkedOptions, trailers: Map<string, string>): Promise<void> {
  let lines = '';
  let signature: string | undefined;
  for (;;) {
    const line = await reader.lineOrEnd(TRAILER_BYTES_MAX);
    if (line === '') break;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 1) throw malformedTrailer(`a line of the trailer has no colon`);
    if (name === 'x-amz-trailer-signature') signature = value;
    else if (!trailerNames.includes(name) || trailers.has(name))
      throw malformedTrailer(`the trailer \`${name}\` was not announced once in x-amz-trailer`);
    else {
      trailers.set(name, value);
      lines += `${name}:${value}\n`;
      if (lines.length > TRAILER_BYTES_MAX) throw malformedTrailer('the trailer is too long');
    }
  }
  const missing = trailerNames.find((name) => !trailers.has(name));
  if (missing !== undefined) throw malformedTrailer(`the trailer \`${missing}\` was announced and did not come`);
  if (chain !== undefined && (signature === undefined || !chain.verifyTrailer(lines, signature))) throw wrongChunk();
}

function parseChunkHead(line: string, isSigned: boolean): { readonly size: number; readonly signature: string } {
  const match = (isSigned ? /^([0-9a-fA-F]{1,10});chunk-signature=([0-9a-f]{64})$/ : /^([0-9a-fA-F]{1,10})$/).exec(line);
  if (match === null) throw incomplete('the first line of a chunk is malformed');
  return { size: Number.parseInt(match[1]!, 16), signature: match[2] ?? '' };
}

function incomplete(reason: string): ApiError {
  return new ApiError('IncompleteBody', `The request body terminated unexpectedly: ${reason}`, { status: 400 });
}

function malformedTrailer(reason: string): ApiError {
  return new ApiError('MalformedTrailerError', `The request contained trailing data that was not well-formed: ${reason}`, { status: 400 });
}

function wrongChunk(): SignatureRefusal {
  return new SignatureRefusal('wrong-signature', 'The signature of a chunk does not match the chunk in this place of the body.');
}

/** Reads lines and counted bytes off a stream of pieces. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** Bytes that came and were not read yet. */
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next line without its CR LF. @throws ApiError when it is longer than `bytesMax`, or the source ends. */
  async line(bytesMax: number): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end > bytesMax + 1 || (end < 0 && this.#rest.length > bytesMax + 1)) throw incomplete('a line is too long');
      if (end >= 0) {
        if (end === 0 || this.#rest[end - 1] !== 0x0d) throw incomplete('a line does not end in CR LF');
        const line = Buffer.from(this.#rest.buffer, this.#rest.byteOffset, end - 1).toString('latin1');
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (!(await this.#more())) throw incomplete('it ends within a line');
    }
  }

  /** As `line`; the end of the source counts as an empty line. */
  async lineOrEnd(bytesMax: number): Promise<string> {
    if (this.#rest.length === 0 && !(await this.#more())) return '';
    return this.line(bytesMax);
  }

  async *take(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = count;
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw incomplete('it ends within a chunk');
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async requireEnd(): Promise<void> {
    if (this.#rest.length > 0 || (await this.#more())) throw incomplete('there are bytes after its end');
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done) return false;
      if (next.value.length === 0) continue;
      this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
      return true;
    }
  }
}
