/**
 * Makes durable what this server does of its own accord, as CloudTrail records it of a service: `AwsServiceEvent`.
 *
 * Source: CloudTrail User Guide, "Non-API events captured by CloudTrail"; cloudtrail.md §1.4.
 */
import type { ConfigurationChange } from '../api/configuration-change.ts';
import { parseEvent } from '../event/parse-event.ts';
import { formatEventTime } from '../event/times.ts';
import type { AccountId, EventResource, JsonObject, Region } from '../event/types.ts';
import { configurationFacts } from '../store/append-configuration.ts';
import type { NewEntry } from '../store/journal.ts';
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
  readonly responseElements?: JsonObject;
  /** `serviceEventDetails`; absent where the service writes none. */
  readonly details?: JsonObject;
  readonly resources: readonly (EventResource & { readonly account?: AccountId })[];
  /** What is changed of the configuration, once this is durable. */
  readonly changes?: readonly ConfigurationChange[];
}

/** Returns once all of them are durable. @throws JournalFull, JournalFailed */
export type RecordServiceEvents = (events: readonly ServiceEvent[]) => Promise<void>;

export function createServiceRecorder(stores: Omit<IntakeStores, 'accounts'>): RecordServiceEvents {
  const { journal, clock, chance, regions } = stores;
  return async (events) => {
    const nowMs = clock.nowMs();
    const entries = events.flatMap((event): NewEntry[] => {
      const { account, region } = event;
      const bytes = encode(event, chance.uuid(), nowMs);
      const read = parseEvent(bytes, { account, region, nowMs }, stores);
      if (read.kind === 'refused') throw new Error(`the record of ${event.eventName} is not an event: ${read.reason}`);
      const { eventId } = read.event;
      const own = { kind: 'event', source: 'own-call', account, region, eventId, receivedAtMs: nowMs, bytes, event: read.event } as const;
      const call = { principal: { arn: event.origin ?? event.eventSource }, requestId: eventId, receivedAtMs: nowMs };
      return [own, ...configurationFacts(stores.sha256, { call, event: event.eventName }, event.changes ?? [])];
    });
    await Promise.all(entries.flatMap(({ account, region }) => regions.use(account, region, nowMs) ?? []));
    await journal.append(entries);
  };
}

function encode(event: ServiceEvent, eventID: string, nowMs: number) {
  const { account, region, eventSource, eventName, category, origin = eventSource, responseElements = null, details, resources } = event;
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
    responseElements,
    eventID,
    readOnly: false,
    resources: resources.map(({ type, name, account: owner }) => ({ ...(owner && { accountId: owner }), type, ARN: name })),
    eventType: 'AwsServiceEvent',
    managementEvent: category === 'Management',
    recipientAccountId: account,
    ...(details === undefined ? {} : { serviceEventDetails: details }),
    eventCategory: category,
  };
  return new TextEncoder().encode(JSON.stringify(json));
}
