import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WINDOW_MS, windowOf } from '../aggregate/window-table.ts';
import type { AccountId, EventId, Region } from '../event/types.ts';
import type { JournalEntry } from '../store/journal.ts';
import { AggregationRun } from './aggregation-run.ts';
import { trailScope } from './trail.ts';
import type { AggregationPoint } from './trail-state.ts';

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const ACCOUNT = '123837392027' as AccountId;
const HOME = 'eu-central-1' as Region;
const tools = { sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()), graceMs: MINUTE_MS };
const scope = trailScope(
  { account: ACCOUNT, homeRegion: HOME },
  {
    isMultiRegionTrail: true,
    includeGlobalServiceEvents: true,
    selection: {
      aggregationTemplates: ['API_ACTIVITY'],
      advancedEventSelectors: [
        {
          FieldSelectors: [
            { Field: 'eventCategory', Equals: ['Data'] },
            { Field: 'resources.type', Equals: ['AWS::S3::Object'] },
          ],
        },
      ],
    },
  },
);

/** What comes into the journal: a data event, another event, or a fact; how long after the one before, and how long its time was ago. */
const entries = fc.array(
  fc.record({
    what: fc.constantFrom('data', 'data', 'data', 'management', 'fact'),
    // Mostly a little later; sometimes the clock is set, a day ahead or back.
    laterMs: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 0, max: 2 * MINUTE_MS }) },
      { weight: 1, arbitrary: fc.constantFrom(-24 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 30 * MINUTE_MS) },
    ),
    agoMs: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 90_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -20 * MINUTE_MS, max: 60 * MINUTE_MS }) },
    ),
  }),
  { maxLength: 40 },
);

function journalOf(all: readonly { what: string; laterMs: number; agoMs: number }[]): readonly JournalEntry[] {
  let nowMs = START_MS;
  return all.map(({ what, laterMs, agoMs }, at) => {
    nowMs += laterMs;
    const record = {
      eventTime: new Date(nowMs - agoMs).toISOString().replace(/\.[0-9]+/, ''),
      eventName: `Call${at + 1}`,
      eventSource: 's3.amazonaws.com',
      eventID: `${at + 1}`,
      eventType: 'AwsApiCall',
      ...(what === 'data'
        ? { eventCategory: 'Data', resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::b/k' }] }
        : { eventCategory: 'Management' }),
    };
    const common = {
      sequence: BigInt(at + 1),
      account: ACCOUNT,
      region: HOME,
      id: `${at + 1}` as EventId,
      receivedAtMs: nowMs,
      isConflicting: false,
    };
    const stored = { ...common, nonce: new Uint8Array(16), bytes: new TextEncoder().encode(JSON.stringify(record)) };
    return (
      what === 'fact' ? { ...stored, kind: 'fact', source: 'fact', factKind: 'key' } : { ...stored, kind: 'event', source: 'record' }
    ) as JournalEntry;
  });
}

/** Runs over the whole journal, each made anew from the point before as after a restart, and with a look ahead that ends anywhere. */
function runAll(
  journal: readonly JournalEntry[],
  lookAheads: readonly number[],
): { readonly names: readonly string[]; readonly runs: number } {
  const names: string[] = [];
  let point: AggregationPoint = { from: '0', to: '0', closedToMs: windowOf(START_MS) };
  let runs = 0;
  for (; ; runs++) {
    const isLast = runs > 0 && lookAheads.length > 0 && runs % (lookAheads[0]! + 2) === 0;
    const run = new AggregationRun(point, scope, tools);
    for (const entry of journal.slice(Number(point.from))) if (!run.take(entry)) break;
    if (!run.isOver && run.isEmpty) return { names, runs };
    // Where no entry says that it is over, the clock does.
    const { groups, next } = run.result(isLast && !run.isOver);
    for (const { primary, count } of groups) names.push(...Array.from({ length: count }, () => primary));
    expect(BigInt(next.from) <= BigInt(next.to) && BigInt(next.to) >= BigInt(point.to) && next.closedToMs >= point.closedToMs).toBe(true);
    expect(runs).toBeLessThan(3 * journal.length + 3);
    point = next;
  }
}

describe('runs of an aggregation', () => {
  test('count each data event once, whatever its time and whatever the clock does', () => {
    fc.assert(
      fc.property(entries, fc.array(fc.nat(3), { maxLength: 1 }), (all, lookAheads) => {
        const journal = journalOf(all);
        const wanted = all.flatMap(({ what }, at) => (what === 'data' ? [`Call${at + 1}`] : []));
        expect([...runAll(journal, lookAheads).names].sort()).toEqual(wanted.sort());
      }),
      { numRuns: 500 },
    );
  });

  test('by the clock: one is due a minute after its window, and when the clock was set back before it', () => {
    const [entry] = journalOf([{ what: 'data', laterMs: 0, agoMs: 0 }]);
    const run = new AggregationRun({ from: '0', to: '0', closedToMs: 0 }, scope, tools);
    expect(run.isDue(START_MS + 24 * 60 * MINUTE_MS)).toBe(false);
    run.take(entry!);
    const endMs = windowOf(START_MS) + WINDOW_MS + MINUTE_MS;
    expect([START_MS, endMs - 1, endMs, START_MS - WINDOW_MS].map((nowMs) => run.isDue(nowMs))).toEqual([false, false, true, true]);
  });
});
