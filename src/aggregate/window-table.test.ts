import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { DIMENSIONS, type Dimension, type EventValues } from './dimensions.ts';
import { PRIMARY_DIMENSION, TEMPLATES } from './templates.ts';
import { type CountedEvent, WINDOW_MS, type WindowGroup, WindowTable, windowOf } from './window-table.ts';

const some = (...values: readonly string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const one = (...values: readonly string[]) => fc.constantFrom(...values).map((value) => [value]);

const values: fc.Arbitrary<EventValues> = fc.record({
  eventName: one('GetObject', 'PutObject', '__proto__'),
  resourceARN: some('a', 'b', 'c', '(none)'),
  userIdentity: one('Root:1', 'IAMUser:2'),
  userAgent: one('cli', 'sdk', 'constructor'),
  sourceIpAddress: one('1.2.3.4', '(none)'),
  errorCodes: fc.constantFrom([], ['AccessDenied'], ['NoSuchKey']),
});

const events = fc
  .array(
    fc.record({
      account: fc.constantFrom('111111111111', '222222222222') as fc.Arbitrary<AccountId>,
      region: fc.constantFrom('eu-central-1', 'us-east-1') as fc.Arbitrary<Region>,
      eventSource: fc.constantFrom('s3.amazonaws.com', 'lambda.amazonaws.com'),
      values,
      atMs: fc.integer({ min: 0, max: 4 * WINDOW_MS }),
    }),
    { maxLength: 60 },
  )
  .map((all) => all.map((event, at): CountedEvent => ({ ...event, closesMs: windowOf(event.atMs) + WINDOW_MS, sequence: BigInt(at + 1) })));

/** `[group, dimension, value, count]`, sorted: what groups say, whatever their number. */
function flat(groups: readonly WindowGroup[]): readonly string[] {
  const counts = new Map<string, number>();
  const add = (key: readonly unknown[], count: number) => counts.set(JSON.stringify(key), (counts.get(JSON.stringify(key)) ?? 0) + count);
  for (const { template, account, region, eventSource, windowMs, primary, count, details } of groups) {
    const key = [template, account, region, eventSource, windowMs, primary];
    add([...key, PRIMARY_DIMENSION[template], primary], count);
    for (const [dimension, of] of details) for (const [value, each] of of) add([...key, dimension, value], each);
  }
  return [...counts].map(([key, count]) => `${key} ${count}`).sort();
}

/** The same, found by asking each event about each combination. */
function oracle(all: readonly CountedEvent[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const event of all)
    for (const template of TEMPLATES)
      for (const primary of event.values[PRIMARY_DIMENSION[template]]) {
        const key = [template, event.account, event.region, event.eventSource, windowOf(event.atMs), primary];
        const pairs = DIMENSIONS.flatMap((dimension): readonly [Dimension, string][] =>
          dimension === PRIMARY_DIMENSION[template] ? [[dimension, primary]] : event.values[dimension].map((value) => [dimension, value]),
        );
        for (const pair of pairs) {
          const text = JSON.stringify([...key, ...pair]);
          counts.set(text, (counts.get(text) ?? 0) + 1);
        }
      }
  return [...counts].map(([key, count]) => `${key} ${count}`).sort();
}

function tableOf(all: readonly CountedEvent[]): WindowTable {
  const table = new WindowTable(TEMPLATES);
  for (const event of all) table.add(event);
  return table;
}

describe('a window table', () => {
  test('counts what asking each event counts, and gives the groups that close by a time, each at one time', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 6 }), (all, windows) => {
        const table = tableOf(all);
        expect(flat(table.groups(Number.POSITIVE_INFINITY))).toEqual(oracle(all));
        const closedToMs = windows * WINDOW_MS;
        expect(flat(table.groups(closedToMs))).toEqual(oracle(all.filter(({ closesMs }) => closesMs <= closedToMs)));
      }),
    );
  });

  test('gives one group for each value, with the span of its events', () => {
    fc.assert(
      fc.property(events, (all) => {
        const groups = tableOf(all).groups(Number.POSITIVE_INFINITY);
        const names = groups.map(({ template, account, region, eventSource, windowMs, primary }) =>
          JSON.stringify([template, account, region, eventSource, windowMs, primary]),
        );
        expect(new Set(names).size).toBe(names.length);
        for (const { count, firstSequence, lastSequence, oldestMs, newestMs, windowMs } of groups) {
          expect(count).toBeGreaterThan(0);
          expect(
            firstSequence <= lastSequence && oldestMs <= newestMs && windowOf(oldestMs) === windowMs && windowOf(newestMs) === windowMs,
          ).toBe(true);
        }
      }),
    );
  });

  test('is full when strangers have chosen many values, long before they fill the memory, and has lost none', () => {
    const table = new WindowTable(TEMPLATES);
    let added = 0;
    for (; !table.isFull; added++)
      table.add({
        account: '111111111111' as AccountId,
        region: 'eu-central-1' as Region,
        eventSource: 's3.amazonaws.com',
        values: {
          eventName: ['GetObject'],
          resourceARN: [`arn:aws:s3:::${added}`],
          userIdentity: ['Root:1'],
          userAgent: [`${added}`.padStart(1_024, 'x')],
          sourceIpAddress: ['1.2.3.4'],
          errorCodes: [],
        },
        atMs: 0,
        closesMs: WINDOW_MS,
        sequence: BigInt(added + 1),
      });
    expect(added).toBeGreaterThan(100);
    expect(added).toBeLessThan(1_000);
    const groups = table.groups(WINDOW_MS);
    for (const template of TEMPLATES)
      expect(groups.filter((group) => group.template === template).reduce((sum, { count }) => sum + count, 0)).toBe(added);
    // Those of one value went on in several records.
    const names = groups.filter(({ template }) => template === 'API_ACTIVITY');
    expect(names.length).toBeGreaterThan(1);
    for (const { details } of names) expect(details.get('userAgent')!.size).toBeLessThan(100);
  });
});
