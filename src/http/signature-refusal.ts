/**
 * Why a signature was refused, and how each family of services says so to its clients.
 *
 * Source: cloudtrail.md §13 "Common errors"; S3 API Reference, "Error responses"; STS API Reference, "Common errors".
 */
import { ApiError } from '../api/api-error.ts';

/** The families of wire protocols, by how they write errors. */
export type Family = 'json' | 'rest-json' | 'query' | 's3';

export type RefusalKind =
  /** Nothing that authenticates. */
  | 'missing'
  /** Another scheme, or another version of it. */
  | 'unsupported'
  | 'two-forms'
  | 'incomplete'
  | 'malformed-query'
  | 'no-date'
  | 'wrong-scope'
  | 'unsigned-header'
  /** No such key, or one that was switched off. */
  | 'unknown-key'
  | 'wrong-signature'
  /** Signed too long ago, or in the future. */
  | 'skewed'
  /** A presigned URL that was good once. */
  | 'expired-url'
  | 'invalid-token'
  | 'expired-token'
  /** S3 wants `x-amz-content-sha256`. */
  | 'no-content-sha256'
  | 'invalid-content-sha256'
  /** The body may not go unsigned here. */
  | 'unsigned-body'
  /** The body is not the one that was declared. */
  | 'wrong-body';

export class SignatureRefusal extends Error {
  override readonly name = 'SignatureRefusal';
  readonly kind: RefusalKind;
  /** Members for S3's error document, and the name of a header in question. */
  readonly details: Readonly<Record<string, string>>;

  constructor(kind: RefusalKind, message: string, details: { readonly cause?: unknown; readonly [name: string]: unknown } = {}) {
    const { cause, ...others } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.details = others as Record<string, string>;
  }
}

type Answer = readonly [code: string, status: number];

const JSON_CODES: Readonly<Record<RefusalKind, Answer>> = {
  missing: ['MissingAuthenticationTokenException', 403],
  unsupported: ['MissingAuthenticationTokenException', 403],
  'two-forms': ['IncompleteSignatureException', 403],
  incomplete: ['IncompleteSignatureException', 403],
  'malformed-query': ['IncompleteSignatureException', 403],
  'no-date': ['IncompleteSignatureException', 403],
  'wrong-scope': ['InvalidSignatureException', 403],
  'unsigned-header': ['InvalidSignatureException', 403],
  'unknown-key': ['UnrecognizedClientException', 403],
  'wrong-signature': ['InvalidSignatureException', 403],
  skewed: ['InvalidSignatureException', 403],
  'expired-url': ['InvalidSignatureException', 403],
  'invalid-token': ['UnrecognizedClientException', 403],
  'expired-token': ['ExpiredTokenException', 403],
  'no-content-sha256': ['InvalidSignatureException', 403],
  'invalid-content-sha256': ['InvalidSignatureException', 403],
  'unsigned-body': ['InvalidSignatureException', 403],
  'wrong-body': ['InvalidSignatureException', 403],
};

const QUERY_CODES: Readonly<Record<RefusalKind, Answer>> = {
  ...JSON_CODES,
  missing: ['MissingAuthenticationToken', 403],
  unsupported: ['MissingAuthenticationToken', 403],
  'two-forms': ['IncompleteSignature', 400],
  incomplete: ['IncompleteSignature', 400],
  'malformed-query': ['IncompleteSignature', 400],
  'no-date': ['IncompleteSignature', 400],
  'wrong-scope': ['SignatureDoesNotMatch', 403],
  'unsigned-header': ['SignatureDoesNotMatch', 403],
  'unknown-key': ['InvalidClientTokenId', 403],
  'wrong-signature': ['SignatureDoesNotMatch', 403],
  skewed: ['SignatureDoesNotMatch', 403],
  'expired-url': ['SignatureDoesNotMatch', 403],
  'invalid-token': ['InvalidClientTokenId', 403],
  'expired-token': ['ExpiredToken', 403],
  'no-content-sha256': ['SignatureDoesNotMatch', 403],
  'invalid-content-sha256': ['SignatureDoesNotMatch', 403],
  'unsigned-body': ['SignatureDoesNotMatch', 403],
  'wrong-body': ['SignatureDoesNotMatch', 403],
};

const S3_CODES: Readonly<Record<RefusalKind, Answer>> = {
  missing: ['AccessDenied', 403],
  unsupported: ['InvalidRequest', 400],
  'two-forms': ['InvalidArgument', 400],
  incomplete: ['AuthorizationHeaderMalformed', 400],
  'malformed-query': ['AuthorizationQueryParametersError', 400],
  'no-date': ['AccessDenied', 403],
  'wrong-scope': ['AuthorizationHeaderMalformed', 400],
  'unsigned-header': ['AccessDenied', 403],
  'unknown-key': ['InvalidAccessKeyId', 403],
  'wrong-signature': ['SignatureDoesNotMatch', 403],
  skewed: ['RequestTimeTooSkewed', 403],
  'expired-url': ['AccessDenied', 403],
  'invalid-token': ['InvalidToken', 400],
  'expired-token': ['ExpiredToken', 400],
  'no-content-sha256': ['InvalidRequest', 400],
  'invalid-content-sha256': ['InvalidArgument', 400],
  'unsigned-body': ['InvalidRequest', 400],
  'wrong-body': ['XAmzContentSHA256Mismatch', 400],
};

const CODES: Readonly<Record<Family, Readonly<Record<RefusalKind, Answer>>>> = {
  json: JSON_CODES,
  'rest-json': JSON_CODES,
  query: QUERY_CODES,
  s3: S3_CODES,
};

/** Messages where S3 uses other words than the rest. */
const S3_MESSAGES: Partial<Record<RefusalKind, string>> = {
  missing: 'Access Denied',
  'unsigned-header': 'There were headers present in the request which were not signed',
  'unknown-key': 'The AWS Access Key Id you provided does not exist in our records.',
  'wrong-signature': 'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  skewed: 'The difference between the request time and the current time is too large.',
  'invalid-token': 'The provided token is malformed or otherwise invalid.',
  'expired-token': 'The provided token has expired.',
};

/** The refusal as the clients of this family know it. */
export function signatureError(refusal: SignatureRefusal, family: Family): ApiError {
  const [code, status] = CODES[family][refusal.kind];
  const { header, ...others } = refusal.details as Record<string, string>;
  const message = family === 's3' ? (S3_MESSAGES[refusal.kind] ?? refusal.message) : refusal.message;
  const details = family === 's3' ? { ...others, ...(header === undefined ? {} : { HeadersNotSigned: header }) } : {};
  return new ApiError(code, message, { status, details, cause: refusal });
}
