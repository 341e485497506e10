/**
 * What every implementation of `Clock` and `Chance` promises.
 */
import { describe, expect, test } from 'vitest';
import type { Chance, Clock } from '../../src/store/clock.ts';

/** The clock under test; `pass` lets at least that much time go by. */
export interface ClockRig {
  readonly clock: Clock;
  readonly pass: (ms: number) => Promise<void>;
}

export function describeClock(name: string, open: () => Promise<ClockRig>): void {
  describe(`${name}: clock`, () => {
    test('the wall clock tells whole milliseconds, and time passes on both clocks', async () => {
      const { clock, pass } = await open();
      const [wallMs, elapsedMs] = [clock.nowMs(), clock.monotonicMs()];
      await pass(30);
      expect(Number.isInteger(wallMs)).toBe(true);
      expect(clock.nowMs() - wallMs).toBeGreaterThanOrEqual(29);
      expect(clock.monotonicMs() - elapsedMs).toBeGreaterThanOrEqual(29);
    });

    test('who sleeps wakes after the time, not before, and the shorter sleep ends first', async () => {
      const { clock, pass } = await open();
      const order: string[] = [];
      const startMs = clock.monotonicMs();
      const long = clock.sleep(40).then(() => order.push(`long after ${clock.monotonicMs() - startMs >= 39}`));
      const short = clock.sleep(15).then(() => order.push(`short after ${clock.monotonicMs() - startMs >= 14}`));
      await Promise.all([pass(60), long, short]);
      expect(order).toEqual(['short after true', 'long after true']);
    });

    test('an aborted sleep ends at once, before and while it sleeps', async () => {
      const { clock } = await open();
      await clock.sleep(3_600_000, AbortSignal.abort());
      const later = new AbortController();
      const sleeping = clock.sleep(3_600_000, later.signal);
      later.abort();
      await sleeping;
      await clock.sleep(0);
    });
  });
}

export function describeChance(name: string, open: () => Chance): void {
  describe(`${name}: chance`, () => {
    test('bytes have the length asked for and differ from draw to draw', () => {
      const chance = open();
      for (const count of [0, 1, 16, 1_024, 5_000]) expect(chance.bytes(count)).toHaveLength(count);
      const draws = Array.from({ length: 1_000 }, () => Buffer.from(chance.bytes(16)).toString('hex'));
      expect(new Set(draws).size).toBe(1_000);
    });

    test('bytes that were given away are not changed by later draws', () => {
      const chance = open();
      const first = chance.bytes(16);
      const copy = first.slice();
      for (let draw = 0; draw < 1_000; draw++) chance.bytes(16);
      expect(first).toEqual(copy);
    });

    test('UUIDs are of version 4, in lower case, and all different', () => {
      const chance = open();
      const made = Array.from({ length: 1_000 }, () => chance.uuid());
      expect(new Set(made).size).toBe(1_000);
      for (const uuid of made) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    });

    test('fractions lie from 0 up to before 1, and are spread', () => {
      const chance = open();
      const made = Array.from({ length: 1_000 }, () => chance.fraction());
      for (const fraction of made) expect(fraction >= 0 && fraction < 1).toBe(true);
      const mean = made.reduce((sum, fraction) => sum + fraction, 0) / made.length;
      expect(Math.abs(mean - 0.5)).toBeLessThan(0.1);
    });
  });
}
