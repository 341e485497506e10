/**
 * One S3 call: what it names, how its parts are read, and what an operation decides about it.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessRequest } from '../../api/access.ts';
import { ApiError } from '../../api/api-error.ts';
import type { CallRecord } from '../../api/call-record.ts';
import type { ConfigurationChange } from '../../api/configuration-change.ts';
import type { Call } from '../../api/operation.ts';
import type { AccountId, BucketName, JsonObject, ObjectKey } from '../../event/types.ts';
import type { BucketChange } from '../../store/bucket-change.ts';
import type { Chance, Clock } from '../../store/clock.ts';
import type { ObjectKeys } from '../../store/object-keys.ts';
import type { LockTime } from '../../store/object-lock.ts';
import type { Bucket, Objects } from '../../store/objects.ts';
import type { RequestParts } from '../canonical-request.ts';
import type { HttpLimits } from '../limits.ts';
import type { HttpPorts } from '../ports.ts';
import type { AnswerContext } from '../respond.ts';
import type { Recording } from '../run-call.ts';
import { s3Error } from './errors.ts';
import type { MultipartUploads } from './multipart-uploads.ts';
import { readPlace } from './names.ts';
import { deletionRequests, isOfOperator, listingRequests, operationRequests, type S3Target, sourceRequests } from './s3-access.ts';

/** S3 counts with 32 bits. */
const WHOLE_MAX = 2 ** 31 - 1;

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** The body of a call, decoded and with the signatures of its chunks verified, its whole not yet. */
export interface S3Body {
  /** The hash that the request's signature covers; absent where the body went unsigned or in signed chunks. */
  readonly declaredSha256: string | undefined;
  /** Bytes without chunk heads; `undefined` when the client does not say. */
  readonly length: number | undefined;
  /** Filled in when the body has been read. */
  readonly trailers: ReadonlyMap<string, string>;
  readonly stream: (bytesMax: number) => AsyncIterable<Uint8Array>;
  readonly reserve: (bytes: number) => boolean;
  readonly release: (bytes: number) => void;
}

/** A verified request for S3. */
export interface S3Request {
  readonly parts: RequestParts;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly call: Call;
  readonly form: 'header' | 'query';
  readonly hostId: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly context: AnswerContext;
  readonly limits: HttpLimits;
  readonly objects: Objects;
  readonly objectKeys: ObjectKeys;
  readonly uploads: MultipartUploads;
  readonly clock: Clock;
  /** What of a lock has ended, as the store counts it. */
  readonly lockTime: LockTime;
  readonly chance: Chance;
  readonly recording: Recording;
  readonly narrowsBucket: HttpPorts['narrowsBucket'];
  readonly body: S3Body;
}

/** What is sent back. At most one of `text` and `body`. */
export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** XML, or a policy's JSON. */
  readonly text?: string;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly bodyBytes?: number;
}

/** What an operation decided; carried out once its record is durable. */
export interface S3Decision {
  /** Changes what is to be changed, and gives the answer. */
  readonly apply: () => Promise<S3Answer> | S3Answer;
  /** See `Decision.changes`. */
  readonly changes?: readonly ConfigurationChange[];
  /** The answer of a read, for the count of bytes in its record. */
  readonly bytesOut?: number;
  readonly bytesIn?: number;
  /** What it changes of a bucket, where that may make the record smaller (see `Decision.narrows`). */
  readonly bucketChange?: BucketChange;
  /** Members of `requestParameters` besides the request's own. */
  readonly requestParameters?: JsonObject;
  readonly resources?: CallRecord['resources'];
  readonly discard?: () => Promise<void>;
}

/** One of several objects of a call, as `openEach` found it. */
export interface Opened<T> {
  readonly target: T;
  readonly call: Call;
  readonly refusal?: ApiError;
}

/** One operation of S3, under the name that its events carry. */
export interface S3Operation {
  readonly eventName: string;
  readonly isReadOnly: boolean;
  readonly category: 'Management' | 'Data';
  readonly decide: (call: S3Call) => Promise<S3Decision>;
}

export class S3Call {
  readonly request: S3Request;
  readonly bucketName: BucketName | undefined;
  readonly objectKey: ObjectKey | undefined;
  /** The operation that was found; what its caller must be allowed follows from it. */
  eventName = '';
  /** Whose the call's bucket is, once the caller may know. */
  bucketOwner: AccountId | undefined;
  readonly #query: ReadonlyMap<string, string>;
  /** Headers that a presigned URL carries as parameters, as SDKs write them there: byte strings by lower-case name. */
  readonly #hoisted: ReadonlyMap<string, string>;

  /** @throws ApiError when the path names nothing, or a parameter comes twice. */
  constructor(request: S3Request) {
    this.request = request;
    const query = new Map<string, string>();
    for (const [name, value] of request.query) {
      if (query.has(name))
        throw s3Error('InvalidArgument', { message: `The query parameter ${name.slice(0, 64)} is given more than once` });
      query.set(name, value);
    }
    this.#query = query;
    this.#hoisted = request.form === 'query' ? hoistedHeaders(request.query) : new Map();
    const { bucket, key } = readPlace(request.parts.path);
    this.bucketName = bucket;
    this.objectKey = key;
  }

  get objects(): Objects {
    return this.request.objects;
  }

  /** A query parameter; empty text when it has no value, `undefined` when it is absent. */
  param(name: string): string | undefined {
    return this.#query.get(name);
  }

  hasParam(name: string): boolean {
    return this.#query.has(name);
  }

  /** A header as UTF-8. @throws ApiError when its bytes are no UTF-8. */
  header(name: string): string | undefined {
    const value = this.rawHeader(name);
    return value === undefined ? undefined : fromHeader(value);
  }

  /** A header as a byte string. */
  rawHeader(name: string): string | undefined {
    const value = this.request.request.headers[name];
    if (value === undefined) return this.#hoisted.get(name);
    return Array.isArray(value) ? value.join(',') : value;
  }

  /** Lower-case names of the headers that `header` knows. */
  headerNames(): ReadonlySet<string> {
    return new Set([...Object.keys(this.request.request.headers), ...this.#hoisted.keys()]);
  }

  get bucket(): BucketName {
    if (this.bucketName === undefined) throw s3Error('MethodNotAllowed');
    return this.bucketName;
  }

  get key(): ObjectKey {
    if (this.objectKey === undefined) throw s3Error('MethodNotAllowed');
    return this.objectKey;
  }

  /**
   * The call's bucket, when the caller may do there what the operation does.
   * @throws ApiError NoSuchBucket, AccessDenied
   */
  async openBucket(): Promise<Bucket> {
    const bucket = await this.#findBucket(this.bucket, 'x-amz-expected-bucket-owner');
    const { account, principal } = this.request.call;
    const owner = bucket.owner ?? account;
    // A refusal tells no other account whose the bucket is.
    if (bucket.owner === account || (bucket.owner === undefined && isOfOperator(principal))) this.bucketOwner = owner;
    const requests = operationRequests(this, this.eventName, bucket);
    await this.authorize(requests);
    // A call that asks for each of its objects opens nothing by itself.
    if (requests.length > 0) this.bucketOwner = owner;
    return bucket;
  }

  /**
   * As `openBucket`, for settings that this server alone keeps and obeys: of a bucket at another S3 it knows nothing of them.
   * @throws ApiError as `openBucket`, and NotImplemented
   */
  async openBuiltInBucket(): Promise<Bucket> {
    const bucket = await this.openBucket();
    if (bucket.owner === undefined)
      throw s3Error('NotImplemented', { message: 'This bucket lies at another S3, which keeps this setting and obeys it: ask there.' });
    return bucket;
  }

  /**
   * Asks for each of the objects of one call.
   * @returns each with the call that its record is of, and the refusal, if it was refused.
   * @throws ApiError AccessDenied when all are refused.
   */
  async openEach<T extends S3Target>(bucket: Bucket, targets: readonly T[]): Promise<readonly Opened<T>[]> {
    const opened = await Promise.all(
      targets.map(async (target): Promise<Opened<T>> => {
        // The statement that decided is kept by call.
        const call = { ...this.request.call };
        try {
          await this.request.recording.authorize(call, deletionRequests(this, bucket, target));
          return { target, call };
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          return { target, call, refusal: error };
        }
      }),
    );
    const [first] = opened;
    if (first?.refusal !== undefined && opened.every(({ refusal }) => refusal !== undefined)) throw first.refusal;
    this.bucketOwner = bucket.owner ?? this.request.call.account;
    return opened;
  }

  /** Who may not list a bucket is not told either that something is not there. @throws ApiError AccessDenied */
  async requireListing(bucket: Bucket): Promise<void> {
    await this.authorize(listingRequests(this, bucket));
  }

  /**
   * Whose the bucket of a call is that was let through.
   * @throws Error before.
   */
  get owner(): AccountId {
    if (this.bucketOwner === undefined) throw new Error('the bucket was not opened');
    return this.bucketOwner;
  }

  /** The bucket that a copy reads from, when the caller may read this object. @throws ApiError NoSuchBucket, AccessDenied */
  async openSource(name: BucketName, target: S3Target): Promise<Bucket> {
    const bucket = await this.#findBucket(name, 'x-amz-source-expected-bucket-owner');
    await this.authorize(sourceRequests(this, bucket, target));
    return bucket;
  }

  /** @throws ApiError AccessDenied */
  authorize(requests: readonly AccessRequest[]): Promise<void> {
    return this.request.recording.authorize(this.request.call, requests);
  }

  /** @param expectation Header that names the owner whom the client expects. */
  async #findBucket(name: BucketName, expectation: string): Promise<Bucket> {
    const bucket = await this.objects.getBucket(name);
    if (bucket === undefined) throw s3Error('NoSuchBucket', { details: { BucketName: name } });
    const expected = this.header(expectation);
    if (expected !== undefined && expected !== bucket.owner) throw s3Error('AccessDenied');
    return bucket;
  }

  /** A whole number in a parameter. @throws ApiError InvalidArgument */
  whole(name: string, bounds: { readonly fallback: number; readonly max: number }): number {
    const text = this.param(name);
    if (text === undefined || text === '') return bounds.fallback;
    if (!/^\d{1,10}$/.test(text) || Number(text) > WHOLE_MAX)
      throw s3Error('InvalidArgument', {
        message: `Provided ${name} not an integer or within integer range`,
        details: { ArgumentName: name, ArgumentValue: text.slice(0, 64) },
      });
    return Math.min(Number(text), bounds.max);
  }
}

/** Parameters of a URL that are not taken for headers: S3 ignores a checksum there, for SDKs sign that of an empty body. */
const NOT_HOISTED = /^x-amz-(?:checksum-(?!mode$|algorithm$|type$)|sdk-checksum-algorithm$|trailer$)/;

function hoistedHeaders(query: S3Request['query']): ReadonlyMap<string, string> {
  const headers = query
    .map(([name, value]) => [name.toLowerCase(), Buffer.from(value, 'utf8').toString('latin1')] as const)
    .filter(([name]) => name.startsWith('x-amz-') && !NOT_HOISTED.test(name));
  return new Map(headers);
}

/** Text of a header's byte string. @throws ApiError InvalidArgument when its bytes are no UTF-8. */
function fromHeader(value: string): string {
  // Most values are ASCII.
  if (!/[\u0080-\uffff]/.test(value)) return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'));
  } catch (cause) {
    throw s3Error('InvalidArgument', { message: 'A header is not UTF-8', cause });
  }
}

/** The byte string of a header. @throws ApiError InvalidArgument for what no header can hold. */
export function toHeader(text: string): string {
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text))
    throw s3Error('InvalidArgument', { message: 'A header value holds control characters' });
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The id that S3 calls an account by in owners and grants: 64 hexadecimal digits, the same each time. */
export function canonicalId(account: string): string {
  return createHash('sha256').update(`snowtrail canonical user ${account}`).digest('hex');
}

/** An answer without a body. */
export function empty(status: number, headers: Readonly<Record<string, string>> = {}): S3Answer {
  return { status, headers };
}

/** A read that answers with XML. */
export function answerXml(text: string, headers: Readonly<Record<string, string>> = {}): S3Decision {
  return {
    bytesOut: Buffer.byteLength(text, 'utf8'),
    apply: () => ({ status: 200, headers: { 'content-type': 'application/xml', ...headers }, text }),
  };
}
