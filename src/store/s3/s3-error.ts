/**
 * Turns what the AWS SDK throws into `ObjectsError` with S3's code, or with the system's where no answer came.
 */
import { ObjectsError } from '../objects.ts';

/** Answers to HEAD have no body, so the status is all that they say. */
const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  400: 'BadRequest',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  405: 'MethodNotAllowed',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  500: 'InternalError',
  501: 'NotImplemented',
  503: 'ServiceUnavailable',
};

/** Names that the SDK gives where the service gave none. */
const NAMELESS = new Set([
  'Error',
  'NotFound',
  'Forbidden',
  'Unknown',
  'UnknownError',
  'SyntaxError',
  'TypeError',
  'S3ServiceException',
  '',
]);

/** @param what Bucket or object of the request, for the message. */
export function toObjectsError(error: unknown, what: string): ObjectsError {
  if (error instanceof ObjectsError) return error;
  const { name, message, code, $metadata } = error as Error & { code?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const told = `\`${what}\`: ${message}`;
  if (status !== undefined) {
    const isNamed = !NAMELESS.has(name) && !/^\d+$/.test(name);
    return new ObjectsError(isNamed ? name : (CODE_OF_STATUS[status] ?? `Http${status}`), told, { cause: error });
  }
  // The SDK calls a connection that broke a time-out as well; the system's code says which it was.
  if (name === 'TimeoutError' && code === undefined) return new ObjectsError('RequestTimeout', told, { cause: error });
  return new ObjectsError(code ?? 'InternalError', told, { cause: error });
}
