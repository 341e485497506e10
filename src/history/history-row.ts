/**
 * The row of one event in the look-up index: its scope, its place in time, and the terms it is found by.
 *
 * The place in time is the record's own `eventTime`, or the time of receipt where that is suspicious (A55): an event
 * dated 2099 doesn't stay on top for ever. The `EventTime` that is shown stays the record's.
 *
 * Source: spec/history.md "The layout"; cloudtrail.md §6.
 */
import type { EpochMs, EventCategory, KnownEvent } from '../event/types.ts';
import type { HistoryRow, HistoryScope, HistoryTerm } from '../store/history-index.ts';
import type { JournalEntry } from '../store/journal.ts';

/** The value of the `ErrorCode` term that every failed call has beside its own code. */
export const ANY_ERROR = '*';

/** The category under which an event is indexed. LookupEvents reads `management` and `insight` only. */
export function scopeCategory(category: EventCategory): HistoryScope['category'] {
  switch (category) {
    case 'Management':
      return 'management';
    case 'NetworkActivity':
      return 'network';
    case 'Insight':
      return 'insight';
    // Aggregated events summarise data events; the three others only ever come through channels. None is looked up.
    case 'Data':
    case 'Aggregated':
    case 'ConfigurationItem':
    case 'Evidence':
    case 'ActivityAuditLog':
      return 'data';
  }
}

/** The time that history sorts by. */
export function historyTime(entry: Pick<JournalEntry, 'receivedAtMs'>, event: Pick<KnownEvent, 'eventTimeMs' | 'remarks'>): EpochMs {
  return event.remarks.isEventTimeSuspicious ? entry.receivedAtMs : event.eventTimeMs;
}

/**
 * The name of a call without the API version at its end: Lambda's records carry `UpdateFunctionConfiguration20150331v2`,
 * CloudFront's `CreateDistribution2020_05_31`. A name without one comes back as it is.
 */
export function unversionedName(eventName: string): string {
  return /^([A-Za-z]+)20\d{2}_?\d{2}_?\d{2}(?:v\d+)?$/.exec(eventName)?.[1] ?? eventName;
}

/** The row of an accepted event that is no conflicting repeat. */
export function historyRow(entry: JournalEntry, event: KnownEvent): HistoryRow {
  return {
    scope: { account: entry.account, region: entry.region, category: scopeCategory(event.category) },
    timeMs: historyTime(entry, event),
    sequence: entry.sequence,
    terms: termsOf(entry, event),
  };
}

function termsOf(entry: JournalEntry, event: KnownEvent): readonly HistoryTerm[] {
  const terms: HistoryTerm[] = [{ attribute: 'EventId', value: entry.id }];
  const add = (attribute: HistoryTerm['attribute'], value: string | undefined): void => {
    if (value !== undefined && value !== '') terms.push({ attribute, value });
  };
  add('EventName', event.eventName);
  // For searches: LookupEvents compares the whole name with the event, so it doesn't show the other spelling.
  const plain = unversionedName(event.eventName);
  if (plain !== event.eventName) add('EventName', plain);
  add('EventSource', event.eventSource);
  if (event.isReadOnly !== undefined) add('ReadOnly', String(event.isReadOnly));
  add('Username', event.username);
  add('AccessKeyId', event.accessKeyId);
  add('SourceIpAddress', event.sourceIpAddress);
  add('ErrorCode', event.errorCode);
  if (event.errorCode !== undefined) add('ErrorCode', ANY_ERROR);
  for (const resource of event.resources) {
    add('ResourceName', resource.name);
    add('ResourceType', resource.type);
  }
  return terms;
}
