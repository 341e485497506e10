/**
 * Answers a verified S3 request, and records it as S3 would.
 *
 * The record has S3's own shape: bucket, key, host and sub-resources as `requestParameters`, the ARNs touched, and how
 * many bytes went which way. Signatures, credentials and tokens of a presigned URL are left out of it (A85).
 * Source: records of `s3.amazonaws.com` in the CloudTrail User Guide and in published sets.
 */
import type { ServerResponse } from 'node:http';
import { ApiError } from '../../api/api-error.ts';
import type { CallRecord } from '../../api/call-record.ts';
import type { AccountId, JsonObject } from '../../event/types.ts';
import { encodeError, idHeaders, publicError, sendWhole } from '../respond.ts';
import { runCall } from '../run-call.ts';
import { SignatureRefusal, signatureError } from '../signature-refusal.ts';
import { writeAll } from '../write-body.ts';
import { findOperation, type RecordDeletions } from './find-operation.ts';
import { bucketArn, objectArn } from './names.ts';
import { receiveNothing } from './receive-body.ts';
import { operationRequests } from './s3-access.ts';
import { type S3Answer, S3Call, type S3Decision, type S3Operation, type S3Request } from './s3-call.ts';

const EVENT_SOURCE = 's3.amazonaws.com';

/** @throws ApiError and SignatureRefusal for refusals, after they were recorded. */
export async function handleS3(request: S3Request): Promise<void> {
  const call = new S3Call(request);
  const operation = findOperation(call, recordDeletions(call));
  call.eventName = operation.eventName;
  const answer = await runCall<S3Answer>(
    request.recording,
    async () => {
      // Where there is no bucket yet: of all others the operation opens its own.
      if (operation.eventName === 'ListBuckets' || operation.eventName === 'CreateBucket')
        await call.authorize(operationRequests(call, operation.eventName, undefined));
      if (!takesBody(operation, request.parts.method)) await receiveNothing(call);
      const decision = await operation.decide(call);
      return {
        record: recordOf(call, operation, decision),
        narrows: decision.bucketChange === undefined ? undefined : await request.narrowsBucket(decision.bucketChange),
        apply: decision.apply,
        ...(decision.discard === undefined ? {} : { discard: decision.discard }),
      };
    },
    (error) => recordOfRefusal(call, operation, error),
  );
  await send(request, answer);
}

/** Operations that read the body themselves; of all others it is read past. */
function takesBody({ eventName, isReadOnly }: S3Operation, method: string): boolean {
  return !isReadOnly && method !== 'DELETE' && eventName !== 'CopyObject';
}

/** One `DeleteObject` record for each object of a DeleteObjects call, all durable before the first is deleted. */
function recordDeletions(call: S3Call): RecordDeletions {
  return async (doomed) => {
    const base = { eventName: 'DeleteObject', isReadOnly: false, category: 'Data' as const };
    const records = doomed.map(
      ({ target: { key, versionId }, call: own, refusal }): CallRecord => ({
        call: own,
        eventSource: EVENT_SOURCE,
        ...base,
        requestParameters: { bucketName: call.bucket, Host: hostOf(call), key, ...(versionId === undefined ? {} : { versionId }) },
        responseElements: null,
        additionalEventData: additional(call, { in: 0, out: 0 }),
        resources: [{ type: 'AWS::S3::Object', name: objectArn(call.bucket, key) }, bucketResource(call, call.owner)],
        ...(refusal === undefined ? {} : { error: { code: refusal.code, message: refusal.message } }),
      }),
    );
    try {
      await Promise.all(records.map((record) => call.request.recording.recordCall(record)));
    } catch (cause) {
      throw new ApiError(
        'ServiceUnavailable',
        'The records of these deletions could not be made durable, so nothing was deleted. Try again.',
        { status: 503, cause },
      );
    }
  };
}

function recordOf(call: S3Call, operation: S3Operation, decision: S3Decision): CallRecord {
  return {
    ...baseRecord(call, operation),
    requestParameters: { ...requestParameters(call), ...decision.requestParameters },
    additionalEventData: additional(call, { in: decision.bytesIn ?? 0, out: decision.bytesOut ?? 0 }),
    resources: [...resources(call, call.bucketOwner ?? call.request.call.account), ...(decision.resources ?? [])],
    ...(decision.changes === undefined ? {} : { changes: decision.changes }),
  };
}

function recordOfRefusal(call: S3Call, operation: S3Operation, error: unknown): CallRecord {
  const refusal = error instanceof SignatureRefusal ? signatureError(error, 's3') : publicError(error, 's3');
  const out = Buffer.byteLength(encodeError(refusal, call.request.context).body);
  return {
    ...baseRecord(call, operation),
    requestParameters: requestParameters(call),
    additionalEventData: additional(call, { in: 0, out: call.request.parts.method === 'HEAD' ? 0 : out }),
    resources: resources(call, call.bucketOwner),
    error: { code: refusal.code, message: refusal.message },
  };
}

function baseRecord(call: S3Call, { eventName, isReadOnly, category }: S3Operation): Omit<CallRecord, 'requestParameters'> {
  return { call: call.request.call, eventSource: EVENT_SOURCE, eventName, isReadOnly, category, responseElements: null };
}

/** Headers that say what a call does; the rest says how it was sent. */
const RECORDED_HEADERS = [
  'x-amz-acl',
  'x-amz-copy-source',
  'x-amz-copy-source-range',
  'x-amz-metadata-directive',
  'x-amz-expected-bucket-owner',
  'x-amz-source-expected-bucket-owner',
  'x-amz-bypass-governance-retention',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-object-lock-legal-hold',
  'x-amz-bucket-object-lock-enabled',
  'x-amz-object-ownership',
  'x-amz-storage-class',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-context',
  'x-amz-server-side-encryption-bucket-key-enabled',
];
/** Secrets, and names that a client must not be able to put its own words under. */
const UNRECORDED = new Set(['x-amz-signature', 'x-amz-credential', 'x-amz-security-token', 'bucketname', 'host', 'key']);

function requestParameters(call: S3Call): JsonObject {
  const members: [string, string][] = [];
  if (call.bucketName !== undefined) members.push(['bucketName', call.bucketName]);
  members.push(['Host', hostOf(call)]);
  if (call.objectKey !== undefined) members.push(['key', call.objectKey]);
  for (const [name, value] of call.request.query) if (!UNRECORDED.has(name.toLowerCase())) members.push([name, value]);
  for (const name of RECORDED_HEADERS) {
    const value = call.request.request.headers[name];
    if (typeof value === 'string') members.push([name, Buffer.from(value, 'latin1').toString('utf8')]);
  }
  // `fromEntries` makes an own member of any name that the client chose (A47).
  return Object.fromEntries(members);
}

function additional({ request }: S3Call, bytes: { readonly in: number; readonly out: number }): JsonObject {
  return {
    SignatureVersion: 'SigV4',
    bytesTransferredIn: bytes.in,
    AuthenticationMethod: request.form === 'header' ? 'AuthHeader' : 'QueryString',
    'x-amz-id-2': request.hostId,
    bytesTransferredOut: bytes.out,
  };
}

/** @param owner Absent where the caller may not know: a record says of no other account what it owns, and of the caller nothing false. */
function resources(call: S3Call, owner: AccountId | undefined): NonNullable<CallRecord['resources']> {
  if (call.bucketName === undefined) return [];
  if (call.objectKey === undefined) return [bucketResource(call, owner)];
  return [{ type: 'AWS::S3::Object', name: objectArn(call.bucketName, call.objectKey) }, bucketResource(call, owner)];
}

function bucketResource(call: S3Call, owner: AccountId | undefined): NonNullable<CallRecord['resources']>[number] {
  const account = owner === undefined ? {} : { account: owner };
  return { type: 'AWS::S3::Bucket', name: bucketArn(call.bucket), ...account };
}

function hostOf({ request }: S3Call): string {
  return request.request.headers.host ?? '';
}

async function send({ response, context, limits }: S3Request, answer: S3Answer): Promise<void> {
  const { status, headers = {}, text, body, bodyBytes } = answer;
  if (text !== undefined) return sendWhole(response, context, { status, headers, body: text });
  if (body === undefined) return sendEmpty(response, { ...idHeaders(context), ...headers }, status, context.method);
  response.writeHead(status, { ...idHeaders(context), ...headers, 'content-length': `${bodyBytes}` });
  for await (const piece of body) await writeAll(response, piece, limits.writeTimeoutMs);
  response.end();
}

function sendEmpty(response: ServerResponse, headers: Record<string, string>, status: number, method: string): void {
  const hasLength = status === 204 || status === 304 || method === 'HEAD';
  response.writeHead(status, hasLength ? headers : { ...headers, 'content-length': '0' });
  response.end();
}
