import { describe, expect, test } from 'vitest';
import { HourTable } from './hour-table.ts';

const row = (account: string, hour: number, count = 1) => ({ account, hour, count });

describe('HourTable', () => {
  test('rows come by account and then by hour, or those of one account, or those of the newest hours', () => {
    const table = new HourTable([row('b', 10), row('a', 9), row('a', 100), row('b', 9)]);
    expect(table.all()).toEqual([row('a', 9), row('a', 100), row('b', 9), row('b', 10)]);
    expect(table.of('b')).toEqual([row('b', 9), row('b', 10)]);
    expect(table.of('c')).toEqual([]);
    expect(table.newest(2)).toEqual([row('a', 100), row('b', 10)]);
    table.delete(row('b', 10));
    expect([table.get(row('b', 10)), table.newest(2)]).toEqual([undefined, [row('a', 100), row('a', 9), row('b', 9)]]);
  });

  test('what changed is told once, in its last form, and all of it at first', () => {
    const table = new HourTable([row('a', 1), row('a', 2)]);
    table.set(row('a', 1, 2));
    expect(table.takeChanged()).toEqual([row('a', 1, 2), row('a', 2)]);
    expect(table.takeChanged()).toEqual([]);
    table.set(row('a', 2, 5));
    table.set(row('a', 2, 6));
    table.set(row('a', 3));
    table.delete(row('a', 3));
    expect(table.takeChanged()).toEqual([row('a', 2, 6)]);
  });
});
