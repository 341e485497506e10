import { describe, expect, test } from 'vitest';
import { UsedSignatures } from './used-signatures.ts';

describe('a used signature', () => {
  test('is known until its time is over, in whatever case it is written', () => {
    const used = new UsedSignatures();
    expect([used.use('ab', 100, 0), used.use('AB', 100, 99), used.use('cd', 500, 99)]).toEqual([true, false, true]);
    // Its time is over: its age alone refuses it.
    expect([used.use('ef', 500, 100), used.use('ab', 500, 100)]).toEqual([true, true]);
  });

  test('is forgotten after a hundred thousand others, so that memory stays bounded', () => {
    const used = new UsedSignatures();
    for (let index = 0; index < 100_000; index++) used.use(`${index}`, 1_000, 0);
    expect(used.use('99999', 1_000, 0)).toBe(false);
    expect(used.use('0', 1_000, 0)).toBe(false);
    expect(used.use('one more', 1_000, 0)).toBe(true);
    expect(used.use('0', 1_000, 0)).toBe(true);
  });
});
