import { describe, expect, test } from 'vitest';
import { ACCOUNT, EvidenceRig, REGION } from '../../test/support/evidence-rig.ts';
import { watchClock } from './watch-clock.ts';

const HOUR_MS = 3_600_000;

/** Lets `steps` seconds pass, moving the wall clock by so much more before each. */
async function factsAfter(rig: EvidenceRig, steps: readonly number[]): Promise<unknown[]> {
  const stop = new AbortController();
  const watching = watchClock({ ...rig, account: ACCOUNT, region: REGION }, stop.signal);
  await rig.clock.someoneSleeps();
  for (const jumpMs of steps) {
    rig.clock.jump(jumpMs);
    rig.clock.pass(1_000);
    await rig.clock.someoneSleeps();
  }
  stop.abort();
  await watching;
  return rig.journal.entries.map((entry) => JSON.parse(new TextDecoder().decode(entry.bytes)));
}

describe('watchClock', () => {
  test('a jump forward and one back are facts, each once', async () => {
    const rig = new EvidenceRig();
    const facts = await factsAfter(rig, [0, 72 * HOUR_MS, 0, 0, -72 * HOUR_MS, 0]);
    expect(facts).toEqual([
      { version: 1, kind: 'clock-jump', expected: '2026-01-02T03:04:07.000Z', found: '2026-01-05T03:04:07.000Z', jumpMs: 72 * HOUR_MS },
      { version: 1, kind: 'clock-jump', expected: '2026-01-05T03:04:10.000Z', found: '2026-01-02T03:04:10.000Z', jumpMs: -72 * HOUR_MS },
    ]);
    expect(rig.journal.entries[0]).toMatchObject({ kind: 'fact', factKind: 'clock-jump', account: ACCOUNT });
  });

  test('a move of up to two seconds is none, and one of more is', async () => {
    expect(await factsAfter(new EvidenceRig(), [2_000, -2_000, 1_999])).toEqual([]);
    expect(await factsAfter(new EvidenceRig(), [-2_001])).toMatchObject([{ jumpMs: -2_001 }]);
  });

  test('many small steps are a jump once they come to more than two seconds', async () => {
    expect(await factsAfter(new EvidenceRig(), [900, 900, 900, 900])).toMatchObject([{ jumpMs: 2_700 }]);
  });

  test('a full journal delays the fact', async () => {
    const rig = new EvidenceRig();
    rig.journal.isFull = true;
    expect(await factsAfter(rig, [5_000, 0])).toEqual([]);
    const stop = new AbortController();
    const watching = watchClock({ ...rig, account: ACCOUNT, region: REGION }, stop.signal);
    await rig.clock.someoneSleeps();
    rig.clock.jump(5_000);
    rig.clock.pass(1_000);
    await rig.clock.someoneSleeps();
    rig.journal.isFull = false;
    rig.clock.pass(1_000);
    await rig.clock.someoneSleeps();
    stop.abort();
    await watching;
    expect(rig.journal.entries.length).toBe(1);
  });
});
