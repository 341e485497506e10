/**
 * A refused request, with the exact name that the service's clients know.
 *
 * Thrown where the refusal is found; `http/respond.ts` alone turns it into a response.
 * Source: CloudTrail API Reference, "Errors"; S3 API Reference, "Error responses".
 */
export class ApiError extends Error {
  /** The wire name, such as `TrailNotFoundException` (CloudTrail) or `NoSuchKey` (S3). */
  readonly code: string;
  /** The HTTP status; `undefined` leaves it to the table of the service's errors, 400 where that has none. */
  readonly status: number | undefined;
  /** Further members of the error document, such as S3's `BucketName`. */
  readonly details: Readonly<Record<string, string>>;

  constructor(code: string, message: string, options: { status?: number; details?: Record<string, string>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.status = options.status;
    this.details = options.details ?? {};
  }
}

/** Something of the service that is not built here. */
export function unsupported(what: string): ApiError {
  return new ApiError('UnsupportedOperationException', `${what} is not supported by this installation yet.`);
}
