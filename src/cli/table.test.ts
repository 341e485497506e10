import { describe, expect, test } from 'vitest';
import { displayWidth, formatFacts, formatTable } from './table.ts';

interface Row {
  readonly name: string;
  readonly count?: number;
}

describe('formatTable', () => {
  test('columns line up under their headings, numbers to the right, and no line ends in a space', () => {
    const rows: readonly Row[] = [{ name: 'a', count: 5 }, { name: 'longer', count: 1234 }, { name: 'none' }];
    const columns = [
      { heading: 'count', cell: (row: Row) => row.count, isRight: true },
      { heading: 'name', cell: (row: Row) => row.name },
    ];
    expect(formatTable(columns, rows)).toBe(['COUNT  NAME', '    5  a', ' 1234  longer', '    -  none', ''].join('\n'));
  });

  test('a cell that is too long is cut and says so', () => {
    expect(formatTable([{ heading: 'n', cell: (row: Row) => row.name, widthMax: 4 }], [{ name: 'abcd' }, { name: 'abcde' }])).toBe(
      'N\nabcd\nabc…\n',
    );
  });

  test('a cell cannot begin a second line or move the cursor', () => {
    const table = formatTable([{ heading: 'n', cell: (row: Row) => row.name }], [{ name: 'x\nTIME  forged\u001b[2J' }]);
    expect(table).toBe('N\nx\\u000aTIME  forged\\u001b[2J\n');
  });

  test('there may be more rows than a call can have arguments', () => {
    const rows = Array.from({ length: 200_000 }, () => ({ name: 'x' }));
    expect(formatTable([{ heading: 'n', cell: (row: Row) => row.name }], rows)).toHaveLength(2 * 200_001);
  });

  test('wide characters take two columns and combining ones none', () => {
    expect([displayWidth('abc'), displayWidth('日本'), displayWidth('é')]).toEqual([3, 4, 1]);
  });
});

describe('formatFacts', () => {
  test('values line up, absent ones are left out, and each is one line', () => {
    expect(
      formatFacts([
        ['Id', 'a\r\nb'],
        ['Error', undefined],
        ['Account', '111122223333'],
      ]),
    ).toBe('Id       a\\u000d\\u000ab\nAccount  111122223333\n');
  });
});
