/**
 * Takes in the body of a request: within a size, within a time, and within the memory that all bodies share.
 *
 * Untrusted bytes. What is declared is not believed: bytes are counted as they come. A sender who stalls is cut off,
 * however little it still owes (F52); a compressed body is bounded by what comes out of it (A59).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { createGunzip, gunzip } from 'node:zlib';
import { ApiError } from '../api/api-error.ts';
import type { ByteBudget, HttpLimits } from './limits.ts';

/** Where bodies are read from, and what they may take. */
export interface BodySource {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client waits for `100 Continue` before it sends. */
  readonly expectsContinue: boolean;
  readonly limits: HttpLimits;
  readonly budget: ByteBudget;
}

/** Requests whose clients waited for `100 Continue` and got it. */
const invited = new WeakSet<IncomingMessage>();

/** The body is longer than this route takes. */
class BodyTooLarge extends ApiError {
  constructor(bytesMax: number) {
    super('RequestEntityTooLargeException', `the request body is longer than ${bytesMax} bytes`, { status: 413 });
  }
}

/** There is no memory for this body now; the client backs off and repeats. */
export class NoRoomForBody extends ApiError {
  constructor() {
    super('ThrottlingException', 'the server holds as many request bodies as it may; send this request again', { status: 503 });
  }
}

/** `Content-Length`; `undefined` when the body comes in chunks of unknown number. */
export function declaredLength(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  if (text !== undefined) return Number(text);
  return request.headers['transfer-encoding'] === undefined ? 0 : undefined;
}

/**
 * The body piece by piece, as it comes.
 * @throws BodyTooLarge, or ApiError RequestTimeout when the sender stalls, IncompleteBody when it goes away.
 */
export async function* streamBody(source: BodySource, bytesMax: number): AsyncGenerator<Buffer, void, undefined> {
  const { request, response, limits } = source;
  const declared = declaredLength(request);
  if (declared !== undefined && declared > bytesMax) throw new BodyTooLarge(bytesMax);
  if (source.expectsContinue && !invited.has(request)) {
    invited.add(request);
    response.writeContinue();
  }

  let received = 0;
  let receivedBefore = 0;
  let isStalled = false;
  const spanBytes = declared !== undefined && declared <= limits.controlBodyBytes ? Number.POSITIVE_INFINITY : limits.bodyProgressBytes;
  const watch = setInterval(() => {
    isStalled = received - receivedBefore < spanBytes && request.readableLength === 0;
    receivedBefore = received;
    if (isStalled) request.destroy();
  }, limits.bodyTimeoutMs);
  try {
    // An early end leaves the connection as it is, so that the refusal can still be sent.
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      received += piece.length;
      if (received > bytesMax) throw new BodyTooLarge(bytesMax);
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    if (isStalled)
      throw new ApiError(
        'RequestTimeout',
        'Your socket connection to the server was not read from or written to within the timeout period.',
        { status: 400, cause },
      );
    throw new ApiError('IncompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header', {
      status: 400,
      cause,
    });
  } finally {
    clearInterval(watch);
  }
}

/** A body in memory; `release` gives its room back, also when nothing else went well. */
export interface HeldBody {
  readonly bytes: Buffer;
  release(): void;
}

/**
 * The whole body, as it was on the wire.
 * @throws BodyTooLarge, NoRoomForBody, and as `streamBody`.
 */
export async function holdBody(source: BodySource, bytesMax: number): Promise<HeldBody> {
  const declared = declaredLength(source.request);
  if (declared !== undefined && declared > bytesMax) throw new BodyTooLarge(bytesMax);
  let reserved = 0;
  const reserve = (bytes: number): void => {
    if (!source.budget.reserve(bytes)) throw new NoRoomForBody();
    reserved += bytes;
  };
  const release = (): void => {
    source.budget.release(reserved);
    reserved = 0;
  };
  try {
    reserve(declared ?? 0);
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of streamBody(source, bytesMax)) {
      length += piece.length;
      if (length > reserved) reserve(length - reserved);
      pieces.push(piece);
    }
    return { bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** The coding of a body besides `aws-chunked`. @throws ApiError 415 for any but gzip. */
export function contentCoding(header: string | undefined): 'gzip' | undefined {
  const codings = (header ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked' && coding !== 'identity');
  if (codings.length === 0) return undefined;
  if (codings.length === 1 && (codings[0] === 'gzip' || codings[0] === 'x-gzip')) return 'gzip';
  throw new ApiError('UnsupportedMediaTypeException', `content-encoding is \`${header}\`; send gzip, or nothing encoded`, { status: 415 });
}

const gunzipAll = promisify(gunzip);

/** @throws BodyTooLarge when more than `bytesMax` come out; ApiError SerializationException when it is not gzip. */
export async function decompress(bytes: Uint8Array, bytesMax: number): Promise<Buffer> {
  try {
    return await gunzipAll(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') throw new BodyTooLarge(bytesMax);
    throw new ApiError('SerializationException', 'the body is not the gzip that content-encoding says', { status: 400, cause });
  }
}

/** As `decompress`, piece by piece. */
export async function* decompressStream(source: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array, void, undefined> {
  const unzip = createGunzip();
  let failure: unknown;
  const feeding = (async () => {
    try {
      for await (const piece of source) {
        if (unzip.destroyed) return;
        if (!unzip.write(piece)) await new Promise<void>((resolve) => unzip.once('drain', resolve).once('close', resolve));
      }
      unzip.end();
    } catch (error) {
      failure = error;
      unzip.destroy();
    }
  })();
  let total = 0;
  try {
    for await (const piece of unzip as AsyncIterable<Buffer>) {
      total += piece.length;
      if (total > bytesMax) throw new BodyTooLarge(bytesMax);
      yield piece;
    }
  } catch (cause) {
    if (failure !== undefined) throw failure;
    if (cause instanceof ApiError) throw cause;
    throw new ApiError('SerializationException', 'the body is not the gzip that content-encoding says', { status: 400, cause });
  } finally {
    unzip.destroy();
    await feeding;
  }
}

/** How much of a refused body is still taken in, so that the client gets to read the refusal. */
const DISCARD_BYTES_MAX = 8 * 1024 * 1024;
const DISCARD_MS_MAX = 2_000;

/**
 * Reads on for a moment when a request is refused before its body has come.
 * @returns false when the body did not end: the connection must be closed after the answer.
 */
export async function discardBody({ request, expectsContinue }: BodySource): Promise<boolean> {
  if (request.readableEnded || request.complete) return true;
  if (request.destroyed) return false;
  const declared = declaredLength(request);
  if (declared === 0) return true;
  // Nothing was asked for yet, so nothing may come.
  if (expectsContinue && !invited.has(request)) return false;
  if (declared !== undefined && declared > 16 * DISCARD_BYTES_MAX) return false;
  return new Promise((resolve) => {
    let left = DISCARD_BYTES_MAX;
    const finish = (isWhole: boolean): void => {
      clearTimeout(timer);
      request.off('data', take).off('end', ended).off('close', closed).off('error', closed);
      request.pause();
      resolve(isWhole);
    };
    const ended = (): void => finish(true);
    const closed = (): void => finish(request.complete);
    const take = (piece: Buffer): void => {
      left -= piece.length;
      if (left < 0) finish(false);
    };
    const timer = setTimeout(() => finish(false), DISCARD_MS_MAX);
    request.on('data', take).on('end', ended).on('close', closed).on('error', closed);
    request.resume();
  });
}
