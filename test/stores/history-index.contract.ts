/**
 * What every history index promises (`src/store/history-index.ts`), as tests that run over each implementation.
 */
import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../../src/event/types.ts';
import type { HistoryIndex, HistoryQuery, HistoryRow, HistoryScope, HistoryTerm } from '../../src/store/history-index.ts';

const SCOPE: HistoryScope = { account: '111122223333' as AccountId, region: 'eu-central-1' as Region, category: 'management' };
const OTHER_REGION: HistoryScope = { ...SCOPE, region: 'us-east-1' as Region };
const OTHER_CATEGORY: HistoryScope = { ...SCOPE, category: 'insight' };

/** A row with sensible defaults. */
function row(sequence: number, timeMs: number, terms: Partial<Record<HistoryTerm['attribute'], string>> = {}, scope = SCOPE): HistoryRow {
  return {
    scope,
    timeMs,
    sequence: BigInt(sequence),
    terms: Object.entries(terms).map(([attribute, value]) => ({ attribute: attribute as HistoryTerm['attribute'], value })),
  };
}

/** A query over everything in one scope, with changes. */
function query(change: Partial<HistoryQuery> = {}): HistoryQuery {
  return { scopes: [SCOPE], terms: [], fromMs: 0, toMs: 9_999_999_999_999, sequenceMax: 2n ** 40n, limit: 50, ...change };
}

async function sequences(index: HistoryIndex, change: Partial<HistoryQuery> = {}): Promise<number[]> {
  return (await index.query(query(change))).map((position) => Number(position.sequence));
}

/** @param open A fresh, empty index; the suite closes it. */
export function historyIndexContract(name: string, open: () => Promise<HistoryIndex>): void {
  const using = async (use: (index: HistoryIndex) => Promise<void>): Promise<void> => {
    const index = await open();
    try {
      await use(index);
    } finally {
      await index.close();
    }
  };

  describe(`${name} keeps the promises of a history index`, () => {
    test('an empty index has no rows, no scopes, and covers nothing', () =>
      using(async (index) => {
        expect(await index.query(query())).toEqual([]);
        expect(index.scopes()).toEqual([]);
        expect(index.coveredTo()).toBe(0n);
      }));

    test('a row is found as soon as `add` returned, by each of its terms', () =>
      using(async (index) => {
        await index.add([row(1, 1000, { EventId: 'a', EventName: 'RunInstances' })], 1n);
        expect(await index.query(query({ terms: [{ attribute: 'EventId', value: 'a' }] }))).toEqual([{ timeMs: 1000, sequence: 1n }]);
        expect(await sequences(index, { terms: [{ attribute: 'EventName', value: 'RunInstances' }] })).toEqual([1]);
        expect(await sequences(index, { terms: [{ attribute: 'EventName', value: 'runInstances' }] })).toEqual([]);
        expect(await sequences(index, { terms: [{ attribute: 'EventSource', value: 'RunInstances' }] })).toEqual([]);
      }));

    test('rows come newest first by time, then by sequence; `oldest` turns both around', () =>
      using(async (index) => {
        await index.add([row(1, 2000), row(2, 3000), row(3, 2000), row(4, 1000)], 4n);
        expect(await sequences(index)).toEqual([2, 3, 1, 4]);
        expect(await sequences(index, { order: 'oldest' })).toEqual([4, 1, 3, 2]);
      }));

    test('both bounds of the time are inclusive', () =>
      using(async (index) => {
        await index.add([row(1, 1000), row(2, 2000), row(3, 3000), row(4, 4000)], 4n);
        expect(await sequences(index, { fromMs: 2000, toMs: 3000 })).toEqual([3, 2]);
      }));

    test('pages follow each other without a gap or a repeat, in both orders, through rows of one time', () =>
      using(async (index) => {
        const rows = Array.from({ length: 40 }, (_, at) => row(at + 1, 1000 + Math.floor(at / 15) * 1000));
        await index.add(rows, 40n);
        for (const order of ['newest', 'oldest'] as const) {
          const all = await index.query(query({ order }));
          const paged = [];
          for (let after = undefined as HistoryQuery['after']; ; ) {
            const page = await index.query(query({ order, limit: 7, ...(after === undefined ? {} : { after }) }));
            paged.push(...page);
            after = page.at(-1);
            if (page.length < 7) break;
          }
          expect(paged).toEqual(all);
        }
      }));

    test('rows after `sequenceMax` stay out, however new their time is', () =>
      using(async (index) => {
        await index.add([row(1, 1000), row(2, 5000), row(3, 500)], 3n);
        expect(await sequences(index, { sequenceMax: 1n })).toEqual([1]);
      }));

    test('scopes are apart: account, Region and category each', () =>
      using(async (index) => {
        await index.add(
          [
            row(1, 1000, { EventName: 'A' }),
            row(2, 1000, { EventName: 'A' }, OTHER_REGION),
            row(3, 1000, { EventName: 'A' }, OTHER_CATEGORY),
          ],
          3n,
        );
        const terms: HistoryTerm[] = [{ attribute: 'EventName', value: 'A' }];
        expect(await sequences(index, { terms })).toEqual([1]);
        expect(await sequences(index, { terms, scopes: [OTHER_CATEGORY] })).toEqual([3]);
        expect(await sequences(index, { terms, scopes: [SCOPE, OTHER_REGION, SCOPE] })).toEqual([2, 1]);
        expect(new Set(index.scopes())).toEqual(new Set([SCOPE, OTHER_REGION, OTHER_CATEGORY]));
      }));

    test('several terms must all hold', () =>
      using(async (index) => {
        await index.add(
          [
            row(1, 1000, { EventName: 'A', Username: 'x' }),
            row(2, 1000, { EventName: 'A', Username: 'y' }),
            row(3, 1000, { EventName: 'B', Username: 'x' }),
          ],
          3n,
        );
        const both: HistoryTerm[] = [
          { attribute: 'EventName', value: 'A' },
          { attribute: 'Username', value: 'x' },
        ];
        expect(await sequences(index, { terms: both })).toEqual([1]);
        expect(await sequences(index, { terms: [...both, { attribute: 'EventName', value: 'B' }] })).toEqual([]);
        expect(await sequences(index, { terms: [both[0]!, both[0]!] })).toEqual([2, 1]);
      }));

    test('a row may name several values of one attribute, and one of them twice', () =>
      using(async (index) => {
        const resources = ['bucket', 'arn:aws:s3:::bucket', 'bucket'].map((value) => ({ attribute: 'ResourceName' as const, value }));
        await index.add([{ ...row(1, 1000), terms: resources }], 1n);
        for (const term of resources) expect(await sequences(index, { terms: [term] })).toEqual([1]);
      }));

    test('a row that is covered already is ignored; entries without rows are covered too', () =>
      using(async (index) => {
        await index.add([row(1, 1000)], 5n);
        expect(index.coveredTo()).toBe(5n);
        await index.add([row(1, 1000), row(5, 1000), row(6, 1000)], 6n);
        await index.add([], 4n);
        expect(index.coveredTo()).toBe(6n);
        expect(await sequences(index)).toEqual([6, 1]);
      }));

    test('what is forgotten is not covered any more, and found again once it is given again', () =>
      using(async (index) => {
        await index.add([row(1, 1000), row(2, 2000), row(4, 4000)], 5n);
        await index.settle();
        await index.forget(5n, 9n);
        expect(index.coveredTo()).toBe(5n);
        await index.forget(1n, 3n);
        expect(index.coveredTo()).toBeLessThanOrEqual(1n);
        expect(await sequences(index)).not.toContain(2);
        await index.add([row(1, 1000), row(2, 2000), row(3, 3000), row(4, 4000)], 5n);
        expect([await sequences(index), index.coveredTo()]).toEqual([[4, 3, 2, 1], 5n]);
      }));

    test('expired rows are gone at once, late ones as well, and a scope goes with its last row', () =>
      using(async (index) => {
        await index.add([row(1, 1000), row(2, 2000), row(3, 1500, {}, OTHER_REGION)], 3n);
        await index.expire(2000);
        expect(await sequences(index, { scopes: [SCOPE, OTHER_REGION] })).toEqual([2]);
        expect(index.scopes()).toEqual([SCOPE]);
        await index.add([row(4, 1999), row(5, 2001)], 5n);
        expect(await sequences(index)).toEqual([5, 2]);
        expect(index.coveredTo()).toBe(5n);
      }));

    test('times before 1970 and with milliseconds keep their order', () =>
      using(async (index) => {
        await index.add([row(1, -5000), row(2, -4999), row(3, 0), row(4, 1_700_000_000_123)], 4n);
        expect(await index.query(query({ fromMs: -10_000 }))).toEqual([
          { timeMs: 1_700_000_000_123, sequence: 4n },
          { timeMs: 0, sequence: 3n },
          { timeMs: -4999, sequence: 2n },
          { timeMs: -5000, sequence: 1n },
        ]);
      }));
  });
}
