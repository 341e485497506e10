/**
 * Writes a call to this server's own APIs as a CloudTrail record and makes it durable.
 *
 * The record has the shape, member order and limits of the service (cloudtrail.md §1.2, §1.5). It is written before the call takes
 * effect; when it cannot be made durable within two seconds, the caller refuses a mutating call (F37).
 */
import type { AccessDecision } from '../api/access.ts';
import type { CallRecord, RecordCall } from '../api/call-record.ts';
import type { Call, Principal } from '../api/operation.ts';
import { parseEvent } from '../event/parse-event.ts';
import { formatEventTime } from '../event/times.ts';
import type { JsonObject } from '../event/types.ts';
import type { IntakeStores } from './accept-events.ts';

/** How long a call waits for its record. */
const RECORD_TIMEOUT_MS = 2_000;
/** Above it the service leaves the member out and says so (cloudtrail.md §1.5). */
const PARAMETERS_BYTES_MAX = 100 * 1024;
/** Above it the service cuts the text. */
const TEXT_BYTES_MAX = 1024;

export interface RecorderDeps extends Omit<IntakeStores, 'accounts'> {
  /** Which statement let a call through, or did not; kept in `additionalEventData`. Absent: nobody is asked. */
  readonly decisionOf?: (call: Call) => AccessDecision | undefined;
}

/** Makes the recorder that `http/` calls for every authenticated call. */
export function createCallRecorder(stores: RecorderDeps): RecordCall {
  return async (written) => {
    const record = withDecision(written, stores.decisionOf?.(written.call));
    const receivedAtMs = stores.clock.nowMs();
    const { account, region } = record.call;
    const now = { eventId: stores.chance.uuid(), nowMs: receivedAtMs };
    const read = (bytes: Uint8Array) => parseEvent(bytes, { account, region, nowMs: receivedAtMs }, stores);
    let bytes = encodeCallRecord(record, now);
    let outcome = read(bytes);
    if (outcome.kind === 'refused') {
      // The caller's input nests too deep or has too many members to be read back: no reason to lose the record.
      bytes = encodeCallRecord(withoutValues(record), now);
      outcome = read(bytes);
    }
    if (outcome.kind === 'refused') throw new Error(`the record of ${record.eventName} is not an event: ${outcome.reason}`);
    const { event } = outcome;
    const append = () =>
      stores.journal.append([{ kind: 'event', source: 'own-call', account, region, eventId: event.eventId, receivedAtMs, bytes, event }]);
    const regionSaved = stores.regions.use(account, region, receivedAtMs);
    await within(RECORD_TIMEOUT_MS, stores.clock, regionSaved === undefined ? append() : regionSaved.then(append));
  };
}

/**
 * The bytes of the record, in the member order of delivered files.
 *
 * @param now The id of the event, and the time that becomes `eventTime`.
 */
function encodeCallRecord(record: CallRecord, now: { readonly eventId: string; readonly nowMs: number }): Uint8Array {
  const { call, error } = record;
  const json: JsonObject = {
    eventVersion: '1.10',
    userIdentity: userIdentity(call.principal),
    eventTime: formatEventTime(now.nowMs),
    eventSource: record.eventSource,
    eventName: record.eventName,
    awsRegion: call.region,
    sourceIPAddress: call.sourceIpAddress,
    userAgent: cut(call.userAgent),
    ...(error === undefined ? {} : { errorCode: cut(recordedCode(error.code)), errorMessage: cut(error.message) }),
    requestParameters: bounded(record.requestParameters),
    responseElements: error === undefined ? bounded(record.responseElements) : null,
    ...(record.additionalEventData === undefined ? {} : { additionalEventData: record.additionalEventData }),
    requestID: call.requestId,
    eventID: now.eventId,
    readOnly: record.isReadOnly,
    ...(record.resources === undefined || record.resources.length === 0 ? {} : { resources: record.resources.map(resource) }),
    eventType: 'AwsApiCall',
    ...(record.apiVersion === undefined ? {} : { apiVersion: record.apiVersion }),
    managementEvent: record.category === 'Management',
    recipientAccountId: call.account,
    eventCategory: record.category,
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

/** Records spell a denial in one way, whatever the name is that the service's clients know. */
function recordedCode(code: string): string {
  return code === 'AccessDeniedException' || code === 'AuthorizationError' ? 'AccessDenied' : code;
}

function withDecision(record: CallRecord, decision: AccessDecision | undefined): CallRecord {
  if (decision === undefined) return record;
  return { ...record, additionalEventData: { ...record.additionalEventData, accessDecision: { ...decision } } };
}

function userIdentity(principal: Principal): JsonObject {
  return {
    type: principal.type,
    principalId: principal.principalId,
    arn: principal.arn,
    accountId: principal.account,
    accessKeyId: principal.accessKeyId,
    ...(principal.userName === undefined ? {} : { userName: principal.userName }),
  };
}

function resource(found: NonNullable<CallRecord['resources']>[number]): JsonObject {
  return {
    ...(found.account === undefined ? {} : { accountId: found.account }),
    ...(found.type === undefined ? {} : { type: found.type }),
    ARN: found.name,
  };
}

function bounded(value: JsonObject | null): JsonObject | null {
  if (value === null) return null;
  return new TextEncoder().encode(JSON.stringify(value)).length > PARAMETERS_BYTES_MAX ? { omitted: true } : value;
}

function withoutValues(record: CallRecord): CallRecord {
  const without = (value: JsonObject | null) => (value === null ? null : { omitted: true });
  return { ...record, requestParameters: without(record.requestParameters), responseElements: without(record.responseElements) };
}

function cut(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= TEXT_BYTES_MAX) return text;
  return bytes
    .subarray(0, TEXT_BYTES_MAX)
    .toString('utf8')
    .replace(/\uFFFD$/u, '');
}

/** Why the wait for the time limit ends. An error made for each call, with its stack, would cost more than the timer. */
const DONE = new Error('the record is written');

/** @throws Error when `work` has not ended in time. What it started goes on: its outcome is then unknown to the caller. */
async function within<T>(timeoutMs: number, clock: IntakeStores['clock'], work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(timeoutMs, done.signal).then((): never => {
    throw new Error(`the record was not durable within ${timeoutMs} ms`);
  });
  // Whoever loses the race must not end the process.
  late.catch(() => undefined);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort(DONE);
  }
}
