/**
 * Counts the repeats and refusals of one submission by account and hour of receipt.
 *
 * A refused record has no account that could be trusted, so it counts for the account that submitted it.
 */
import type { AccountId, EpochMs } from '../event/types.ts';

/** Repeats and refusals of one account in one hour. */
export interface IntakeCounts {
  readonly account: AccountId;
  /** Whole hours since 1970. */
  readonly hour: number;
  readonly repeated: number;
  readonly rejected: number;
}

/** Whole hours since 1970: the unit of accounting. */
export function hourOf(ms: EpochMs): number {
  return Math.floor(ms / 3_600_000);
}

export class IntakeLedger {
  readonly #submitter: AccountId;
  readonly #hour: number;
  readonly #repeated = new Map<AccountId, number>();
  #rejected = 0;

  constructor(submitter: AccountId, receivedAtMs: EpochMs) {
    this.#submitter = submitter;
    this.#hour = hourOf(receivedAtMs);
  }

  reject(): void {
    this.#rejected += 1;
  }

  repeat(account: AccountId): void {
    this.#repeated.set(account, (this.#repeated.get(account) ?? 0) + 1);
  }

  /** One row for each account that had a repeat or a refusal; empty when all was accepted. */
  counts(): readonly IntakeCounts[] {
    const accounts = new Set(this.#repeated.keys());
    if (this.#rejected > 0) accounts.add(this.#submitter);
    return [...accounts].map((account) => ({
      account,
      hour: this.#hour,
      repeated: this.#repeated.get(account) ?? 0,
      rejected: account === this.#submitter ? this.#rejected : 0,
    }));
  }
}
