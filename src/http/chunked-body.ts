/**
 * A request's `aws-chunked` body: its length, and the bytes inside, each chunk held against its signature where it has one.
 *
 * Source: S3 API Reference, "Signature calculations for the Authorization header: multiple chunks".
 */
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../api/api-error.ts';
import { decodeAwsChunked } from './aws-chunked.ts';
import { ChunkChain, type VerifyChunks } from './chunk-chain.ts';
import type { Authorization } from './read-authorization.ts';
import { type BodySource, streamBody } from './read-body.ts';
import type { PayloadClaim } from './verify-signature.ts';

/** Of a server without authentication. */
const TRUSTED_CHAIN: VerifyChunks = { verifyChunk: () => true, verifyTrailer: () => true };

/**
 * @param signed.signingKey Of the request's own signature, which is right; `trusted` where signatures are not looked at.
 * @param trailers Gets the trailers, by lower-case name, once the body was read to its end.
 * @throws ApiError EntityTooLarge when the body says that it is longer than `bytesMax`.
 */
export function decodeChunkedBody(
  source: BodySource,
  { amzDate, scope, signature }: Authorization,
  signed: {
    readonly claim: Extract<PayloadClaim, { kind: 'signed-chunks' | 'unsigned-chunks' }>;
    readonly signingKey: Uint8Array | 'trusted';
  },
  bytesMax: number,
  trailers: Map<string, string>,
): AsyncIterable<Uint8Array> {
  const { claim, signingKey } = signed;
  const decodedLength = decodedLengthOf(source.request);
  if (decodedLength > bytesMax)
    throw new ApiError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
      status: scope.service === 's3' ? 400 : 413,
    });
  const signedChain = () =>
    signingKey === 'trusted' ? TRUSTED_CHAIN : new ChunkChain({ signingKey, amzDate, scope, seedSignature: signature });
  const chain = claim.kind === 'signed-chunks' ? signedChain() : undefined;
  const announced = headerOf(source.request, 'x-amz-trailer');
  const trailerNames = announced
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  // A chunk holds at least one byte and costs less than a hundred more on the wire.
  const wireBytesMax = decodedLength * 100 + 64 * 1024;
  return decodeAwsChunked(
    streamBody(source, wireBytesMax),
    {
      ...(chain === undefined ? {} : { chain }),
      hasTrailer: claim.kind === 'unsigned-chunks' || claim.hasTrailer,
      decodedLength,
      trailerNames,
      budget: source.budget,
    },
    trailers,
  );
}

/** How many bytes are inside. @throws ApiError MissingContentLength */
export function decodedLengthOf(request: IncomingMessage): number {
  const text = headerOf(request, 'x-amz-decoded-content-length');
  if (!/^\d{1,13}$/.test(text))
    throw new ApiError('MissingContentLength', 'You must provide the x-amz-decoded-content-length HTTP header.', { status: 411 });
  return Number(text);
}

function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}
