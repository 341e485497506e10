import { describe, expect, test } from 'vitest';
import { stepOfCode, totpCode } from './mfa-device.ts';

/** RFC 6238, appendix B: the secret of its table for SHA-1. */
const SECRET = Buffer.from('12345678901234567890');
const STEP_MS = 30_000;

describe('totpCode', () => {
  test.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('at second %d the code is %s (RFC 6238)', (second, code) => {
    expect(totpCode(SECRET, Math.floor(second / 30))).toBe(code);
  });
});

describe('stepOfCode', () => {
  const nowMs = 1_111_111_111_000;
  const now = Math.floor(nowMs / STEP_MS);
  const stepOf = (code: string, usedStep = 0) => stepOfCode(SECRET, code, { nowMs, usedStep });

  test('takes the codes of the step before, of this one and of the next', () => {
    expect([-2, -1, 0, 1, 2].map((offset) => stepOf(totpCode(SECRET, now + offset)))).toEqual([
      undefined,
      now - 1,
      now,
      now + 1,
      undefined,
    ]);
  });

  test('takes no code again, nor one from before it', () => {
    expect([now - 1, now, now + 1].map((step) => stepOf(totpCode(SECRET, step), now))).toEqual([undefined, undefined, now + 1]);
  });

  test('what is no code is none', () => {
    expect(['', '12345', '1234567', 'abcdef', '００００００'].map((code) => stepOf(code))).toEqual(Array(5).fill(undefined));
  });
});
