import { describe, expect, test } from 'vitest';
import type { AccountId } from '../event/types.ts';
import { IntakeLedger } from './intake-ledger.ts';

const SUBMITTER = '111111111111' as AccountId;
const OTHER = '222222222222' as AccountId;

describe('IntakeLedger', () => {
  test('nothing came in, nothing is counted', () => {
    expect(new IntakeLedger(0).counts()).toEqual([]);
  });

  test('each account has one row, with what came in and what became of it', () => {
    const ledger = new IntakeLedger(7_200_000 + 3_599_999);
    for (const account of [OTHER, OTHER, SUBMITTER]) ledger.receive(account);
    ledger.settle(OTHER, 'repeated');
    ledger.settle(OTHER, 'accepted');
    ledger.settle(SUBMITTER, 'rejected');
    expect(ledger.counts()).toEqual([
      { account: OTHER, hour: 2, received: 2, accepted: 1, repeated: 1, rejected: 0 },
      { account: SUBMITTER, hour: 2, received: 1, accepted: 0, repeated: 0, rejected: 1 },
    ]);
  });

  test('what came in and did not get an outcome stays visible', () => {
    const ledger = new IntakeLedger(0);
    ledger.receive(SUBMITTER);
    expect(ledger.counts()).toEqual([{ account: SUBMITTER, hour: 0, received: 1, accepted: 0, repeated: 0, rejected: 0 }]);
  });
});
