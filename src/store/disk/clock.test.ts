import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock, parseClockOffset } from './clock.ts';

const HOUR_MS = 3_600_000;
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'snowtrail-clock-'));
  file = join(folder, 'clock');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Waits, in real time, until the clock shows about this offset; a clock that never does fails by the test's time limit. */
async function untilOffset(clock: { nowMs(): number }, offsetMs: number): Promise<void> {
  while (Math.abs(clock.nowMs() - Date.now() - offsetMs) > 5_000) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('createSystemClock with a file', () => {
  test('runs ahead or behind by the offset in the file, and follows it when it changes', async () => {
    writeFileSync(file, '+3d\n');
    const clock = createSystemClock({ file });
    expect(clock.nowMs() - Date.now()).toBeCloseTo(72 * HOUR_MS, -2);
    writeFileSync(file, '-2h');
    await untilOffset(clock, -2 * HOUR_MS);
    writeFileSync(join(folder, 'new'), '+90m');
    renameSync(join(folder, 'new'), file);
    await untilOffset(clock, 1.5 * HOUR_MS);
  });

  test('stays as it was while the file is empty, half-written or gone', async () => {
    writeFileSync(file, '+3d');
    const clock = createSystemClock({ file });
    for (const text of ['', '+3', '2026-02-30T00:00:00Z']) {
      writeFileSync(file, text);
      await clock.sleep(250);
      expect(clock.nowMs() - Date.now()).toBeCloseTo(72 * HOUR_MS, -2);
    }
    rmSync(file);
    await clock.sleep(250);
    expect(clock.nowMs() - Date.now()).toBeCloseTo(72 * HOUR_MS, -2);
    writeFileSync(file, '+1h');
    await untilOffset(clock, HOUR_MS);
  });

  test('an instant is what the clock showed when the file was written, so that a restart goes on from there', () => {
    writeFileSync(file, '2031-05-06T07:08:09Z');
    utimesSync(file, new Date(), new Date(Date.now() - HOUR_MS));
    const shown = createSystemClock({ file }).nowMs();
    expect(Math.abs(shown - (Date.UTC(2031, 4, 6, 7, 8, 9) + HOUR_MS))).toBeLessThan(5_000);
  });

  test('is refused when the file is missing or says neither instant nor offset', () => {
    expect(() => createSystemClock({ file })).toThrow(/instant .* or an offset/);
    writeFileSync(file, 'tomorrow');
    expect(() => createSystemClock({ file })).toThrow(/instant .* or an offset/);
  });
});

describe('parseClockOffset', () => {
  test('reads offsets of every unit and instants, and nothing else', () => {
    const read = (text: string) => parseClockOffset(text, 1_000);
    expect(['+500ms', '-30s', '+1.5m', '-2h', '+3d', '1970-01-01T00:00:02Z', '1970-01-01T00:00:02.5Z'].map(read)).toEqual([
      500, -30_000, 90_000, -7_200_000, 259_200_000, 1_000, 1_500,
    ]);
    const wrong = ['3d', '+3', '+3w', '', '2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00', '+-3d'];
    expect(wrong.map(read)).toEqual(wrong.map(() => undefined));
  });
});
