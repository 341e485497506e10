/**
 * Counts one batch of a submission by account: what came in, and what became of it.
 *
 * `received` is counted when a record comes in, each outcome when it is known, so that the two sides can differ when
 * something is wrong. A refused record has no account that could be trusted: it counts for the account that submitted it.
 */
import type { SubmissionCounts } from '../event/submission.ts';
import type { AccountId, EpochMs } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';

/** What can become of a record. */
export type IntakeOutcome = 'accepted' | 'repeated' | 'rejected';

export class IntakeLedger {
  readonly #hour: number;
  readonly #counts = new Map<AccountId, { -readonly [Member in keyof SubmissionCounts]: SubmissionCounts[Member] }>();

  constructor(receivedAtMs: EpochMs) {
    this.#hour = hourOf(receivedAtMs);
  }

  /** A record came in, for this account. */
  receive(account: AccountId): void {
    this.#of(account).received += 1;
  }

  /** What became of a record. */
  settle(account: AccountId, outcome: IntakeOutcome): void {
    this.#of(account)[outcome] += 1;
  }

  /** One row for each account that was counted. */
  counts(): readonly SubmissionCounts[] {
    return [...this.#counts.values()];
  }

  #of(account: AccountId) {
    const known = this.#counts.get(account);
    if (known !== undefined) return known;
    const none = { account, hour: this.#hour, received: 0, accepted: 0, repeated: 0, rejected: 0 };
    this.#counts.set(account, none);
    return none;
  }
}
