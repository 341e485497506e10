import { describe, expect, test } from 'vitest';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { createManualClock, createSeededChance } from '../../src/store/memory/clock.ts';
import { describeChance, describeClock } from './clock.contract.ts';

describeClock('system', async () => {
  const clock = createSystemClock();
  return { clock, pass: (ms) => clock.sleep(ms) };
});

describeClock('manual', async () => {
  const clock = createManualClock({ startMs: Date.UTC(2026, 0, 2) });
  return { clock, pass: (ms) => clock.advance(ms) };
});

describeChance('system', createSystemChance);
describeChance('seeded', () => createSeededChance(7));

describe('the manual clock', () => {
  test('wakes each sleeper at its own time, also one that sleeps again within the span', async () => {
    const clock = createManualClock({ startMs: 1_000 });
    const woken: string[] = [];
    const tick = async () => {
      for (let count = 0; count < 3; count++) {
        await clock.sleep(10);
        woken.push(`tick at ${clock.nowMs()}`);
      }
    };
    const once = clock.sleep(15).then(() => woken.push(`once at ${clock.nowMs()}`));
    const ticking = tick();
    await clock.advance(25);
    expect(woken).toEqual(['tick at 1010', 'once at 1015', 'tick at 1020']);
    expect([clock.nowMs(), clock.monotonicMs(), clock.sleepers()]).toEqual([1_025, 25, 1]);
    await clock.advance(5);
    await Promise.all([once, ticking]);
    expect(woken.at(-1)).toBe('tick at 1030');
  });

  test('tells whole milliseconds also to who slept for a part of one', async () => {
    const clock = createManualClock({ startMs: 1_000 });
    const told = clock.sleep(10.4).then(() => clock.nowMs());
    await clock.advance(20);
    expect([await told, clock.nowMs()]).toEqual([1_010, 1_020]);
  });

  test('a jump moves the wall clock only, and wakes nobody', async () => {
    const clock = createManualClock({ startMs: 1_000 });
    const done = new AbortController();
    const sleeping = clock.sleep(10, done.signal);
    clock.jump(-500);
    expect([clock.nowMs(), clock.monotonicMs(), clock.sleepers()]).toEqual([500, 0, 1]);
    done.abort();
    await sleeping;
  });

  test('tells when somebody sleeps', async () => {
    const clock = createManualClock({ startMs: 0 });
    const waiting = clock.someoneSleeps();
    const sleeping = clock.sleep(1);
    await Promise.all([waiting, clock.someoneSleeps()]);
    await Promise.all([clock.advance(1), sleeping]);
    expect(clock.sleepers()).toBe(0);
  });
});

describe('seeded chance', () => {
  test('gives the same for the same seed, and other values for another', () => {
    const draw = (seed: string | number) => {
      const chance = createSeededChance(seed);
      return [Buffer.from(chance.bytes(20)).toString('hex'), chance.uuid(), chance.fraction()];
    };
    expect(draw(1)).toEqual(draw('1'));
    expect(draw(1)).not.toEqual(draw(2));
  });
});
