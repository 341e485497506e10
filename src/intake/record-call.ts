/**
 * Writes a call to this server's own APIs as a CloudTrail record and makes it durable.
 *
 * The record has the shape, member order and limits of the service (cloudtrail.md §1.2, §1.5). It is written before the call takes
 * effect; when it cannot be made durable within two seconds, the caller refuses a mutating call (F37).
 */
import type { AccessDecision } from '../api/access.ts';
import type { CallRecord, RecordCall } from '../api/call-record.ts';
import type { Call } from '../api/operation.ts';
import { parseEvent } from '../event/parse-event.ts';
import { formatEventTime } from '../event/times.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import { configurationFacts } from '../store/append-configuration.ts';
import type { NewFact } from '../store/journal.ts';
import type { IntakeStores } from './accept-events.ts';
import { foreignIdentity, userIdentity } from './user-identity.ts';

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
    const { region } = record.call;
    const read = (bytes: Uint8Array, account: AccountId) => parseEvent(bytes, { account, region, nowMs: receivedAtMs }, stores);
    const entryOf = (copy: Copy) => {
      let bytes = encodeCallRecord(record, copy);
      let outcome = read(bytes, copy.account);
      if (outcome.kind === 'refused') {
        // The caller's input nests too deep or has too many members to be read back: no reason to lose the record.
        bytes = encodeCallRecord(withoutValues(record), copy);
        outcome = read(bytes, copy.account);
      }
      if (outcome.kind === 'refused') throw new Error(`the record of ${record.eventName} is not an event: ${outcome.reason}`);
      const { event } = outcome;
      return {
        kind: 'event',
        source: 'own-call',
        account: copy.account,
        region,
        eventId: event.eventId,
        receivedAtMs,
        bytes,
        event,
      } as const;
    };
    // One append: an action that concerns two accounts is in both or in none, and what it changes is told with it.
    const events = copiesOf(record, stores.chance, receivedAtMs).map(entryOf);
    const append = () => stores.journal.append([...events, ...factsOf(record, stores.sha256)]);
    const regionsSaved = events
      .map((entry) => stores.regions.use(entry.account, region, receivedAtMs))
      .filter((saved) => saved !== undefined);
    await within(RECORD_TIMEOUT_MS, stores.clock, regionsSaved.length === 0 ? append() : Promise.all(regionsSaved).then(append));
  };
}

/** The facts of what it changes. */
function factsOf({ call, eventName: event, changes = [], error }: CallRecord, sha256: IntakeStores['sha256']): readonly NewFact[] {
  return configurationFacts(sha256, { call, event, isRefused: error !== undefined }, changes);
}

/** The record as one account gets it. */
interface Copy {
  readonly account: AccountId;
  readonly eventId: string;
  /** Becomes `eventTime`. */
  readonly nowMs: number;
  /** The same in all copies of one action; absent where there is one. */
  readonly sharedEventId?: string;
}

/** The caller's copy, and those of other accounts whose resources were used (cloudtrail.md §1.2, `sharedEventID`). */
function copiesOf({ call, copyTo = [] }: CallRecord, chance: IntakeStores['chance'], nowMs: number): readonly Copy[] {
  const own: Copy = { account: call.account, eventId: chance.uuid(), nowMs };
  const others = [...new Set(copyTo)].filter((account) => account !== call.account);
  if (others.length === 0) return [own];
  const sharedEventId = chance.uuid();
  return [{ ...own, sharedEventId }, ...others.map((account) => ({ account, eventId: chance.uuid(), nowMs, sharedEventId }))];
}

/** The bytes of the record, in the member order of delivered files. */
function encodeCallRecord(record: CallRecord, copy: Copy): Uint8Array {
  const { call, error } = record;
  const json: JsonObject = {
    eventVersion: '1.10',
    userIdentity: {
      ...(copy.account === call.account ? userIdentity(call.principal) : foreignIdentity(call.principal)),
      ...(record.invokedBy === undefined ? {} : { invokedBy: record.invokedBy }),
    },
    eventTime: formatEventTime(copy.nowMs),
    eventSource: record.eventSource,
    eventName: record.eventName,
    awsRegion: call.region,
    sourceIPAddress: call.sourceIpAddress,
    userAgent: cut(call.userAgent),
    ...(error === undefined ? {} : { errorCode: cut(recordedCode(error.code)), errorMessage: cut(error.message) }),
    requestParameters: bounded(record.requestParameters),
    responseElements: error === undefined ? bounded(record.responseElements) : null,
    // How the caller's own policies let it through is nobody else's business.
    ...(record.additionalEventData === undefined || copy.account !== call.account
      ? {}
      : { additionalEventData: record.additionalEventData }),
    requestID: call.requestId,
    eventID: copy.eventId,
    readOnly: record.isReadOnly,
    ...(record.resources === undefined || record.resources.length === 0 ? {} : { resources: record.resources.map(resource) }),
    eventType: 'AwsApiCall',
    ...(record.apiVersion === undefined ? {} : { apiVersion: record.apiVersion }),
    managementEvent: record.category === 'Management',
    recipientAccountId: copy.account,
    ...(copy.sharedEventId === undefined ? {} : { sharedEventID: copy.sharedEventId }),
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
