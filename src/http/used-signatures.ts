/**
 * Signatures that were used for calls which are carried out once: whoever captured such a request cannot send it again
 * while its time lasts (A04).
 *
 * In memory: a restart forgets them. Only right signatures come here, so strangers cannot fill it.
 */
import type { EpochMs } from '../event/types.ts';

/** Most signatures that are remembered; above it the oldest are forgotten. */
const SIGNATURES_MAX = 100_000;

/** `first` and `repeat` are let through: a repeat comes so soon that it is the client's own. */
export type Use = 'first' | 'repeat' | 'refused';

export class UsedSignatures {
  /** When each signature was used first, and when it is over; the oldest use first. */
  readonly #uses = new Map<string, { readonly firstMs: EpochMs; readonly untilMs: EpochMs }>();

  /**
   * @param time.untilMs The signature is refused for its age from then on.
   * @param time.afterMs How long after its first use it may be used again.
   */
  use(signature: string, time: { readonly nowMs: EpochMs; readonly untilMs: EpochMs; readonly afterMs: number }): Use {
    const name = nameOf(signature);
    const { nowMs, untilMs, afterMs } = time;
    const before = this.#uses.get(name);
    if (before !== undefined) return nowMs - before.firstMs < afterMs ? 'repeat' : 'refused';
    for (const [old, { untilMs: oldUntilMs }] of this.#uses) {
      if (oldUntilMs > nowMs && this.#uses.size < SIGNATURES_MAX) break;
      this.#uses.delete(old);
    }
    this.#uses.set(name, { firstMs: nowMs, untilMs });
    return 'first';
  }

  /** Takes a first use back: the call was not carried out, so the client may send it again as it is. */
  giveBack(signature: string): void {
    this.#uses.delete(nameOf(signature));
  }
}

/** Case is no part of a signature: `AB` and `ab` are the same bytes. */
function nameOf(signature: string): string {
  return signature.toLowerCase();
}
