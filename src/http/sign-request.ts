/**
 * Signs a request with Signature Version 4 in the header form, and bodies sent in chunks: what the verifier checks.
 *
 * Used by the command line and by tests. The clock is passed in.
 */
import { ALGORITHM, type RawHeader, type RequestParts, scopeText, sha256Hex, stringToSign } from './canonical-request.ts';
import { ChunkChain } from './chunk-chain.ts';
import { formatAmzDate } from './read-authorization.ts';
import { hmac, SigningKeys } from './signing-keys.ts';
import { pathFormOf } from './verify-signature.ts';

/** What a client needs to sign. */
export interface SignerCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SignOptions {
  readonly credentials: SignerCredentials;
  readonly region: string;
  /** SigV4 service name: `cloudtrail`, `s3`, `sts`, `snowtrail`. */
  readonly service: string;
  readonly nowMs: number;
  /** The body, or the word that stands for its hash, such as `UNSIGNED-PAYLOAD`. */
  readonly payload: Uint8Array | string;
}

/** A signature and what a streamed body needs to go on from it. */
export interface SignedRequest {
  /** All headers to send, `authorization` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly chain: ChunkChain;
}

/** Keys that were derived already: a client signs many requests with one. */
const keys = new SigningKeys();

/**
 * @param request Method, absolute URL, and headers to send (text values; names in any case, each once).
 * @returns the headers with `host`, `x-amz-date`, `x-amz-content-sha256`, the session token and `authorization` added.
 */
export function signRequest(
  request: { readonly method: string; readonly url: string; readonly headers?: Readonly<Record<string, string>> },
  { credentials, region, service, nowMs, payload }: SignOptions,
): SignedRequest {
  const url = splitUrl(request.url);
  const amzDate = formatAmzDate(nowMs);
  const payloadHash = typeof payload === 'string' ? payload : sha256Hex(payload);
  const headers: Record<string, string> = {
    ...Object.fromEntries(Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    host: url.host,
    'x-amz-date': amzDate,
    'x-amz-content-sha256': payloadHash,
    ...(credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }),
  };
  const scope = { date: amzDate.slice(0, 8), region, service };
  const signedHeaders = Object.keys(headers).filter(isSignable).sort();
  const parts: RequestParts = {
    method: request.method,
    path: url.path,
    query: url.query,
    headers: Object.entries(headers) satisfies RawHeader[],
  };
  const signingKey = keys.find(credentials.accessKeyId, credentials.secretAccessKey, scope);
  const signature = hmac(
    signingKey,
    stringToSign(parts, { amzDate, scope, signedHeaders, payloadHash, pathForm: pathFormOf(service) }),
  ).toString('hex');
  headers['authorization'] =
    `${ALGORITHM} Credential=${credentials.accessKeyId}/${scopeText(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  return { headers, chain: new ChunkChain({ signingKey, amzDate, scope, seedSignature: signature }) };
}

/** The parts of a URL as they stand: `URL` would fold `..` away, which is a key like any other in S3. */
function splitUrl(url: string): { readonly host: string; readonly path: string; readonly query: string } {
  const match = /^https?:\/\/([^/?#]+)([^?#]*)(?:\?([^#]*))?$/.exec(url);
  if (match === null) throw new Error(`\`${url}\` is no absolute http URL`);
  return { host: match[1]!, path: match[2] === '' ? '/' : match[2]!, query: match[3] ?? '' };
}

/** Headers that proxies and the HTTP client itself write or change are left out. */
function isSignable(name: string): boolean {
  return !['connection', 'expect', 'user-agent', 'transfer-encoding', 'content-length', 'accept', 'accept-encoding'].includes(name);
}

/** One signed chunk of a body. @param chunk Empty for the last one. */
export function encodeSignedChunk(chain: ChunkChain, chunk: Uint8Array): Uint8Array {
  const signature = chain.signChunk(sha256Hex(chunk));
  const head = Buffer.from(`${chunk.length.toString(16)};chunk-signature=${signature}\r\n`, 'latin1');
  return Buffer.concat([head, chunk, Buffer.from('\r\n', 'latin1')]);
}
