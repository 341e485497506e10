import { describe, expect, test } from 'vitest';
import { readRecordTime, shiftRecordTime } from './shift-time.ts';

const HOUR_MS = 3_600_000;

function shifted(text: string, offsetMs = HOUR_MS): string {
  return new TextDecoder().decode(shiftRecordTime(new TextEncoder().encode(text), offsetMs));
}

describe('shiftRecordTime', () => {
  test('only the bytes of the event time change', () => {
    const record = (time: string) =>
      `{ "n":1.0e400,"eventName":"eventTime" ,"userIdentity":{"eventTime":"2020-01-01T00:00:00Z"},\t"eventTime" :\n "${time}", "é":"\\u0000\\"", "eventTimes":"2020-01-01T00:00:00Z"}`;
    expect(shifted(record('2025-09-24T02:11:07Z'))).toBe(record('2025-09-24T03:11:07Z'));
  });

  test('a fraction and an offset become the service form', () => {
    expect(shifted('{"eventTime":"2025-09-24T04:11:07.5+02:00"}')).toBe('{"eventTime":"2025-09-24T03:11:07Z"}');
  });

  test('of two event times the one that JSON readers see is moved', () => {
    expect(shifted('{"eventTime":"2025-01-01T00:00:00Z","eventTime":"2025-01-02T00:00:00Z"}')).toBe(
      '{"eventTime":"2025-01-01T00:00:00Z","eventTime":"2025-01-02T01:00:00Z"}',
    );
  });

  test.each([
    '{}',
    '{"eventTime":null}',
    '{"eventTime":"2025-02-30T00:00:00Z"}',
    '{"eventTime":"2025-01-01T00:00:00Z","eventTime":1}',
    '{"eventTime',
    '{"eventTime":"',
    '{"eventTime":"\\',
    '',
  ])('`%s` has no time to move and stays as it is', (text) => {
    expect(shifted(text)).toBe(text);
  });
});

test('readRecordTime reads the time that shiftRecordTime would move', () => {
  expect(readRecordTime(new TextEncoder().encode('{"a":[{"eventTime":"2020-01-01T00:00:00Z"}],"eventTime":"2025-09-24T02:11:07Z"}'))).toBe(
    1758679867000,
  );
  expect(readRecordTime(new TextEncoder().encode('{"eventTime":5}'))).toBeUndefined();
});
