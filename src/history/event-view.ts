/**
 * One event as Snowtrail's own operations show it.
 */
import type { EventView } from '../api/event-view.ts';
import { sentenceOf } from '../event/sentence.ts';
import type { FoundEvent } from './found-events.ts';
import { scopeCategory } from './history-row.ts';

/** An event that came in later than this after its own time is marked late, unless it was imported. */
const LATE_MS = 15 * 60_000;

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
