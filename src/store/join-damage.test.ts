import { expect, test } from 'vitest';
import { joinDamage } from './join-damage.ts';

const of = (from: bigint, to: bigint, file: string, why = 'a block has a wrong checksum') => ({ from, to, file, reason: why });

test('damaged parts that follow one another in one file are told as one range; those of other files, and with something between, are not', () => {
  const [first, second, third] = [of(1n, 9n, '/j/1.sealed', 'byte 70'), of(10n, 19n, '/j/1.sealed'), of(20n, 29n, '/j/1.sealed')];
  const [next, later] = [of(30n, 39n, '/j/30.sealed'), of(41n, 49n, '/j/30.sealed')];
  expect(joinDamage([])).toEqual([]);
  expect(joinDamage([first, next, later])).toEqual([first, next, later]);
  expect(joinDamage([first, second])).toEqual([
    { from: 1n, to: 19n, file: '/j/1.sealed', reason: 'byte 70, and 1 more part of the file right after it' },
  ]);
  expect(joinDamage([first, second, third, next])).toEqual([
    { from: 1n, to: 29n, file: '/j/1.sealed', reason: 'byte 70, and 2 more parts of the file right after it' },
    next,
  ]);
});
