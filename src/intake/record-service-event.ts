/**
 * Makes durable what this server does of its own accord, as CloudTrail records it of a service: `AwsServiceEvent`.
 *
 * Source: CloudTrail User Guide, "Non-API events captured by CloudTrail"; cloudtrail.md §1.4.
 */
import { parseEvent } from '../event/parse-event.ts';
import { formatEventTime } from '../event/times.ts';
import type { AccountId, EventResource, JsonObject, Region } from '../event/types.ts';
import type { IntakeStores } from './accept-events.ts';

export interface ServiceEvent {
  /** Whose resource it is about. */
  readonly account: AccountId;
  readonly region: Region;
  /** Such as `s3.amazonaws.com`. */
  readonly eventSource: string;
  readonly eventName: string;
  readonly category: 'Management' | 'Data';
  /** What stands where a caller's address and program would; the source when absent. */
  readonly origin?: string;
  readonly details: JsonObject;
  readonly resources: readonly (EventResource & { readonly account?: AccountId })[];
}

/** Returns once all of them are durable. @throws JournalFull, JournalFailed */
export type RecordServiceEvents = (events: readonly ServiceEvent[]) => Promise<void>;

export function createServiceRecorder(stores: Omit<IntakeStores, 'accounts'>): RecordServiceEvents {
  const { journal, clock, chance, regions } = stores;
  return async (events) => {
    const nowMs = clock.nowMs();
    const entries = events.map((event) => {
      const { account, region } = event;
      const bytes = encode(event, chance.uuid(), nowMs);
      const read = parseEvent(bytes, { account, region, nowMs }, stores);
      if (read.kind === 'refused') throw new Error(`the record of ${event.eventName} is not an event: ${read.reason}`);
      const { eventId } = read.event;
      return { kind: 'event', source: 'own-call', account, region, eventId, receivedAtMs: nowMs, bytes, event: read.event } as const;
    });
    await Promise.all(entries.flatMap(({ account, region }) => regions.use(account, region, nowMs) ?? []));
    await journal.append(entries);
  };
}

function encode(event: ServiceEvent, eventID: string, nowMs: number) {
  const { account, region, eventSource, eventName, category, origin = eventSource, details, resources } = event;
  const json = {
    eventVersion: '1.10',
    userIdentity: { accountId: account, invokedBy: origin },
    eventTime: formatEventTime(nowMs),
    eventSource,
    eventName,
    awsRegion: region,
    sourceIPAddress: origin,
    userAgent: origin,
    requestParameters: null,
    responseElements: null,
    eventID,
    readOnly: false,
    resources: resources.map(({ type, name, account: owner }) => ({ ...(owner && { accountId: owner }), type, ARN: name })),
    eventType: 'AwsServiceEvent',
    managementEvent: category === 'Management',
    recipientAccountId: account,
    serviceEventDetails: details,
    eventCategory: category,
  };
  return new TextEncoder().encode(JSON.stringify(json));
}
