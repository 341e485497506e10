/**
 * Reads who a request says it comes from, and what its signature claims to cover. Nothing is verified here but form.
 *
 * Everything read here was written by whoever sent the request. What cannot be read in exactly one way is refused:
 * a header or parameter of authentication given twice, two ways to authenticate at once, headers that must be signed
 * and are not.
 *
 * Source: IAM User Guide, "Signature Version 4 for API requests"; S3 API Reference, "Authenticating Requests";
 * reliability.md A05–A08.
 */
import { ALGORITHM, parseQuery, type RawHeader, type Scope } from './canonical-request.ts';
import { SignatureRefusal } from './signature-refusal.ts';

/** What the sender claims, in one of the two forms. */
export interface Authorization {
  readonly form: 'header' | 'query';
  readonly accessKeyId: string;
  readonly scope: Scope;
  /** Lower-case, sorted, none twice. */
  readonly signedHeaders: readonly string[];
  /** 64 lower-case hexadecimal digits. */
  readonly signature: string;
  readonly amzDate: string;
  readonly signedAtMs: number;
  /** How long a presigned URL is good for; absent in the header form, and where the URL does not say. */
  readonly expiresSeconds?: number;
  readonly sessionToken?: string;
  /** `x-amz-content-sha256`, as given. */
  readonly contentSha256?: string;
}

/** A presigned URL is good for seven days at most (A08). */
const EXPIRES_SECONDS_MAX = 604_800;

/** Headers that count once: a second one would be read by one side and not by the other (A06). */
const ONCE = new Set([
  'authorization',
  'host',
  'date',
  'content-type',
  'content-encoding',
  'content-length',
  'content-md5',
  'transfer-encoding',
  'expect',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]);

/**
 * True when the request carries any trace of a signature; then it is never answered as an anonymous one. A bearer token is none:
 * a page may ask for one, and no service takes it.
 */
export function claimsSignature(headers: readonly RawHeader[], query: string): boolean {
  const isOther = ([name, value]: RawHeader) => name.toLowerCase() === 'authorization' && !value.startsWith('Bearer ');
  return headers.some(isOther) || /(?:^|&)(?:X-Amz-|AWSAccessKeyId)/i.test(query);
}

/**
 * @param query What follows the `?`, as it was on the wire.
 * @throws SignatureRefusal for anything but one well-formed signature; `missing` when there is no trace of one.
 */
export function readAuthorization(headers: readonly RawHeader[], query: string): Authorization {
  if (!claimsSignature(headers, query)) throw unsigned();
  const values = headerMap(headers);
  const parameters = parameterMap(query);
  const header = values.get('authorization');
  const isPresigned = parameters.has('X-Amz-Algorithm') || parameters.has('X-Amz-Signature') || parameters.has('X-Amz-Credential');
  if (header !== undefined && isPresigned) {
    throw new SignatureRefusal(
      'two-forms',
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified',
    );
  }
  if (header === undefined && !isPresigned && isSignatureVersion2(query)) throw unsupportedMechanism();
  const authorization = isPresigned ? fromQuery(parameters, values) : fromHeader(header, values);
  requireSigned(authorization, values);
  return authorization;
}

/** True for a presigned URL of Signature Version 2, which older clients make unless they are told otherwise. */
function isSignatureVersion2(query: string): boolean {
  return /(?:^|&)AWSAccessKeyId=/.test(query) && /(?:^|&)Signature=/.test(query);
}

/** The refusal of a request that carries no signature. */
export function unsigned(): SignatureRefusal {
  return new SignatureRefusal('missing', 'Request is missing Authentication Token');
}

function unsupportedMechanism(): SignatureRefusal {
  return new SignatureRefusal(
    'unsupported',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}

/** Header values by lower-case name. @throws SignatureRefusal when one of those that count once comes twice. */
function headerMap(headers: readonly RawHeader[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [rawName, value] of headers) {
    const name = rawName.toLowerCase();
    if (values.has(name) && (ONCE.has(name) || name.startsWith('x-amz-'))) {
      throw new SignatureRefusal('incomplete', `The header '${name}' is given more than once.`);
    }
    values.set(name, value);
  }
  return values;
}

/** Parameters of authentication. @throws SignatureRefusal when one comes twice, in whatever case. */
function parameterMap(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  let pairs: [string, string][];
  try {
    pairs = parseQuery(query);
  } catch (cause) {
    throw new SignatureRefusal('incomplete', 'The query string is not percent-encoded UTF-8.', { cause });
  }
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    if (!lower.startsWith('x-amz-')) continue;
    if (seen.has(lower)) throw new SignatureRefusal('malformed-query', `The query parameter '${name}' is given more than once.`);
    seen.add(lower);
    values.set(name, value);
  }
  return values;
}

function fromHeader(header: string | undefined, values: ReadonlyMap<string, string>): Authorization {
  if (header === undefined) throw unsigned();
  if (!header.startsWith(`${ALGORITHM} `)) {
    if (/^AWS4-|^AWS /.test(header)) throw unsupportedMechanism();
    throw unsigned();
  }
  const fields = new Map<string, string>();
  for (const part of header.slice(ALGORITHM.length + 1).split(',')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).trim();
    if (equals < 0 || fields.has(name))
      throw new SignatureRefusal('incomplete', `The Authorization header is malformed at '${part.trim()}'.`);
    fields.set(name, part.slice(equals + 1).trim());
  }
  const need = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined || value === '') throw new SignatureRefusal('incomplete', `Authorization header requires '${name}' parameter.`);
    return value;
  };
  const credential = readCredential(need('Credential'), 'incomplete');
  const signedHeaders = readSignedHeaders(need('SignedHeaders'), 'incomplete');
  const signature = readSignature(need('Signature'), 'incomplete');
  const date = readDate(values);
  requireScopeDate(credential.scope, date.amzDate);
  const sessionToken = values.get('x-amz-security-token');
  const contentSha256 = values.get('x-amz-content-sha256');
  return {
    form: 'header',
    ...credential,
    signedHeaders,
    signature,
    ...date,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(contentSha256 === undefined ? {} : { contentSha256 }),
  };
}

function fromQuery(parameters: ReadonlyMap<string, string>, values: ReadonlyMap<string, string>): Authorization {
  const need = (name: string): string => {
    const value = parameters.get(name);
    if (value === undefined || value === '') {
      throw new SignatureRefusal(
        'malformed-query',
        'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
      );
    }
    return value;
  };
  if (need('X-Amz-Algorithm') !== ALGORITHM)
    throw new SignatureRefusal('malformed-query', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"');
  const credential = readCredential(need('X-Amz-Credential'), 'malformed-query');
  const signedHeaders = readSignedHeaders(need('X-Amz-SignedHeaders'), 'malformed-query');
  const signature = readSignature(need('X-Amz-Signature'), 'malformed-query');
  const amzDate = need('X-Amz-Date');
  const signedAtMs = parseAmzDate(amzDate);
  if (signedAtMs === undefined)
    throw new SignatureRefusal('malformed-query', "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  requireScopeDate(credential.scope, amzDate);
  const expires = parameters.get('X-Amz-Expires');
  const sessionToken = parameters.get('X-Amz-Security-Token');
  const contentSha256 = values.get('x-amz-content-sha256') ?? parameters.get('X-Amz-Content-Sha256');
  return {
    form: 'query',
    ...credential,
    signedHeaders,
    signature,
    amzDate,
    signedAtMs,
    ...(expires === undefined ? {} : { expiresSeconds: readExpires(expires) }),
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(contentSha256 === undefined ? {} : { contentSha256 }),
  };
}

type Malformed = 'incomplete' | 'malformed-query';

function readCredential(text: string, kind: Malformed): { readonly accessKeyId: string; readonly scope: Scope } {
  const match = /^([!-.0-~]{1,128})\/(\d{8})\/([a-z0-9-]{1,32})\/([a-z0-9-]{1,64})\/aws4_request$/.exec(text);
  if (match === null) {
    throw new SignatureRefusal(
      kind,
      `Credential must have the form '<access key id>/YYYYMMDD/<region>/<service>/aws4_request', got '${text.slice(0, 200)}'.`,
    );
  }
  return { accessKeyId: match[1]!, scope: { date: match[2]!, region: match[3]!, service: match[4]! } };
}

function readSignedHeaders(text: string, kind: Malformed): readonly string[] {
  const names = text.split(';');
  const isOrdered = names.every((name, index) => index === 0 || names[index - 1]! < name);
  if (!isOrdered || !names.every((name) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name))) {
    throw new SignatureRefusal(kind, 'SignedHeaders must be lower-case header names, sorted, each once.');
  }
  return names;
}

function readSignature(text: string, kind: Malformed): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new SignatureRefusal(kind, 'The signature must be 64 lower-case hexadecimal digits.');
}

function readExpires(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) throw new SignatureRefusal('malformed-query', 'X-Amz-Expires should be a number');
  if (seconds < 1) throw new SignatureRefusal('malformed-query', 'X-Amz-Expires must be non-negative');
  if (seconds > EXPIRES_SECONDS_MAX)
    throw new SignatureRefusal(
      'malformed-query',
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds',
    );
  return seconds;
}

function readDate(values: ReadonlyMap<string, string>): { readonly amzDate: string; readonly signedAtMs: number } {
  const amzDate = values.get('x-amz-date');
  if (amzDate !== undefined) {
    const signedAtMs = parseAmzDate(amzDate);
    if (signedAtMs === undefined)
      throw new SignatureRefusal('incomplete', `Date must be in ISO-8601 'basic format'. Got '${amzDate.slice(0, 64)}'.`);
    return { amzDate, signedAtMs };
  }
  const signedAtMs = Date.parse(values.get('date') ?? '');
  if (Number.isNaN(signedAtMs))
    throw new SignatureRefusal('no-date', "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  return { amzDate: formatAmzDate(signedAtMs), signedAtMs };
}

function requireScopeDate(scope: Scope, amzDate: string): void {
  if (amzDate.startsWith(scope.date)) return;
  throw new SignatureRefusal(
    'wrong-scope',
    `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${scope.date}' != '${amzDate.slice(0, 8)}', from '${amzDate}'.`,
  );
}

/** `host`, the date and every `x-amz-*` header must be covered: what is not signed can be changed on the way. */
function requireSigned(authorization: Authorization, values: ReadonlyMap<string, string>): void {
  const signed = new Set(authorization.signedHeaders);
  const isDateHeader = authorization.form === 'header' && !values.has('x-amz-date');
  for (const name of values.keys()) {
    const mustBeSigned = name === 'host' || name.startsWith('x-amz-') || (name === 'date' && isDateHeader);
    if (mustBeSigned && !signed.has(name)) {
      throw new SignatureRefusal('unsigned-header', `'${name}' must be a 'SignedHeader' in the AWS Authorization.`, { header: name });
    }
  }
  for (const name of signed) {
    if (!values.has(name))
      throw new SignatureRefusal('unsigned-header', `The signed header '${name}' is not in the request.`, { header: name });
  }
}

/** Milliseconds of `YYYYMMDDTHHMMSSZ`; `undefined` when it is no such time. */
function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // A day such as 30 February would come back as another one.
  return formatAmzDate(ms) === text ? ms : undefined;
}

export function formatAmzDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}
