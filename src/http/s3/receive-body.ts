/**
 * Takes in the bodies of S3 calls and checks them against everything that was promised about them.
 *
 * Untrusted bytes: nothing is visible or acted on before the hash of the signature, `Content-MD5` and the checksum in
 * header or trailer all agree with what came.
 */
import { createHash } from 'node:crypto';
import type { DataKey, StagedObject } from '../../store/objects.ts';
import { EMPTY_SHA256 } from '../canonical-request.ts';
import { NoRoomForBody } from '../read-body.ts';
import { SignatureRefusal } from '../signature-refusal.ts';
import { type ChecksumAlgorithm, Checksummer, checksumHeader, isChecksum, type PromisedChecksum, promisedChecksum } from './checksums.ts';
import { s3Error } from './errors.ts';
import type { S3Call } from './s3-call.ts';

export interface Received {
  readonly staged: StagedObject;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
}

/**
 * Stages the body of an object or a part.
 *
 * @param options.computed Algorithm to compute when the client promises none.
 * @param options.dataKey What it is encrypted with from its first byte on.
 * @throws ApiError MissingContentLength, EntityTooLarge, BadDigest, …; then nothing is staged.
 */
export async function receiveObject(
  call: S3Call,
  { computed, dataKey }: { readonly computed?: ChecksumAlgorithm | undefined; readonly dataKey?: DataKey | undefined } = {},
): Promise<Received> {
  const { body, limits, objects } = call.request;
  if (body.length === undefined) throw s3Error('MissingContentLength');
  if (body.length > limits.objectBytes) {
    throw s3Error('EntityTooLarge', { details: { ProposedSize: `${body.length}`, MaxSizeAllowed: `${limits.objectBytes}` } });
  }
  const check = new BodyCheck(call, computed);
  const staged = await objects.stage(check.watch(body.stream(limits.objectBytes)), dataKey);
  try {
    const checksum = check.finish(staged.md5Hex);
    return { staged, ...(checksum === undefined ? {} : { checksum }) };
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/**
 * The whole of a document, such as a policy.
 * @param checksumOf What a checksum in the headers is of: the body, or an object that the document is about.
 * @throws ApiError MissingRequestBodyError, RequestEntityTooLargeException, BadDigest, …
 */
export async function receiveDocument(
  call: S3Call,
  {
    bytesMax = call.request.limits.documentBytes,
    checksumOf = 'body',
  }: { readonly bytesMax?: number; readonly checksumOf?: 'body' | 'object' } = {},
): Promise<Buffer> {
  const { body } = call.request;
  const check = new BodyCheck(call, undefined, checksumOf === 'object');
  const reserved = body.length ?? bytesMax;
  if (reserved > bytesMax) throw s3Error('RequestEntityTooLargeException');
  if (!body.reserve(reserved)) throw new NoRoomForBody();
  try {
    const pieces: Uint8Array[] = [];
    const md5 = createHash('md5');
    for await (const piece of check.watch(body.stream(bytesMax))) {
      md5.update(piece);
      pieces.push(piece);
    }
    check.finish(md5.digest('hex'));
    return Buffer.concat(pieces);
  } finally {
    body.release(reserved);
  }
}

/** Reads past a body that the operation has no use for, and still wants it to be the one that was signed: none, too. */
export async function receiveNothing(call: S3Call): Promise<void> {
  const { length, declaredSha256 = EMPTY_SHA256 } = call.request.body;
  if (length !== 0 || declaredSha256 !== EMPTY_SHA256) await receiveDocument(call);
}

class BodyCheck {
  readonly #call: S3Call;
  readonly #promised: PromisedChecksum | undefined;
  readonly #summer: Checksummer | undefined;
  readonly #sha256: ReturnType<typeof createHash> | undefined;
  readonly #contentMd5: string | undefined;
  /** Bytes seen so far. */
  #length = 0;

  constructor(call: S3Call, computed: ChecksumAlgorithm | undefined, isChecksumElsewhere = false) {
    this.#call = call;
    this.#promised = isChecksumElsewhere ? undefined : promisedChecksum((name) => call.header(name), call.headerNames());
    const algorithm = this.#promised?.algorithm ?? computed;
    this.#summer = algorithm === undefined ? undefined : new Checksummer(algorithm);
    this.#sha256 = call.request.body.declaredSha256 === undefined ? undefined : createHash('sha256');
    this.#contentMd5 = call.header('content-md5');
    if (this.#contentMd5 !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(this.#contentMd5)) throw s3Error('InvalidDigest');
  }

  async *watch(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of source) {
      this.#length += piece.length;
      this.#sha256?.update(piece);
      this.#summer?.update(piece);
      yield piece;
    }
  }

  /** @returns the checksum, computed and compared. @throws ApiError or SignatureRefusal when anything disagrees. */
  finish(md5Hex: string): Received['checksum'] {
    const { body } = this.#call.request;
    if (body.length !== undefined && this.#length !== body.length) throw s3Error('IncompleteBody');
    const sha256 = this.#sha256?.digest('hex');
    if (sha256 !== body.declaredSha256) {
      throw new SignatureRefusal('wrong-body', "The provided 'x-amz-content-sha256' header does not match what was computed.", {
        ClientComputedContentSHA256: body.declaredSha256,
        S3ComputedContentSHA256: sha256,
      });
    }
    if (this.#contentMd5 !== undefined && Buffer.from(this.#contentMd5, 'base64').toString('hex') !== md5Hex) {
      throw s3Error('BadDigest', {
        message: 'The Content-MD5 you specified did not match what we received.',
        details: { ExpectedDigest: this.#contentMd5, CalculatedDigest: Buffer.from(md5Hex, 'hex').toString('base64') },
      });
    }
    if (this.#summer === undefined) return undefined;
    const { algorithm } = this.#summer;
    const value = this.#summer.digest();
    if (this.#promised === undefined) return { algorithm, value };
    const given = this.#promised.value ?? body.trailers.get(checksumHeader(algorithm)) ?? '';
    if (!isChecksum(algorithm, given))
      throw s3Error('InvalidRequest', { message: `Value for ${checksumHeader(algorithm)} trailing header is invalid.` });
    if (given !== value) throw s3Error('BadDigest', { message: `The ${algorithm} you specified did not match the calculated checksum.` });
    return { algorithm, value };
  }
}
