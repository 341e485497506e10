import { describe, expect, test } from 'vitest';
import { UsageError } from './exit.ts';
import { parseTime } from './parse-time.ts';

const NOW_MS = Date.parse('2026-11-20T14:30:15.250Z');

/** The time as ISO 8601, so that a failure can be read. */
function iso(text: string): string {
  return new Date(parseTime(text, '--from', NOW_MS)).toISOString();
}

describe('parseTime', () => {
  test('a duration is the time before now, with or without its minus', () => {
    expect(['-7d', '7d', '-90m', '30s', '-2w', '12h'].map(iso)).toEqual([
      '2026-11-13T14:30:15.250Z',
      '2026-11-13T14:30:15.250Z',
      '2026-11-20T13:00:15.250Z',
      '2026-11-20T14:29:45.250Z',
      '2026-11-06T14:30:15.250Z',
      '2026-11-20T02:30:15.250Z',
    ]);
  });

  test('a time of day is today in UTC', () => {
    expect(['14:00', '14:00:07', '23:59'].map(iso)).toEqual([
      '2026-11-20T14:00:00.000Z',
      '2026-11-20T14:00:07.000Z',
      '2026-11-20T23:59:00.000Z',
    ]);
  });

  test('a date is its midnight in UTC, and may have a time of day', () => {
    expect(['2026-11-18', '2026-11-18 09:30', '2026-11-18T09:30', '2026-11-18 09:30:01Z', 'today', 'yesterday'].map(iso)).toEqual([
      '2026-11-18T00:00:00.000Z',
      '2026-11-18T09:30:00.000Z',
      '2026-11-18T09:30:00.000Z',
      '2026-11-18T09:30:01.000Z',
      '2026-11-20T00:00:00.000Z',
      '2026-11-19T00:00:00.000Z',
    ]);
  });

  test('RFC 3339 with any offset and seconds or milliseconds since 1970 are taken as they are', () => {
    expect(['2026-11-18T09:30:01.5Z', '2026-11-18T09:30:01+02:00', '1795356000', '1795356000250', 'now'].map(iso)).toEqual([
      '2026-11-18T09:30:01.500Z',
      '2026-11-18T07:30:01.000Z',
      '2026-11-22T14:00:00.000Z',
      '2026-11-22T14:00:00.250Z',
      '2026-11-20T14:30:15.250Z',
    ]);
  });

  test.each(['', 'soon', '7x', '24:00', '14:60', '2026-02-30', '2026-11-18T', '123', '--7d', '2026-11-18 9:30'])(
    '`%s` is refused, and the refusal names the flag and what is expected',
    (text) => {
      expect(() => iso(text)).toThrow(UsageError);
      expect(() => iso(text)).toThrow(/--from .* is not a time; expected one such as -7d, 14:00/);
    },
  );
});
