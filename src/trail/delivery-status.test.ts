import { describe, expect, test } from 'vitest';
import { batchPut, digestPut, markPut, putFailed } from './delivery-status.ts';

const denied = { attemptedAtMs: 1, error: 'AccessDenied' };
const failing = { delivery: { succeededAtMs: 0, ...denied }, digest: denied };
const failure = { reason: 'SlowDown', isDigest: false, isHoldingUp: false, nowMs: 5 };

describe('what GetTrailStatus shows', () => {
  test('a batch ends what was wrong with log files, and says nothing of digests', () => {
    expect(batchPut(failing, 5)).toEqual({ delivery: { succeededAtMs: 5, attemptedAtMs: 5 }, digest: denied });
  });

  test('a digest ends what was wrong with digests, and with the log files behind it', () => {
    expect(digestPut(failing, 5)).toEqual({
      delivery: { succeededAtMs: 0, attemptedAtMs: 1 },
      digest: { succeededAtMs: 5, attemptedAtMs: 5 },
    });
  });

  test('a receipt alone is a try that went well, and no delivery', () => {
    expect(markPut(failing, 5)).toEqual({ delivery: { succeededAtMs: 0, attemptedAtMs: 5 }, digest: denied });
  });

  test('a failure is shown where it happened; one of a digest also with log files that wait behind it', () => {
    const well = { delivery: { succeededAtMs: 0, attemptedAtMs: 0 }, digest: {} };
    const shown = { attemptedAtMs: 5, error: 'SlowDown' };
    expect(putFailed(well, failure)).toEqual({ delivery: { succeededAtMs: 0, ...shown }, digest: {} });
    expect(putFailed(well, { ...failure, isDigest: true })).toEqual({ delivery: well.delivery, digest: shown });
    expect(putFailed(well, { ...failure, isDigest: true, isHoldingUp: true })).toEqual({
      delivery: { ...well.delivery, error: 'SlowDown' },
      digest: shown,
    });
  });

  test('a time-out shows nothing of its own, and hides nothing', () => {
    expect(putFailed(failing, { ...failure, reason: undefined })).toEqual({
      delivery: { succeededAtMs: 0, attemptedAtMs: 5, error: 'AccessDenied' },
      digest: denied,
    });
  });
});
