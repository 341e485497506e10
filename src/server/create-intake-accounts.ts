/**
 * The accounts as submissions see them: one that a submission makes is a CreateAccount call of its sender.
 *
 * It goes the way of every call (`http/run-call.ts`): its record, with the identity, address and request id of the submission, is
 * durable before the account exists. A crash in between leaves a record of an account that is not there; the next submission
 * that names it records and makes it anew (docs/decisions/0004).
 */
import type { Accounts } from '../access/accounts.ts';
import { ApiError } from '../api/api-error.ts';
import { MADE_HERE, runOperation } from '../http/dispatch.ts';
import type { Service } from '../http/ports.ts';
import type { Recording } from '../http/run-call.ts';
import type { IntakeAccounts } from '../intake/accept-events.ts';
import { JournalFull } from '../store/journal.ts';
import { KeyedLock } from '../store/keyed-lock.ts';

/** @param snowtrail The service that has the operation CreateAccount. */
export function createIntakeAccounts(accounts: Accounts, snowtrail: Service, recording: Recording): IntakeAccounts {
  /** Of two submissions that name an account only one makes it, and records that. */
  const inTurn = new KeyedLock();
  return {
    exists: (account) => accounts.exists(account),
    create: (call, account) =>
      inTurn.run(account, async () => {
        if (accounts.exists(account)) return;
        const named = { name: 'CreateAccount', readInput: () => ({ Account: account }) };
        try {
          // A submission may be sent again with one signature, and so may what it makes: an account that is there is not made again.
          await runOperation(recording, snowtrail, call, named, { body: new Uint8Array(), signed: MADE_HERE });
        } catch (error) {
          // A call made it meanwhile: that is what was wanted.
          if (accounts.exists(account)) return;
          // The batch is refused as it is when its own events find no space.
          if (error instanceof ApiError && error.cause instanceof JournalFull) throw error.cause;
          throw error;
        }
      }),
  };
}
