import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { encodeAggregatedEvent } from './encode-aggregated-event.ts';
import type { AggregationTemplate } from './templates.ts';
import { type CountedEvent, WINDOW_MS, WindowTable } from './window-table.ts';

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
const by = { sha256, trailArn: 'arn:aws:cloudtrail:us-east-1:111122223333:trail/main', isLate: false };
const WINDOW = Date.UTC(2025, 9, 30, 23, 45);
const CHANNEL = 'arn:aws:cloudtrail:us-east-1:111122223333:channel/';

const call = (sequence: number, from: 'outside' | 'inside'): CountedEvent => ({
  account: '111122223333' as AccountId,
  region: 'us-east-1' as Region,
  eventSource: 'cloudtrail-data.amazonaws.com',
  values: {
    eventName: ['PutAuditEvents'],
    resourceARN: [`${CHANNEL}${from}`],
    userIdentity: [from === 'outside' ? 'AWSAccount:111122223333' : 'AWSService:AWS Internal'],
    userAgent: [from === 'outside' ? 'Mozilla/5.0' : 'AWS Internal'],
    sourceIpAddress: [from === 'outside' ? '1.2.3.4' : 'AWS Internal'],
    errorCodes: from === 'outside' && sequence === 1 ? ['AccessDenied'] : [],
  },
  atMs: WINDOW + sequence,
  closesMs: WINDOW + WINDOW_MS,
  sequence: BigInt(sequence),
});

/** Ten calls from inside, then twenty from outside. */
function groupsOf(template: AggregationTemplate) {
  const table = new WindowTable([template]);
  for (let sequence = 1; sequence <= 30; sequence++) table.add(call(sequence, sequence <= 10 ? 'inside' : 'outside'));
  return table.groups(Number.POSITIVE_INFINITY);
}

const read = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const statistics = (dimension: string, ...values: readonly (readonly [string, number])[]) => ({
  dimension,
  statistics: values.map(([name, value]) => ({ name, value })),
  aggregationType: 'Count',
});

describe('the record of an aggregated event', () => {
  // The numbers are those of the sample in "CloudTrail record contents for aggregated events".
  test('has the members of the service, in its order, and the most frequent value first', () => {
    const records = groupsOf('API_ACTIVITY').map((group) => encodeAggregatedEvent(group, by));
    expect(records).toHaveLength(1);
    const record = read(records[0]!);
    expect(JSON.stringify({ ...record, eventId: 'id' })).toBe(
      JSON.stringify({
        eventVersion: '1.0',
        accountId: '111122223333',
        eventId: 'id',
        eventCategory: 'Aggregated',
        eventType: 'AwsAggregatedEvent',
        awsRegion: 'us-east-1',
        eventSource: 'cloudtrail-data.amazonaws.com',
        timeWindow: { windowStart: '2025-10-30T23:45:00Z', windowEnd: '2025-10-30T23:50:00Z', windowSize: 'PT5M' },
        summary: {
          primaryDimension: statistics('eventName', ['PutAuditEvents', 30]),
          details: [
            statistics('resourceARN', [`${CHANNEL}outside`, 20], [`${CHANNEL}inside`, 10]),
            statistics('userIdentity', ['AWSAccount:111122223333', 20], ['AWSService:AWS Internal', 10]),
            statistics('userAgent', ['Mozilla/5.0', 20], ['AWS Internal', 10]),
            statistics('sourceIpAddress', ['1.2.3.4', 20], ['AWS Internal', 10]),
          ],
        },
      }),
    );
  });

  test('has an id of its own for each group and trail, the same whenever it is written', () => {
    const groups = [...groupsOf('RESOURCE_ACCESS'), ...groupsOf('USER_ACTIONS'), ...groupsOf('API_ACTIVITY')];
    const ids = [by, { ...by, trailArn: `${by.trailArn}2` }].flatMap((each) =>
      groups.map((group) => read(encodeAggregatedEvent(group, each)).eventId),
    );
    expect(new Set(ids).size).toBe(10);
    expect(read(encodeAggregatedEvent(groups[0]!, { ...by, isLate: true })).eventId).toBe(ids[0]);
  });

  test('of a window that was closed before says that it adds to it', () => {
    const [group] = groupsOf('API_ACTIVITY');
    expect(read(encodeAggregatedEvent(group!, { ...by, isLate: true })).addendum).toEqual({ reason: 'DELIVERY_DELAY' });
  });
});
