/**
 * Writes the record of an aggregated event, in the service's form.
 *
 * Records of one window, service and value add up: there are several where events came late, or where there were too many values for
 * one. Each has an id of its own, which follows from what it counts.
 * Source: CloudTrail User Guide, "CloudTrail record contents for aggregated events"; cloudtrail.md §1.9.
 */
import { formatEventTime } from '../event/times.ts';
import { uuidOfHash } from '../event/uuid-of-hash.ts';
import { DIMENSIONS, type Dimension } from './dimensions.ts';
import { PRIMARY_DIMENSION } from './templates.ts';
import { WINDOW_MS, type WindowGroup } from './window-table.ts';

/** One dimension of the summary. */
interface Statistics {
  readonly dimension: Dimension;
  readonly statistics: readonly { readonly name: string; readonly value: number }[];
  readonly aggregationType: 'Count';
}

/**
 * @param by.trailArn Whose aggregation it is: two trails count the same events, and each record has its own id.
 * @param by.isLate The window was closed before: the record adds to what an earlier one says.
 */
export function encodeAggregatedEvent(
  group: WindowGroup,
  by: { readonly sha256: (bytes: Uint8Array) => Uint8Array; readonly trailArn: string; readonly isLate: boolean },
): Uint8Array {
  const { template, account, region, eventSource, windowMs, primary, count, details } = group;
  const primaryDimension = PRIMARY_DIMENSION[template];
  const utf8 = new TextEncoder();
  // No event is in two groups of these, so no two groups have one name.
  const name = [by.trailArn, template, account, region, `${windowMs}`, eventSource, primary, `${group.firstSequence}`];
  return utf8.encode(
    JSON.stringify({
      eventVersion: '1.0',
      accountId: account,
      eventId: uuidOfHash(by.sha256(utf8.encode(JSON.stringify(name)))),
      eventCategory: 'Aggregated',
      eventType: 'AwsAggregatedEvent',
      awsRegion: region,
      eventSource,
      timeWindow: { windowStart: formatEventTime(windowMs), windowEnd: formatEventTime(windowMs + WINDOW_MS), windowSize: 'PT5M' },
      summary: {
        primaryDimension: statistics(primaryDimension, new Map([[primary, count]])),
        details: DIMENSIONS.flatMap((dimension) => {
          const counts = details.get(dimension);
          return counts === undefined ? [] : [statistics(dimension, counts)];
        }),
      },
      ...(by.isLate ? { addendum: { reason: 'DELIVERY_DELAY' } } : {}),
    }),
  );
}

/** The most frequent value first. */
function statistics(dimension: Dimension, counts: ReadonlyMap<string, number>): Statistics {
  const sorted = [...counts].sort(([one, ones], [other, others]) => others - ones || (one < other ? -1 : 1));
  return { dimension, statistics: sorted.map(([name, value]) => ({ name, value })), aggregationType: 'Count' };
}
