import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NumberSet, parseTrailArn, placeOf } from './layout.ts';

describe('keys of evidence', () => {
  test('are told apart by their folders', () => {
    const base = 'p/AWSLogs/123456789012';
    expect(placeOf(`${base}/CloudTrail/x/y.json.gz`)).toEqual({ kind: 'log', scope: `${base}/` });
    expect(placeOf(`${base}/CloudTrail-Digest/x`)).toEqual({ kind: 'digest', scope: `${base}/` });
    expect(placeOf('AWSLogs/o-0123456789/123456789012/CloudTrail/x')).toEqual({ kind: 'log', scope: 'AWSLogs/o-0123456789/123456789012/' });
    expect(placeOf(`${base}/CloudTrail-Evidence/eu-west-1/main/receipts/000000000012.note`)).toEqual({
      kind: 'receipt',
      scope: `${base}/`,
      trail: { account: '123456789012', homeRegion: 'eu-west-1', name: 'main' },
      number: 12,
    });
    expect(placeOf(`${base}/CloudTrail-Evidence/eu-west-1/main/receipts/12.note`)).toEqual({ kind: 'other-evidence', scope: `${base}/` });
    expect([`${base}/`, `${base}/CloudTrail-Insight/x`, 'x/y', 'AWSLogs/12/CloudTrail/x'].map(placeOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('and ARNs never throw, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        placeOf(text);
        placeOf(`AWSLogs/123456789012/${text}`);
        parseTrailArn(text);
      }),
    );
  });

  test('numbers are kept as ranges', () => {
    const numbers = new NumberSet();
    for (const number of [1, 2, 3, 7, 8, 2]) numbers.add(number);
    expect(numbers.ranges()).toEqual([
      { from: 1, to: 3 },
      { from: 7, to: 8 },
    ]);
    expect([3, 4].map((number) => numbers.has(number))).toEqual([true, false]);
  });
});
