import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatEventTime, parseEventTime } from './times.ts';

describe('parseEventTime', () => {
  test('the service form and RFC 3339 with fraction or offset are read', () => {
    const times = [
      '2025-09-24T02:11:07Z',
      '2022-01-25T22:46:00.608Z',
      '2022-01-25T22:46:00.6089999Z',
      '2025-09-24T04:11:07+02:00',
      '2025-09-23T20:41:07-05:30',
    ];
    expect(times.map(parseEventTime)).toEqual([1758679867000, 1643150760608, 1643150760608, 1758679867000, 1758679867000]);
  });

  test.each([
    '2025-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-00-10T00:00:00Z',
    '2025-01-00T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T00:60:00Z',
    '2025-01-01T00:00:61Z',
    '2025-01-01T00:00:00',
    '2025-01-01T00:00:00+24:00',
    '2025-01-01T00:00:00+0100',
    '2025-01-01 00:00:00Z',
    '2025-01-01t00:00:00z',
    '2025-01-01T00:00Z',
    '2025-01-01',
    '2014-03-06T21: 22: 54Z',
    '+275760-09-13T00:00:00Z',
    '20131102T010628Z',
    '1758679867',
    '2025-01-01T00:00:00Z ',
    '2025-01-01T00:00:00.Z',
    '٢٠٢٥-01-01T00:00:00Z',
    '',
  ])('`%s` is not a time', (text) => {
    expect(parseEventTime(text)).toBeUndefined();
  });

  test('the 29th of February exists in leap years only (A55)', () => {
    expect([parseEventTime('2024-02-29T00:00:00Z'), parseEventTime('2000-02-29T00:00:00Z')]).toEqual([1709164800000, 951782400000]);
  });

  test('second 60 is taken at the end of a month in UTC, and nowhere else (F31, A55)', () => {
    expect(parseEventTime('2016-12-31T23:59:60Z')).toBe(Date.UTC(2017, 0, 1));
    expect(parseEventTime('2017-01-01T00:59:60+01:00')).toBe(Date.UTC(2017, 0, 1));
    expect(parseEventTime('2016-12-30T23:59:60Z')).toBeUndefined();
    expect(parseEventTime('2016-12-31T22:59:60Z')).toBeUndefined();
  });

  test('an offset that leads out of the years 0000 to 9999 is refused, since such a time cannot be written again', () => {
    for (const text of ['0000-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01', '0000-01-01T13:59:59+14:00'])
      expect(parseEventTime(text)).toBeUndefined();
    for (const text of ['0000-01-01T00:01:00+00:01', '9999-12-31T23:58:59-00:01', '0000-01-01T00:00:00Z'])
      expect(formatEventTime(parseEventTime(text)!)).toMatch(/^(0000-01-01|9999-12-31)T/);
  });

  test('years before 100 are not taken for the 20th century', () => {
    expect(parseEventTime('0099-01-01T00:00:00Z')).toBe(-59042995200000);
  });
});

describe('formatEventTime', () => {
  test('milliseconds are cut off towards the past', () => {
    expect([formatEventTime(1758679867999), formatEventTime(-1)]).toEqual(['2025-09-24T02:11:07Z', '1969-12-31T23:59:59Z']);
  });

  test('a time that four digits of year cannot hold is a RangeError', () => {
    expect(() => formatEventTime(253402300800000)).toThrow(RangeError);
    expect(() => formatEventTime(Number.NaN)).toThrow(RangeError);
  });

  test('whole seconds are read back as they were, in every year', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }), (seconds) => {
        expect(parseEventTime(formatEventTime(seconds * 1000))).toBe(seconds * 1000);
      }),
    );
  });
});
