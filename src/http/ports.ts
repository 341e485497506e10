/**
 * What the HTTP side needs from the rest; `server/` fills it in.
 */

import type { CallRecord, RecordCall } from '../api/call-record.ts';
import type { FindCredentials } from '../api/credentials.ts';
import type { Authorize, Call, Guard, OperationTable } from '../api/operation.ts';
import type { EpochMs, Json, JsonObject, Region } from '../event/types.ts';
import type { BucketChange } from '../store/bucket-change.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { ObjectKeys } from '../store/object-keys.ts';
import type { LockTime } from '../store/object-lock.ts';
import type { Objects } from '../store/objects.ts';
import type { IsTrustedProxy } from './client-of.ts';
import type { HttpLimits } from './limits.ts';
import type { TrustedCaller } from './trusted-caller.ts';

/** A service that speaks in operations. S3 is none of these: it has its own rules. */
export interface Service {
  /**
   * `aws-json`: `POST /`, the operation in `X-Amz-Target`. `query`: `Action=` in a form or the query string, XML out.
   * `rest-json`: `POST /<Operation>`. `snowtrail`: `POST /v1/<Operation>`, JSON in and out.
   */
  readonly protocol: 'aws-json' | 'query' | 'rest-json' | 'snowtrail';
  /** Such as `cloudtrail.amazonaws.com`. */
  readonly eventSource: string;
  /** Region of all calls of a service that has no Regions (cloudtrail.md §2.3); absent: that of the signature. */
  readonly region?: Region;
  /** Such as `2013-11-01`; absent where records of the service carry none. */
  readonly apiVersion?: string;
  /** Of its calls' own events; `Management` when absent. */
  readonly category?: CallRecord['category'];
  /** `xmlns` of the answers of the query protocol. */
  readonly namespace?: string;
  readonly operations: OperationTable;
  /** Operations of the service's model that may be missing in `operations`: these are unsupported, not unknown. */
  readonly modelled?: ReadonlySet<string>;
  /** Turns the input into what operations take. Absent: any JSON object will do. @throws ApiError SerializationException */
  readonly decodeInput?: (operation: string, json: Json) => unknown;
  /**
   * `requestParameters` of a call's event, made of what `decodeInput` gave, also when the call is refused: where the service leaves
   * members out, or writes some as they came. Absent: the input with its first letters lowered.
   */
  readonly recordInput?: (operation: string, input: object) => JsonObject | null;
  /** Holds a decoded input against the constraints of the model, before the caller's permissions are asked. @throws ApiError */
  readonly checkInput?: (operation: string, input: object) => void;
  /** Turns an output into its JSON. Absent: it is JSON already. */
  readonly encodeOutput?: (operation: string, output: unknown) => Json;
}

/** The answer of a streamed route, written piece by piece. */
export interface StreamAnswer {
  /** Status and headers; they go out with the first piece, or with the end. Once. */
  start(status: number, headers: Readonly<Record<string, string>>): void;
  /** Resolves when the client has taken enough for more. @throws Error when it has gone, or takes nothing for 30 s. */
  write(piece: Uint8Array | string): Promise<void>;
}

export interface StreamRequest {
  readonly call: Call;
  /** Decoded parameters; of a repeated one the last. */
  readonly query: ReadonlyMap<string, string>;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Verified and decompressed: what is yielded was signed. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly answer: StreamAnswer;
}

/** A route with a streamed body, such as `POST /v1/events`. Service `snowtrail`. */
export interface StreamRoute {
  /** Most bytes of the body, before and after decompression. */
  readonly bodyBytesMax: number;
  /** The name that a refused call is recorded under, which is its action's, too: such as `SubmitEvents`. */
  readonly eventName: string;
  /** Records the call itself in what it appends. Resolves when the answer is complete. @throws ApiError before `start`. */
  readonly handle: (request: StreamRequest) => Promise<void>;
}

/** A page that needs no signature, such as `/healthz`. */
export type Page = (request: {
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
  readonly query: string;
  /** The header, such as `Bearer …`; never a signature. */
  readonly authorization: string | undefined;
}) => Promise<PageAnswer>;

export interface PageAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Something went wrong that the caller is told about in general words only. Never holds a secret. */
export type HttpProblem =
  /** A bug, or a store that failed: the caller got an internal error. */
  | { readonly kind: 'internal'; readonly requestId: string; readonly error: unknown }
  /** A read was answered although its record could not be made durable. */
  | { readonly kind: 'read-not-recorded'; readonly requestId: string; readonly eventName: string; readonly error: unknown }
  /** The record of a refused or failed call could not be made durable. */
  | { readonly kind: 'refusal-not-recorded'; readonly requestId: string; readonly eventName: string; readonly error: unknown }
  /** Somebody tried to get in: no such key, a wrong signature, a bad token. */
  | {
      readonly kind: 'signature-refused';
      readonly requestId: string;
      readonly code: string;
      readonly accessKeyId?: string;
      readonly sourceIpAddress: string;
    }
  /** The server itself: accepting a connection failed, such as for want of file descriptors. */
  | { readonly kind: 'accept-failed'; readonly error: unknown };

export interface HttpPorts {
  readonly findCredentials: FindCredentials;
  /** The choke point: every call of every service passes it. */
  readonly authorize: Authorize;
  /** Peers that are believed what they say of their clients. */
  readonly isTrustedProxy: IsTrustedProxy;
  /** Takes the reach over all accounts from a caller of the first account that no policy gives it. Of every call whose caller is known. */
  readonly withReach: (call: Call) => Promise<Call>;
  /** Set for a server without authentication: every request is this caller's. */
  readonly trustedCaller?: TrustedCaller;
  /** Holds narrowing changes back until they are approved, where the operator wants that. */
  readonly guard: Guard;
  /** What a change of a bucket takes from the trails that deliver to it, as a clause; `undefined` when it takes nothing. */
  readonly narrowsBucket: (change: BucketChange) => Promise<string | undefined>;
  readonly recordCall: RecordCall;
  readonly clock: Clock;
  /** What of a lock on an object has ended. */
  readonly lockTime: LockTime;
  readonly chance: Chance;
  readonly objects: Objects;
  readonly objectKeys: ObjectKeys;
  /** By SigV4 service name, such as `cloudtrail`, `sts`, `snowtrail`. `s3` is built in. */
  readonly services: ReadonlyMap<string, Service>;
  /** By method and path, such as `POST /v1/events`. */
  readonly streams: ReadonlyMap<string, StreamRoute>;
  /** By path, such as `/healthz`. GET and HEAD, without a signature; not recorded. */
  readonly pages: ReadonlyMap<string, Page>;
  readonly limits: HttpLimits;
  /** The real time, which clients sign with; `clock` may be set by hand. */
  readonly signatureTimeMs: () => EpochMs;
  readonly report: (problem: HttpProblem) => void;
}
