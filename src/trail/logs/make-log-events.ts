/**
 * Makes the log events of a trail's records, and cuts them into calls within the limits of CloudWatch Logs.
 *
 * The message is the record's text exactly as it was received. A record that is longer than the service takes is not left out
 * in silence (P16, A28): a stub takes its place, with all of its members that are short, so that filters on `eventName` or
 * `userIdentity` still match, and with what finds and proves the record itself.
 *
 * Pure. Source: cloudtrail.md §10.1; CloudWatch Logs API Reference, "PutLogEvents".
 */
import type { AccountId, EpochMs, EventCategory, Region } from '../../event/types.ts';
import type { LogEvent } from '../../store/log-groups.ts';
import type { Sha256 } from '../../tlog/hash.ts';
import { toHex } from '../../tlog/text.ts';
import { folderOfCategory } from '../select-event.ts';
import { filesFolder, type Trail, trailArn } from '../trail.ts';

const CALL_BYTES_MAX = 1_048_576;
const CALL_EVENTS_MAX = 10_000;
const CALL_SPAN_MS_MAX = 24 * 3600 * 1000;
/** What each event counts beside its message. */
const EVENT_OVERHEAD_BYTES = 26;
/** Longer messages are not sent. */
const MESSAGE_BYTES_MAX = 256 * 1024 - EVENT_OVERHEAD_BYTES;
/** Members of a record up to this length of their JSON stay in its stub, and no more than so much of them together. */
const MEMBER_LENGTH_MAX = 4_096;
const MEMBERS_LENGTH_MAX = 65_536;

/** An event that a trail takes, as the journal has it. */
export interface TakenEvent {
  readonly sequence: bigint;
  readonly account: AccountId;
  readonly region: Region;
  /** Whole hours since 1970, of receipt. */
  readonly hour: number;
  readonly eventTimeMs: EpochMs;
  readonly category: EventCategory;
  readonly eventId: string;
  readonly bytes: Uint8Array;
}

/** A log event, and what it is counted under. */
export interface TrailLogEvent extends LogEvent {
  readonly account: AccountId;
  readonly hour: number;
  /** Of the message, in UTF-8. */
  readonly sizeBytes: number;
}

/** Where a record lies that was too long. */
export type RecordPlace = Pick<Trail, 'account' | 'homeRegion' | 'name'> & {
  readonly bucket: string;
  readonly prefix: string | null;
  readonly organizationId?: string;
};

export function toLogEvent(event: TakenEvent, place: RecordPlace, sha256: Sha256): TrailLogEvent {
  const { account, hour, bytes } = event;
  const whole = { timestampMs: event.eventTimeMs, account, hour };
  const isLong = bytes.length > MESSAGE_BYTES_MAX;
  const text = isLong ? '' : new TextDecoder().decode(bytes);
  if (!isLong) return { ...whole, message: text, sizeBytes: bytes.length };
  const message = stubOf(event, place, sha256);
  return { ...whole, message, sizeBytes: new TextEncoder().encode(message).length };
}

function stubOf(event: TakenEvent, place: RecordPlace, sha256: Sha256): string {
  const record = JSON.parse(new TextDecoder().decode(event.bytes)) as Record<string, unknown>;
  const kept: Record<string, unknown> = {};
  const omittedMembers: string[] = [];
  let length = 0;
  for (const [name, value] of Object.entries(record)) {
    const json = JSON.stringify(name).length + JSON.stringify(value).length;
    if (json > MEMBER_LENGTH_MAX || length + json > MEMBERS_LENGTH_MAX) {
      if (omittedMembers.length < 100) omittedMembers.push(name.slice(0, 100));
      continue;
    }
    // `defineProperty`, for a record may have a member `__proto__`.
    Object.defineProperty(kept, name, { value, enumerable: true });
    length += json;
  }
  return JSON.stringify({
    ...kept,
    omitted: true,
    omittedMembers,
    snowtrail: {
      reason: `the record has ${event.bytes.length} bytes, more than CloudWatch Logs is sent`,
      eventID: event.eventId,
      sizeBytes: event.bytes.length,
      sha256: toHex(sha256(event.bytes)),
      journalSequence: `${event.sequence}`,
      trailARN: trailArn(place),
      bucket: place.bucket,
      folder: `${filesFolder(place, event.account)}${folderOfCategory(event.category)}/${event.region}/`,
    },
  });
}

/** The events in the order of their times, in calls of at most 1 MiB, 10,000 events and 24 hours. */
export function cutCalls(events: readonly TrailLogEvent[]): readonly (readonly TrailLogEvent[])[] {
  const calls: TrailLogEvent[][] = [];
  let sizeBytes = 0;
  for (const event of [...events].sort((one, other) => one.timestampMs - other.timestampMs)) {
    const size = event.sizeBytes + EVENT_OVERHEAD_BYTES;
    const call = calls.at(-1);
    const isFull =
      call === undefined ||
      call.length >= CALL_EVENTS_MAX ||
      sizeBytes + size > CALL_BYTES_MAX ||
      event.timestampMs - call[0]!.timestampMs > CALL_SPAN_MS_MAX;
    if (isFull) {
      calls.push([event]);
      sizeBytes = size;
    } else {
      call.push(event);
      sizeBytes += size;
    }
  }
  return calls;
}
