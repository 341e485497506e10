import { describe, expect, test } from 'vitest';
import type { AccountId } from '../event/types.ts';
import { UsedSignatures } from './used-signatures.ts';

const ONE = '111111111111' as AccountId;

describe('a used signature (A04)', () => {
  const once = (nowMs: number, untilMs: number) => ({ nowMs, untilMs, afterMs: 0 });

  test('is known until its time is over, in whatever case it is written', () => {
    const used = new UsedSignatures();
    expect([used.use(ONE, 'ab', once(0, 100)), used.use(ONE, 'AB', once(99, 100)), used.use(ONE, 'cd', once(99, 500))]).toEqual([
      'first',
      'refused',
      'first',
    ]);
    // Its time is over: its age alone refuses it.
    expect([used.use(ONE, 'ef', once(100, 500)), used.use(ONE, 'ab', once(100, 500))]).toEqual(['first', 'first']);
  });

  test('may be repeated soon after where that is said, and not later, however often it was', () => {
    const used = new UsedSignatures();
    const at = (nowMs: number) => used.use(ONE, 'ab', { nowMs, untilMs: 300_000, afterMs: 3_000 });
    expect([at(0), at(2_000), at(2_999), at(3_000), at(3_001)]).toEqual(['first', 'repeat', 'repeat', 'refused', 'refused']);
  });

  test('is as new when its call was not carried out', () => {
    const used = new UsedSignatures();
    used.use(ONE, 'ab', once(0, 100));
    used.giveBack(ONE, 'AB');
    expect(used.use(ONE, 'ab', once(50, 100))).toBe('first');
  });

  test('is forgotten after ten thousand others of its account, so that memory stays bounded', () => {
    const used = new UsedSignatures();
    for (let index = 0; index < 10_000; index++) used.use(ONE, `${index}`, once(0, 1_000));
    expect([used.use(ONE, '9999', once(0, 1_000)), used.use(ONE, '0', once(0, 1_000))]).toEqual(['refused', 'refused']);
    expect([used.use(ONE, 'one more', once(0, 1_000)), used.use(ONE, '0', once(0, 1_000))]).toEqual(['first', 'first']);
    expect(used.use(ONE, '2', once(0, 1_000))).toBe('refused');
  });

  test('is not forgotten for what other accounts use, be they one or many', () => {
    const used = new UsedSignatures();
    used.use(ONE, 'ab', once(0, 1_000));
    for (let account = 0; account < 12; account++)
      for (let index = 0; index < 10_001; index++) used.use(`${account}` as AccountId, `${index}`, once(0, 1_000));
    expect(used.use(ONE, 'ab', once(0, 1_000))).toBe('refused');
  });

  test('of all accounts a hundred thousand are known: for one more, the account with most forgets its oldest, or all forget what is over', () => {
    const full = () => {
      const used = new UsedSignatures();
      for (let index = 0; index < 100_000; index++)
        used.use(`${index % 10}` as AccountId, `${index}`, once(0, index < 99_990 ? 1_000 : 2_000));
      return used;
    };
    const oldest = Array.from({ length: 10 }, (_, index) => `${index}`);
    const before = full();
    expect(before.use(ONE, 'ab', once(0, 1_000))).toBe('first');
    const uses = oldest.toReversed().map((name) => before.use(name as AccountId, name, once(0, 1_000)));
    expect(uses).toEqual([...Array(9).fill('refused'), 'first']);
    const after = full();
    expect(after.use(ONE, 'ab', once(1_500, 3_000))).toBe('first');
    expect(after.use('0' as AccountId, '99990', once(1_500, 3_000))).toBe('refused');
  });
});
