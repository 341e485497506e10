/**
 * One event as Snowtrail's own operations show it.
 */
import { sentenceOf } from '../event/sentence.ts';
import type { FoundEvent } from './found-events.ts';
import { scopeCategory } from './history-row.ts';

/** An event that came in later than this after its own time is marked late, unless it was imported. */
const LATE_MS = 15 * 60_000;

/** Members that an event doesn't have are left out. Times are ISO 8601 with milliseconds. */
export interface EventView {
  /** Decimal digits: the order of acceptance. */
  readonly Sequence: string;
  readonly ReceivedAt: string;
  readonly AccountId: string;
  readonly Region: string;
  readonly EventId: string;
  /** The record's own. */
  readonly EventTime: string;
  readonly EventName: string;
  readonly EventSource: string;
  /** `management`, `data`, `network` or `insight`. */
  readonly Category: string;
  readonly ReadOnly?: boolean;
  readonly Username?: string;
  readonly AccessKeyId?: string;
  readonly SourceIpAddress?: string;
  readonly ErrorCode?: string;
  readonly Resources: readonly { readonly ResourceType?: string; readonly ResourceName: string }[];
  /** How it came in: `record`, `import` or `own-call`. */
  readonly Source: string;
  /** It came in more than 15 minutes after its own time. */
  readonly IsLate: boolean;
  /** Its own time is more than 15 minutes ahead of its receipt, or before 2000: history sorts it by its receipt. */
  readonly IsEventTimeSuspicious: boolean;
  /** Who did what, from where, in one sentence. */
  readonly Sentence: string;
  /** The record's bytes as text. */
  readonly Record: string;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function viewEvent({ entry, event }: FoundEvent): EventView {
  return {
    Sequence: String(entry.sequence),
    ReceivedAt: new Date(entry.receivedAtMs).toISOString(),
    AccountId: entry.account,
    Region: entry.region,
    EventId: entry.id,
    EventTime: new Date(event.eventTimeMs).toISOString(),
    EventName: event.eventName,
    EventSource: event.eventSource,
    Category: scopeCategory(event.category),
    ...(event.isReadOnly !== undefined && { ReadOnly: event.isReadOnly }),
    ...(event.username !== undefined && { Username: event.username }),
    ...(event.accessKeyId !== undefined && { AccessKeyId: event.accessKeyId }),
    ...(event.sourceIpAddress !== undefined && { SourceIpAddress: event.sourceIpAddress }),
    ...(event.errorCode !== undefined && { ErrorCode: event.errorCode }),
    Resources: event.resources.map(({ type, name }) => ({ ...(type !== undefined && { ResourceType: type }), ResourceName: name })),
    Source: entry.source,
    IsLate: entry.source !== 'import' && entry.receivedAtMs - event.eventTimeMs > LATE_MS,
    IsEventTimeSuspicious: event.remarks.isEventTimeSuspicious,
    Sentence: sentenceOf(event),
    Record: utf8.decode(entry.bytes),
  };
}
