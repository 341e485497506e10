import { describe, expect, test } from 'vitest';
import { UsedSignatures } from './used-signatures.ts';

describe('a used signature', () => {
  const once = (nowMs: number, untilMs: number) => ({ nowMs, untilMs, afterMs: 0 });

  test('is known until its time is over, in whatever case it is written', () => {
    const used = new UsedSignatures();
    expect([used.use('ab', once(0, 100)), used.use('AB', once(99, 100)), used.use('cd', once(99, 500))]).toEqual([
      'first',
      'refused',
      'first',
    ]);
    // Its time is over: its age alone refuses it.
    expect([used.use('ef', once(100, 500)), used.use('ab', once(100, 500))]).toEqual(['first', 'first']);
  });

  test('may be repeated soon after where that is said, and not later, however often it was', () => {
    const used = new UsedSignatures();
    const at = (nowMs: number) => used.use('ab', { nowMs, untilMs: 300_000, afterMs: 3_000 });
    expect([at(0), at(2_000), at(2_999), at(3_000), at(3_001)]).toEqual(['first', 'repeat', 'repeat', 'refused', 'refused']);
  });

  test('is as new when its call was not carried out', () => {
    const used = new UsedSignatures();
    used.use('ab', once(0, 100));
    used.giveBack('AB');
    expect(used.use('ab', once(50, 100))).toBe('first');
  });

  test('is forgotten after a hundred thousand others, so that memory stays bounded', () => {
    const used = new UsedSignatures();
    for (let index = 0; index < 100_000; index++) used.use(`${index}`, once(0, 1_000));
    expect([used.use('99999', once(0, 1_000)), used.use('0', once(0, 1_000))]).toEqual(['refused', 'refused']);
    expect([used.use('one more', once(0, 1_000)), used.use('0', once(0, 1_000))]).toEqual(['first', 'first']);
  });
});
