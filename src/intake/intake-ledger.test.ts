import { describe, expect, test } from 'vitest';
import type { AccountId } from '../event/types.ts';
import { hourOf, IntakeLedger } from './intake-ledger.ts';

const SUBMITTER = '111111111111' as AccountId;
const OTHER = '222222222222' as AccountId;

describe('IntakeLedger', () => {
  test('nothing is counted when all was accepted', () => {
    expect(new IntakeLedger(SUBMITTER, 0).counts()).toEqual([]);
  });

  test('repeats count for the account of the event, refusals for the submitter', () => {
    const ledger = new IntakeLedger(SUBMITTER, 7_200_000 + 3_599_999);
    ledger.repeat(OTHER);
    ledger.repeat(OTHER);
    ledger.reject();
    expect(ledger.counts()).toEqual([
      { account: OTHER, hour: 2, repeated: 2, rejected: 0 },
      { account: SUBMITTER, hour: 2, repeated: 0, rejected: 1 },
    ]);
  });

  test('an account with both has one row', () => {
    const ledger = new IntakeLedger(SUBMITTER, 0);
    ledger.reject();
    ledger.repeat(SUBMITTER);
    expect(ledger.counts()).toEqual([{ account: SUBMITTER, hour: 0, repeated: 1, rejected: 1 }]);
  });

  test('an hour begins with its first millisecond', () => {
    expect([3_599_999, 3_600_000].map(hourOf)).toEqual([0, 1]);
  });
});
