/**
 * Reads one untrusted record into an event: its bytes as they came, and beside them what the rest of the code needs.
 *
 * Limits are checked on the bytes before anything recursive runs: size, strict UTF-8, depth, number of members. Then
 * `JSON.parse` decides what is JSON. The parsed values are read and dropped; they are never written back, so numbers,
 * repeated names, spellings and order stay as the sender wrote them (DESIGN §1 "Bytes are the evidence").
 *
 * A member that is missing gets a documented default and a remark. A member that is there and makes no sense where
 * Snowtrail must rely on it (account, Region, id, time) is a refusal: attributing an event to an account that it does
 * not name, or to a time that it does not tell, would falsify the record.
 *
 * Hot path of intake: one scan, one decode, one parse, one walk. Measured by `bench/parse-events.ts`.
 * Source: cloudtrail.md §1, §6; reliability.md A45–A50, A55.
 */
import { findResources } from './find-resources.ts';
import { findUsername } from './find-username.ts';
import { inferCategory } from './infer-category.ts';
import {
  EVENT_ID_LENGTH_MAX,
  EVENT_TIME_AHEAD_MAX_MS,
  EVENT_TIME_MIN_MS,
  RECORD_BYTES_MAX,
  RECORD_DEPTH_MAX,
  RECORD_MEMBERS_MAX,
} from './limits.ts';
import { booleanMember, isJsonObject, memberOf, objectMember, textMember } from './members.ts';
import { type JsonShape, scanJson } from './scan-json.ts';
import { parseEventTime } from './times.ts';
import type {
  AccountId,
  EpochMs,
  Event,
  EventCategory,
  EventDefaults,
  EventId,
  EventOutcome,
  EventRemarks,
  Json,
  JsonObject,
  KnownEvent,
  RefusalCode,
  Region,
} from './types.ts';
import { uuidOfHash } from './uuid-of-hash.ts';
import { isAccountId, isRegion } from './values.ts';
import { trimWhiteSpace } from './white-space.ts';

/** What the reader needs from outside: engines hash nothing themselves. */
export interface ParseTools {
  /** SHA-256 of the bytes, 32 bytes. Called only for a record without `eventID`. */
  sha256(bytes: Uint8Array): Uint8Array;
}

type Refused = Extract<EventOutcome, { kind: 'refused' }>;
type Taken<Value> = { readonly value: Value; readonly isDefault: boolean };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads one record.
 *
 * @param bytes Untrusted. White space around the record is left out of the event's bytes. They are kept, not copied:
 *   the caller must not change them afterwards.
 * @param shape Of the same bytes, from whoever has scanned them already.
 */
export function parseEvent(bytes: Uint8Array, defaults: EventDefaults, tools: ParseTools, shape?: JsonShape): EventOutcome {
  const trimmed = trimWhiteSpace(bytes);
  const reading = readObject(trimmed, shape);
  if (reading.kind === 'refused') return reading;
  return readEvent(trimmed, reading, defaults, tools);
}

/**
 * Reads a record again that `parseEvent` took, for the same account, Region and time: two thirds of the time.
 *
 * @param bytes Of the event: limits, UTF-8 and repeated names were looked at before.
 * @returns `undefined` when they are none: a bug.
 */
export function readKnownEvent(bytes: Uint8Array, defaults: EventDefaults, tools: ParseTools): KnownEvent | undefined {
  const record = JSON.parse(utf8.decode(bytes)) as JsonObject;
  const outcome = readEvent(bytes, { record, hasDuplicateKeys: false }, defaults, tools);
  return outcome.kind === 'event' ? outcome.event : undefined;
}

function readEvent(
  trimmed: Uint8Array,
  { record, hasDuplicateKeys }: { readonly record: JsonObject; readonly hasDuplicateKeys: boolean },
  defaults: EventDefaults,
  tools: ParseTools,
): EventOutcome {
  const category = inferCategory(record);
  const account = readAccount(record, category, defaults.account);
  if ('kind' in account) return account;
  const region = readRegion(record, defaults.region);
  if ('kind' in region) return region;
  const time = readEventTime(record, defaults.nowMs);
  if ('kind' in time) return time;
  const id = readEventId(record, category) ?? { value: inventEventId(account.value, trimmed, tools), isDefault: true };
  if ('kind' in id) return id;

  const remarks = remark({ account, region, time, id }, hasDuplicateKeys, defaults.nowMs);
  const called = category === 'Insight' ? insightCall(record) : record;
  return {
    kind: 'event',
    event: {
      bytes: trimmed,
      account: account.value,
      region: region.value,
      eventId: id.value,
      eventTimeMs: time.value,
      eventName: textMember(called, 'eventName') ?? '',
      eventSource: textMember(called, 'eventSource') ?? '',
      category,
      resources: findResources(record),
      remarks,
      ...optionalMembers(record),
    },
  };
}

// --- the record as JSON -------------------------------------------------------------------------------------------

type Reading = Refused | { readonly kind: 'object'; readonly record: JsonObject; readonly hasDuplicateKeys: boolean };

function readObject(bytes: Uint8Array, knownShape: JsonShape | undefined): Reading {
  if (bytes.length === 0) return refuse('EmptyRecord', 'the record is empty; a JSON object is expected');
  if (bytes.length > RECORD_BYTES_MAX) {
    return refuse('RecordTooLarge', `the record has ${bytes.length} bytes; at most ${RECORD_BYTES_MAX} are accepted`);
  }
  const shape = knownShape ?? scanJson(bytes);
  if (shape.depth > RECORD_DEPTH_MAX) return refuse('TooDeep', `the record is nested deeper than ${RECORD_DEPTH_MAX} levels`);
  if (shape.members > RECORD_MEMBERS_MAX) {
    return refuse('TooManyMembers', `the record has more than ${RECORD_MEMBERS_MAX} members and elements`);
  }

  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return refuse('InvalidUtf8', 'the record is not valid UTF-8; send the bytes of a JSON text without recoding them');
  }
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return refuse('InvalidJson', `the record is not valid JSON: ${(error as Error).message}`);
  }
  if (!isJsonObject(value)) return refuse('NotAnObject', `a JSON object is expected, not ${describe(value)}`);
  // Cut out of lines, or of another document: taken as one record, the events in it would be found by nobody.
  if (Array.isArray(memberOf(value, 'Records'))) {
    return refuse('NotARecord', 'the record is a whole `Records` document; send it as a file of its own');
  }
  const names = countNames(value);
  if (names === 0) return refuse('EmptyRecord', 'the record is an object without members');
  // `JSON.parse` keeps one of several members with the same name, so fewer names than colons means a repeated name.
  return { kind: 'object', record: value, hasDuplicateKeys: names < shape.names };
}

/** Members of objects on all levels. Recursion is safe: the depth was limited before. */
function countNames(value: JsonObject | readonly Json[]): number {
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) if (typeof item === 'object' && item !== null) count += countNames(item);
    return count;
  }
  // Objects of `JSON.parse` have no enumerable member but their own.
  for (const name in value as JsonObject) {
    count++;
    const member = (value as JsonObject)[name];
    if (typeof member === 'object' && member !== null) count += countNames(member);
  }
  return count;
}

// --- the members that Snowtrail relies on -------------------------------------------------------------------------

/**
 * `recipientAccountId`, else `accountId` of an aggregated record, else `userIdentity.accountId`, else the default.
 * Blank text and `null` count as missing: a bucket owner's copy of a denied call carries a blank caller.
 */
function readAccount(record: JsonObject, category: EventCategory, fallback: AccountId): Refused | Taken<AccountId> {
  const recipient = memberOf(record, 'recipientAccountId');
  if (!isMissing(recipient)) return takeAccount('recipientAccountId', recipient);
  const aggregated = category === 'Aggregated' ? memberOf(record, 'accountId') : undefined;
  if (!isMissing(aggregated)) return takeAccount('accountId', aggregated);
  const caller = memberOf(objectMember(record, 'userIdentity'), 'accountId');
  if (!isMissing(caller)) return takeAccount('userIdentity.accountId', caller);
  return { value: fallback, isDefault: true };
}

function takeAccount(member: string, value: Json): Refused | Taken<AccountId> {
  if (typeof value === 'string' && isAccountId(value)) return { value, isDefault: false };
  return refuse('InvalidAccount', `\`${member}\` is ${describe(value)}; 12 digits are expected`);
}

function readRegion(record: JsonObject, fallback: Region): Refused | Taken<Region> {
  const value = memberOf(record, 'awsRegion');
  if (isMissing(value)) return { value: fallback, isDefault: true };
  if (typeof value === 'string' && isRegion(value)) return { value, isDefault: false };
  return refuse('InvalidRegion', `\`awsRegion\` is ${describe(value)}; a Region such as \`eu-central-1\` is expected`);
}

function readEventTime(record: JsonObject, nowMs: EpochMs): Refused | Taken<EpochMs> {
  const value = memberOf(record, 'eventTime');
  if (isMissing(value)) return { value: nowMs, isDefault: true };
  const timeMs = typeof value === 'string' ? parseEventTime(value) : undefined;
  if (timeMs !== undefined) return { value: timeMs, isDefault: false };
  return refuse('InvalidEventTime', `\`eventTime\` is ${describe(value)}; a time such as \`2025-09-24T02:11:07Z\` is expected`);
}

/**
 * `eventID`, or `eventId` of an aggregated record; `undefined` when it is missing.
 * Control characters and broken Unicode are refused: the id is a line of the evidence tree's leaf.
 */
function readEventId(record: JsonObject, category: EventCategory): Refused | Taken<EventId> | undefined {
  const stated = memberOf(record, 'eventID');
  const value = isMissing(stated) && category === 'Aggregated' ? memberOf(record, 'eventId') : stated;
  if (isMissing(value)) return undefined;
  if (typeof value === 'string' && value.length <= EVENT_ID_LENGTH_MAX && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(value)) {
    return { value: value as EventId, isDefault: false };
  }
  return refuse(
    'InvalidEventId',
    `\`eventID\` is ${describe(value)}; a text of 1 to ${EVENT_ID_LENGTH_MAX} printable characters is expected`,
  );
}

/** A UUID (version 8: free content) made from SHA-256(account ‖ bytes), so that the same record gets the same id again. */
function inventEventId(account: AccountId, bytes: Uint8Array, tools: ParseTools): EventId {
  const input = new Uint8Array(account.length + bytes.length);
  input.set(new TextEncoder().encode(account));
  input.set(bytes, account.length);
  return uuidOfHash(tools.sha256(input)) as EventId;
}

// --- the rest -----------------------------------------------------------------------------------------------------

type OptionalMembers = Pick<Event, 'isReadOnly' | 'username' | 'accessKeyId' | 'sourceIpAddress' | 'errorCode'>;

function optionalMembers(record: JsonObject): OptionalMembers {
  const members: { -readonly [Name in keyof OptionalMembers]: OptionalMembers[Name] } = {};
  const isReadOnly = booleanMember(record, 'readOnly');
  if (isReadOnly !== undefined) members.isReadOnly = isReadOnly;
  const username = findUsername(record);
  if (username !== undefined) members.username = username;
  const accessKeyId = textMember(objectMember(record, 'userIdentity'), 'accessKeyId');
  if (accessKeyId !== undefined) members.accessKeyId = accessKeyId;
  const sourceIpAddress = textMember(record, 'sourceIPAddress');
  if (sourceIpAddress !== undefined) members.sourceIpAddress = sourceIpAddress;
  const errorCode = textMember(record, 'errorCode');
  if (errorCode !== undefined) members.errorCode = errorCode;
  return members;
}

/** An insight record names the API whose rate was unusual one level down. */
function insightCall(record: JsonObject): JsonObject {
  return textMember(record, 'eventName') === undefined ? (objectMember(record, 'insightDetails') ?? record) : record;
}

interface Decided {
  readonly account: Taken<AccountId>;
  readonly region: Taken<Region>;
  readonly time: Taken<EpochMs>;
  readonly id: Taken<EventId>;
}

const NOTHING_DEFAULTED: EventRemarks['defaulted'] = [];

function remark({ account, region, time, id }: Decided, hasDuplicateKeys: boolean, nowMs: EpochMs): EventRemarks {
  // A clock that says such a time itself proves nothing against an event (F30).
  const isAhead = nowMs >= EVENT_TIME_MIN_MS && time.value > nowMs + EVENT_TIME_AHEAD_MAX_MS;
  const isEventTimeSuspicious = isAhead || time.value < EVENT_TIME_MIN_MS;
  if (!account.isDefault && !region.isDefault && !time.isDefault && !id.isDefault) {
    return { defaulted: NOTHING_DEFAULTED, hasDuplicateKeys, isEventTimeSuspicious };
  }
  const defaulted: EventRemarks['defaulted'][number][] = [];
  if (id.isDefault) defaulted.push('eventID');
  if (account.isDefault) defaulted.push('account');
  if (region.isDefault) defaulted.push('awsRegion');
  if (time.isDefault) defaulted.push('eventTime');
  return { defaulted, hasDuplicateKeys, isEventTimeSuspicious };
}

function isMissing(value: Json | undefined): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

function refuse(code: RefusalCode, reason: string): Refused {
  return { kind: 'refused', code, reason };
}

/** An untrusted value in a reason: its JSON in backticks, cut short, or its kind where that would be long. */
function describe(value: Json): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(typeof value === 'string' && value.length > 64 ? `${value.slice(0, 64)}…` : value);
  return `\`${text}\``;
}
