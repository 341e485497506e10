import { expect, test } from 'vitest';
import { accountHourKey, hourOf, startOfHour } from './account-hour.ts';

test('an hour begins with its first millisecond, and before 1970 as well', () => {
  expect([-1, 3_599_999, 3_600_000].map(hourOf)).toEqual([-1, 0, 1]);
  expect(startOfHour(hourOf(Date.UTC(2026, 0, 2, 3, 59)))).toBe('2026-01-02T03:00:00.000Z');
});

test('accounts and hours have names of their own', () => {
  expect(accountHourKey({ account: '000000000012', hour: 490_923 })).toBe('000000000012/490923');
});
