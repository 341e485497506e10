/**
 * Writes answers, and turns refusals into the error documents that clients of each protocol know. The only place where
 * an error becomes a response; what is not an `ApiError` leaves as an internal error without its message or stack.
 *
 * Source: cloudtrail.md §0.1 "Error body"; S3 API Reference, "REST Error Responses"; AWS Query protocol.
 */
import type { ServerResponse } from 'node:http';
import { ApiError } from '../api/api-error.ts';
import { errorStatus } from '../api/errors.ts';
import type { Chance } from '../store/clock.ts';
import { ObjectsError } from '../store/objects.ts';
import { s3Error, s3ErrorStatus } from './s3/errors.ts';
import type { Family } from './signature-refusal.ts';
import { xmlDocument } from './xml.ts';

/** Who answers what: decides the form of the answer. */
export interface AnswerContext {
  readonly family: Family;
  readonly requestId: string;
  /** S3's second id; empty elsewhere. */
  readonly hostId: string;
  readonly method: string;
  /** Path of the request, for S3's error document. */
  readonly path: string;
  /** `xmlns` of the query protocol's answers. */
  readonly namespace?: string;
}

/** A fresh `x-amz-id-2`. It means nothing; clients print it. */
export function newHostId(chance: Chance): string {
  return Buffer.from(chance.bytes(36)).toString('base64');
}

/** Headers that every answer of this family carries. */
export function idHeaders({ family, requestId, hostId }: AnswerContext): Record<string, string> {
  return family === 's3' ? { 'x-amz-request-id': requestId, 'x-amz-id-2': hostId } : { 'x-amzn-RequestId': requestId };
}

/** Sends a body that lies in memory. A HEAD request gets its headers only. */
export function sendWhole(
  response: ServerResponse,
  context: AnswerContext,
  answer: { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string | Uint8Array },
): void {
  const bytes = typeof answer.body === 'string' ? Buffer.from(answer.body, 'utf8') : answer.body;
  const hasBody = answer.status !== 204 && answer.status !== 304;
  response.writeHead(answer.status, {
    ...idHeaders(context),
    ...answer.headers,
    ...(hasBody ? { 'content-length': `${bytes.length}` } : {}),
  });
  response.end(hasBody && context.method !== 'HEAD' ? bytes : undefined);
}

/** What a caller is told of an error that is none of its business. */
export function publicError(error: unknown, family: Family): ApiError {
  if (error instanceof ApiError)
    return family === 's3' && error.code === 'ThrottlingException' ? s3Error('SlowDown', { cause: error }) : error;
  // The store's refusals carry S3's own codes.
  if (error instanceof ObjectsError && error.reason !== 'InternalError') return new ApiError(error.reason, error.message, { cause: error });
  return family === 's3'
    ? new ApiError('InternalError', 'We encountered an internal error. Please try again.', { status: 500, cause: error })
    : new ApiError('InternalFailure', 'The request processing has failed because of an unknown error, exception or failure.', {
        status: 500,
        cause: error,
      });
}

function statusOf(error: ApiError, family: Family): number {
  return error.status ?? (family === 's3' ? s3ErrorStatus(error.code) : errorStatus(error.code));
}

/** The error document of one family. */
export function encodeError(
  error: ApiError,
  context: AnswerContext,
): { readonly status: number; readonly headers: Record<string, string>; readonly body: string } {
  const status = statusOf(error, context.family);
  switch (context.family) {
    case 'json':
      return {
        status,
        headers: { 'content-type': 'application/x-amz-json-1.1' },
        body: JSON.stringify({ __type: error.code, Message: error.message, ...error.details }),
      };
    case 'rest-json':
      return {
        status,
        headers: { 'content-type': 'application/json', 'x-amzn-ErrorType': error.code },
        body: JSON.stringify({ message: error.message }),
      };
    case 'query': {
      const document = {
        Error: { Type: status >= 500 ? 'Receiver' : 'Sender', Code: error.code, Message: error.message },
        RequestId: context.requestId,
      };
      return { status, headers: { 'content-type': 'text/xml' }, body: xmlDocument('ErrorResponse', document, context.namespace) };
    }
    case 's3': {
      const { 'header:content-range': contentRange, ...details } = error.details;
      const document = {
        Code: error.code,
        Message: error.message,
        ...details,
        Resource: context.path,
        RequestId: context.requestId,
        HostId: context.hostId,
      };
      return {
        status,
        headers: { 'content-type': 'application/xml', ...(contentRange === undefined ? {} : { 'content-range': contentRange }) },
        body: xmlDocument('Error', document),
      };
    }
  }
}
