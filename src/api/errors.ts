/**
 * HTTP statuses of CloudTrail's errors.
 *
 * The models give each exception its status (cloudtrail.md §13: 403, 404, 409 and 429 exist, not "always 400"). The
 * errors that every service has are in no model; theirs are from the API reference's page of common errors.
 */
import { errorModel } from './model.ts';

const COMMON_STATUS: ReadonlyMap<string, number> = new Map([
  ['ExpiredTokenException', 403],
  ['IncompleteSignature', 403],
  ['IncompleteSignatureException', 403],
  ['InternalFailure', 500],
  ['InvalidClientTokenId', 403],
  ['InvalidSignatureException', 403],
  ['MissingAuthenticationTokenException', 403],
  ['NotAuthorized', 401],
  ['OptInRequired', 403],
  ['RequestEntityTooLargeException', 413],
  ['RequestExpired', 403],
  ['RequestTimeoutException', 408],
  ['ServiceUnavailable', 503],
  ['SignatureDoesNotMatch', 403],
  ['UnknownOperationException', 404],
  ['UnrecognizedClientException', 403],
]);

/** The HTTP status of an error's wire name; 400 for a name that no table has. */
export function errorStatus(code: string): number {
  return errorModel(code)?.status ?? COMMON_STATUS.get(code) ?? 400;
}
