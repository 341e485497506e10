/**
 * Signatures that were used for calls which are carried out once: whoever captured such a request cannot send it again
 * while its time lasts (A04).
 *
 * In memory: a restart forgets them. Only right signatures come here, so strangers cannot fill it. Nor can an account make it forget
 * what others used: what is over a limit is taken from the account that used most.
 */
import type { AccountId, EpochMs } from '../event/types.ts';

/** Most signatures that are remembered of one account, and of all; above it the account's oldest are forgotten. */
const OF_ACCOUNT_MAX = 10_000;
const OF_ALL_MAX = 100_000;

/** `first` and `repeat` are let through: a repeat comes so soon that it is the client's own. */
export type Use = 'first' | 'repeat' | 'refused';

/** When each signature of an account was used first, and when it is over; the oldest use first. Never empty. */
type Uses = Map<string, { readonly firstMs: EpochMs; readonly untilMs: EpochMs }>;

export class UsedSignatures {
  readonly #accounts = new Map<AccountId, Uses>();
  /** Signatures of all accounts. */
  #count = 0;

  /**
   * @param account The one that owns the key.
   * @param time.untilMs The signature is refused for its age from then on.
   * @param time.afterMs How long after its first use it may be used again.
   */
  use(account: AccountId, signature: string, time: { readonly nowMs: EpochMs; readonly untilMs: EpochMs; readonly afterMs: number }): Use {
    const { nowMs, untilMs, afterMs } = time;
    const before = this.#accounts.get(account)?.get(nameOf(signature));
    if (before !== undefined) return nowMs - before.firstMs < afterMs ? 'repeat' : 'refused';
    this.#forgetOld(account, nowMs, OF_ACCOUNT_MAX);
    if (this.#count >= OF_ALL_MAX) this.#makeRoom(nowMs);
    const uses: Uses = this.#accounts.get(account) ?? new Map();
    this.#accounts.set(account, uses.set(nameOf(signature), { firstMs: nowMs, untilMs }));
    this.#count += 1;
    return 'first';
  }

  /** Takes a first use back: the call was not carried out, so the client may send it again as it is. */
  giveBack(account: AccountId, signature: string): void {
    this.#forget(account, nameOf(signature));
  }

  /** Forgets what is over in all accounts; when nothing is, the oldest use of the account that has most. */
  #makeRoom(nowMs: EpochMs): void {
    for (const account of [...this.#accounts.keys()]) this.#forgetOld(account, nowMs, Number.POSITIVE_INFINITY);
    if (this.#count < OF_ALL_MAX) return;
    const [most, uses] = [...this.#accounts].reduce((a, b) => (b[1].size > a[1].size ? b : a));
    this.#forgetOld(most, nowMs, uses.size);
  }

  /** Forgets the account's oldest uses that are over, and as many as leave room for one more among `countMax`. */
  #forgetOld(account: AccountId, nowMs: EpochMs, countMax: number): void {
    const uses = this.#accounts.get(account);
    for (const [name, { untilMs }] of uses ?? []) {
      if (untilMs > nowMs && uses!.size < countMax) return;
      this.#forget(account, name);
    }
  }

  #forget(account: AccountId, name: string): void {
    const uses = this.#accounts.get(account);
    if (uses?.delete(name) !== true) return;
    this.#count -= 1;
    if (uses.size === 0) this.#accounts.delete(account);
  }
}

/** Case is no part of a signature: `AB` and `ab` are the same bytes. */
function nameOf(signature: string): string {
  return signature.toLowerCase();
}
