/**
 * The canonical form of a request that Signature Version 4 signs, for the verifier and the signer alike.
 *
 * Text is held as *byte strings* here, one character for each byte as Node gives header values (Latin-1): what is
 * hashed are the bytes that were on the wire, whatever encoding a client meant. Nothing is decided in this file.
 *
 * Source: IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests: Using
 * Query Parameters". S3 encodes the path once and keeps `//` and `..`; every other service normalises it and encodes
 * what was sent once more.
 */
import { hash } from 'node:crypto';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** The payload hash of a request whose body is not signed. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** A header as it was on the wire: name in any case, value as a byte string. */
export type RawHeader = readonly [name: string, value: string];

/** How a service writes the path of the canonical request. */
export interface PathForm {
  /** `once`: percent-encoded text is taken as encoded. `again`: every `%` is encoded once more. */
  readonly encoding: 'once' | 'again';
  /** Removes empty, `.` and `..` segments. */
  readonly isNormalised: boolean;
}

export const S3_PATH: PathForm = { encoding: 'once', isNormalised: false };
export const SERVICE_PATH: PathForm = { encoding: 'again', isNormalised: true };

export interface RequestParts {
  readonly method: string;
  /** Request target up to the first `?`, as it was on the wire. */
  readonly path: string;
  /** What follows the first `?`; empty when there is none. */
  readonly query: string;
  readonly headers: readonly RawHeader[];
}

/** What one signature covers. */
export interface Signing {
  /** `YYYYMMDDTHHMMSSZ` */
  readonly amzDate: string;
  readonly scope: Scope;
  /** Lower-case names in the order of the signature. */
  readonly signedHeaders: readonly string[];
  /** Hexadecimal SHA-256 of the body, or one of the words that stand for it. */
  readonly payloadHash: string;
  readonly pathForm: PathForm;
}

export interface Scope {
  /** `YYYYMMDD` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** The text that is signed, from the request and what its signature says that it covers. */
export function stringToSign(request: RequestParts, signing: Signing): string {
  const hashed = sha256Hex(canonicalRequest(request, signing));
  return [ALGORITHM, signing.amzDate, scopeText(signing.scope), hashed].join('\n');
}

/** The canonical request, as a byte string. */
export function canonicalRequest(request: RequestParts, { signedHeaders, payloadHash, pathForm }: Signing): string {
  return [
    request.method,
    canonicalPath(request.path, pathForm),
    canonicalQuery(request.query),
    ...signedHeaders.map((name) => `${name}:${canonicalHeader(request.headers, name)}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

export function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

export function canonicalPath(path: string, form: PathForm): string {
  const encode = form.encoding === 'once' ? encodeOnce : encodeAgain;
  const normal = form.isNormalised ? normalisePath(path) : path;
  return encode(normal === '' ? '/' : normal, '/');
}

/** Parameters sorted by their encoded names, then values, without the signature itself. */
export function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = encodeOnce(plusAsSpace(equals < 0 ? part : part.slice(0, equals)), '');
    if (name === 'X-Amz-Signature') continue;
    pairs.push([name, equals < 0 ? '' : encodeOnce(plusAsSpace(part.slice(equals + 1)), '')]);
  }
  pairs.sort(([nameA, valueA], [nameB, valueB]) => order(nameA, nameB) || order(valueA, valueB));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

/** Decoded query parameters in their order on the wire. The same reading that the signature covers. */
export function parseQuery(query: string): [name: string, value: string][] {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const name = equals < 0 ? part : part.slice(0, equals);
      const value = equals < 0 ? '' : part.slice(equals + 1);
      return [percentDecode(plusAsSpace(name)), percentDecode(plusAsSpace(value))];
    });
}

/**
 * Decodes percent-encoded UTF-8.
 * @throws URIError when the bytes are not UTF-8.
 */
export function percentDecode(text: string): string {
  // An encoding of the bytes that `decodeURIComponent` accepts, whatever was left unencoded on the wire.
  return decodeURIComponent(encodeOnce(text, ''));
}

/** Percent-encodes UTF-8 text as Signature Version 4 does; `kept` are characters left as they are. */
export function percentEncode(text: string, kept = ''): string {
  return encodeAgain(Buffer.from(text, 'utf8').toString('latin1'), kept);
}

export function sha256Hex(text: string | Uint8Array): string {
  return hash('sha256', typeof text === 'string' ? Buffer.from(text, 'latin1') : text, 'hex');
}

/** Values of one header: trimmed, runs of blanks as one, several joined by commas. */
function canonicalHeader(headers: readonly RawHeader[], wanted: string): string {
  const values: string[] = [];
  for (const [name, value] of headers) {
    if (name.length === wanted.length && name.toLowerCase() === wanted) values.push(value.trim().replace(/[ \t\r\n]+/g, ' '));
  }
  return values.join(',');
}

function normalisePath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else kept.push(segment);
  }
  const isFolder = path.endsWith('/') && kept.length > 0;
  return `/${kept.join('/')}${isFolder ? '/' : ''}`;
}

function plusAsSpace(text: string): string {
  return text.includes('+') ? text.replaceAll('+', ' ') : text;
}

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/** How each byte is written: itself, or percent-encoded in capitals. */
const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return UNRESERVED.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** Text that is written as it is, whatever is kept: most paths and values are. */
const PLAIN = /^[A-Za-z0-9\-._~]*$/;
const PLAIN_PATH = /^[A-Za-z0-9\-._~/]*$/;

function isPlain(text: string, kept: string): boolean {
  return (kept.includes('/') ? PLAIN_PATH : PLAIN).test(text);
}

function encodeAgain(text: string, kept: string): string {
  if (isPlain(text, kept)) return text;
  let encoded = '';
  for (const character of text) encoded += kept.includes(character) ? character : ENCODED[character.charCodeAt(0) & 0xff];
  return encoded;
}

/** Encodes what is not encoded yet, and writes what is in one way. */
function encodeOnce(text: string, kept: string): string {
  if (isPlain(text, kept)) return text;
  let encoded = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    const hex = character === '%' ? text.slice(at + 1, at + 3) : undefined;
    if (hex !== undefined && /^[0-9A-Fa-f]{2}$/.test(hex)) {
      const decoded = String.fromCharCode(Number.parseInt(hex, 16));
      encoded += kept.includes(decoded) ? decoded : ENCODED[decoded.charCodeAt(0)];
      at += 2;
    } else encoded += kept.includes(character) ? character : ENCODED[character.charCodeAt(0) & 0xff];
  }
  return encoded;
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
