/**
 * Verifies Signature Version 4, for every service on the port: the only door.
 *
 * Three steps, because the body comes after the headers: `readAuthorization` says what is claimed, `checkTime` and
 * `readPayloadClaim` refuse what cannot be right whatever the body is, and `verifySignature` checks the signature over
 * the hash that the caller computed or that the sender declared. A declared hash is checked against the body by whoever
 * reads the body, before the body has any effect.
 *
 * A key that does not exist costs the same work as a wrong secret, and signatures are compared in constant time (A09).
 * Source: IAM User Guide, "Signature Version 4 for API requests"; reliability.md A01–A09.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Credentials, FindCredentials } from '../api/credentials.ts';
import {
  EMPTY_SHA256,
  type PathForm,
  type RequestParts,
  S3_PATH,
  SERVICE_PATH,
  sha256Hex,
  stringToSign,
  UNSIGNED_PAYLOAD,
} from './canonical-request.ts';
import { type Authorization, formatAmzDate } from './read-authorization.ts';
import { SignatureRefusal } from './signature-refusal.ts';
import { hmac, type SigningKeys } from './signing-keys.ts';

/** How far the clocks may be apart (A03). */
const WINDOW_MS = 5 * 60_000;
const S3_WINDOW_MS = 15 * 60_000;

/** What the signature says of the body. */
export type PayloadClaim =
  /** Nothing declared: the signature covers the hash of the body, which is read first. */
  | { readonly kind: 'from-body' }
  | { readonly kind: 'declared'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'signed-chunks'; readonly hasTrailer: boolean }
  | { readonly kind: 'unsigned-chunks' };

/** Which ways of sending a body a route takes, besides one hash over all of it. */
export type BodyForms = 's3' | 'signed-chunks' | 'whole';

const STREAMING_SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const STREAMING_SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
const STREAMING_UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

export interface VerifierDeps {
  readonly findCredentials: FindCredentials;
  readonly signingKeys: SigningKeys;
}

/** A request whose signature is right. Its body is not checked yet, unless the claim was `from-body`. */
export interface VerifiedSignature {
  readonly credentials: Credentials;
  /** For the signatures of chunks; never leaves the process. */
  readonly signingKey: Uint8Array;
}

/** How the service of a scope writes its path. */
export function pathFormOf(service: string): PathForm {
  return service === 's3' ? S3_PATH : SERVICE_PATH;
}

/**
 * Reads what `x-amz-content-sha256` declares.
 * @throws SignatureRefusal when this route does not take it: only S3 bodies may go unsigned (A02).
 */
export function readPayloadClaim(authorization: Authorization, forms: BodyForms): PayloadClaim {
  const declared = authorization.contentSha256;
  if (declared === undefined) {
    if (forms !== 's3') return { kind: 'from-body' };
    if (authorization.form === 'query') return { kind: 'unsigned' };
    throw new SignatureRefusal('no-content-sha256', 'Missing required header for this request: x-amz-content-sha256');
  }
  if (/^[0-9a-f]{64}$/.test(declared)) return { kind: 'declared', sha256: declared };
  if (declared === STREAMING_SIGNED && forms !== 'whole') return { kind: 'signed-chunks', hasTrailer: false };
  if (declared === STREAMING_SIGNED_TRAILER && forms !== 'whole') return { kind: 'signed-chunks', hasTrailer: true };
  if (declared === UNSIGNED_PAYLOAD || declared === STREAMING_UNSIGNED_TRAILER) {
    if (forms !== 's3')
      throw new SignatureRefusal('unsigned-body', `x-amz-content-sha256 is '${declared}', but this service takes signed bodies only.`);
    return declared === UNSIGNED_PAYLOAD ? { kind: 'unsigned' } : { kind: 'unsigned-chunks' };
  }
  throw new SignatureRefusal(
    'invalid-content-sha256',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
  );
}

/** What the signature covers as the body's hash when the body is here. */
export function hashOf(claim: PayloadClaim, body: Uint8Array): string {
  if (claim.kind === 'declared') return claim.sha256;
  return body.length === 0 ? EMPTY_SHA256 : sha256Hex(body);
}

/** What the signature covers as the body's hash when the body comes later. */
export function wordOf(claim: PayloadClaim): string {
  switch (claim.kind) {
    case 'declared':
      return claim.sha256;
    case 'signed-chunks':
      return claim.hasTrailer ? STREAMING_SIGNED_TRAILER : STREAMING_SIGNED;
    case 'unsigned-chunks':
      return STREAMING_UNSIGNED_TRAILER;
    case 'unsigned':
    case 'from-body':
      return UNSIGNED_PAYLOAD;
  }
}

/**
 * Refuses what was signed too long ago, in the future, or for a time that is over.
 * @param nowMs The real time: clients sign with theirs, whatever the clock of the records says.
 */
export function checkTime(authorization: Authorization, nowMs: number): void {
  const isS3 = authorization.scope.service === 's3';
  const windowMs = isS3 ? S3_WINDOW_MS : WINDOW_MS;
  const { signedAtMs, amzDate, expiresSeconds, form } = authorization;
  const skew = { RequestTime: amzDate, ServerTime: new Date(nowMs).toISOString(), MaxAllowedSkewMilliseconds: `${windowMs}` };
  const minutes = windowMs / 60_000;
  const now = formatAmzDate(nowMs);
  if (signedAtMs > nowMs + windowMs) {
    const latest = formatAmzDate(nowMs + windowMs);
    const message = `Signature not yet current: ${amzDate} is still later than ${latest} (${now} + ${minutes} min.)`;
    throw form === 'query' && isS3
      ? new SignatureRefusal('expired-url', 'Request is not yet valid', skew)
      : new SignatureRefusal('skewed', message, skew);
  }
  if (form === 'query' && isS3 && expiresSeconds === undefined) {
    throw new SignatureRefusal('malformed-query', 'Query-string authentication requires the X-Amz-Expires parameter.');
  }
  if (expiresSeconds !== undefined) {
    const expiresAtMs = signedAtMs + expiresSeconds * 1000;
    if (nowMs < expiresAtMs) return;
    const expires = new Date(expiresAtMs).toISOString();
    throw new SignatureRefusal(
      'expired-url',
      isS3 ? 'Request has expired' : `Signature expired: ${formatAmzDate(expiresAtMs)} is now earlier than ${now}`,
      {
        'X-Amz-Expires': `${expiresSeconds}`,
        Expires: expires,
        ServerTime: skew.ServerTime,
      },
    );
  }
  if (signedAtMs < nowMs - windowMs) {
    const earliest = formatAmzDate(nowMs - windowMs);
    throw new SignatureRefusal('skewed', `Signature expired: ${amzDate} is now earlier than ${earliest} (${now} - ${minutes} min.)`, skew);
  }
}

/** From then on `checkTime` refuses the signature for its age. */
export function signatureEndMs({ scope, signedAtMs, expiresSeconds }: Authorization): number {
  return signedAtMs + (expiresSeconds === undefined ? (scope.service === 's3' ? S3_WINDOW_MS : WINDOW_MS) : expiresSeconds * 1000);
}

/**
 * Checks the signature, the key's state and the session token.
 *
 * @param payloadHash What the signature covers as the body's hash: computed, declared, or the word that stands for it.
 * @param nowMs The real time, for the end of temporary credentials.
 * @throws SignatureRefusal in every other case than: this key signed exactly this request.
 */
export async function verifySignature(
  request: RequestParts,
  authorization: Authorization,
  {
    payloadHash,
    nowMs,
    pathForm = pathFormOf(authorization.scope.service),
  }: { readonly payloadHash: string; readonly nowMs: number; readonly pathForm?: PathForm },
  deps: VerifierDeps,
): Promise<VerifiedSignature> {
  const { accessKeyId, scope, amzDate, signedHeaders, signature } = authorization;
  const credentials = await deps.findCredentials(accessKeyId, authorization.sessionToken);
  const signingKey = deps.signingKeys.find(accessKeyId, credentials?.secretAccessKey, scope);
  const text = stringToSign(request, { amzDate, scope, signedHeaders, payloadHash, pathForm });
  const isRight = isSame(hmac(signingKey, text), Buffer.from(signature, 'hex'));

  if (credentials === undefined || credentials.status !== 'Active') {
    // What comes with a token is a temporary key, and its token is none of it.
    const kind = authorization.sessionToken === undefined ? 'unknown-key' : 'invalid-token';
    throw new SignatureRefusal(kind, 'The security token included in the request is invalid.', { AWSAccessKeyId: accessKeyId });
  }
  if (!isRight) {
    throw new SignatureRefusal(
      'wrong-signature',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      { AWSAccessKeyId: accessKeyId, StringToSign: text, SignatureProvided: signature },
    );
  }
  checkToken(authorization, credentials, nowMs);
  return { credentials, signingKey };
}

/** A temporary key comes with exactly its token, a lasting one with none (A07). */
function checkToken(authorization: Authorization, credentials: Credentials, nowMs: number): void {
  const { sessionToken: given = '' } = authorization;
  const { sessionToken: wanted = '', expiresAtMs } = credentials;
  // Most keys are lasting ones, and most requests carry no token.
  if ((given !== '' || wanted !== '') && !isSame(hmac('', given), hmac('', wanted))) {
    throw new SignatureRefusal('invalid-token', 'The security token included in the request is invalid.');
  }
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) {
    throw new SignatureRefusal('expired-token', 'The security token included in the request is expired');
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
