import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainStart, finalEnd, isTooLate, regularEnd } from './digest-times.ts';

const HOUR_MS = 3_600_000;

describe('digest times', () => {
  test('regular ends are the multiples of the interval, strictly after the start', () => {
    expect(regularEnd(HOUR_MS, HOUR_MS)).toBe(2 * HOUR_MS);
    expect(regularEnd(HOUR_MS - 1000, HOUR_MS)).toBe(HOUR_MS);
    expect(regularEnd(1_000, 20_000)).toBe(20_000);
  });

  test('a chain begins at a whole second, not before an earlier end', () => {
    expect([chainStart(5_999, 0), chainStart(5_999, 9_000)]).toEqual([5_000, 9_000]);
  });

  test('the last digest covers everything up to the moment, and lasts at least a second', () => {
    expect([finalEnd(5_000, 7_001), finalEnd(5_000, 7_000), finalEnd(5_000, 1_000)]).toEqual([8_000, 7_000, 6_000]);
  });

  test('a digest is too late once the interval after it has closed', () => {
    expect([isTooLate(HOUR_MS, 2 * HOUR_MS - 1, HOUR_MS), isTooLate(HOUR_MS, 2 * HOUR_MS, HOUR_MS)]).toEqual([false, true]);
  });

  test('whatever is asked in whatever order, ends are whole seconds and strictly grow', () => {
    const steps = fc.array(
      fc.record({ atMs: fc.integer({ min: 0, max: 10 * HOUR_MS }), kind: fc.constantFrom('regular', 'final', 'start') }),
    );
    fc.assert(
      fc.property(steps, fc.constantFrom(1_000, 20_000, HOUR_MS), (list, intervalMs) => {
        let startMs = 0;
        for (const { atMs, kind } of list) {
          const endMs =
            kind === 'regular' ? regularEnd(startMs, intervalMs) : kind === 'final' ? finalEnd(startMs, atMs) : chainStart(atMs, startMs);
          expect(endMs % 1000).toBe(0);
          if (kind === 'start') expect(endMs).toBeGreaterThanOrEqual(startMs);
          else expect(endMs).toBeGreaterThan(startMs);
          startMs = endMs;
        }
      }),
    );
  });
});
