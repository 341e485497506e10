/**
 * Signatures that were used for calls which are carried out once: whoever captured such a request cannot send it again
 * while its time lasts (A04).
 *
 * In memory: a restart forgets them. Only right signatures come here, so strangers cannot fill it.
 */
import type { EpochMs } from '../event/types.ts';

/** Most signatures that are remembered; above it the oldest are forgotten. */
const SIGNATURES_MAX = 100_000;

export class UsedSignatures {
  /** When each signature is over, the oldest use first. Read and written only by `use`. */
  readonly #untilMs = new Map<string, EpochMs>();

  /**
   * @param untilMs The signature is refused for its age from then on.
   * @returns whether this is its first use.
   */
  use(signature: string, untilMs: EpochMs, nowMs: EpochMs): boolean {
    // Case is no part of a signature: `AB` and `ab` are the same bytes.
    const name = signature.toLowerCase();
    if (this.#untilMs.has(name)) return false;
    for (const [old, oldUntilMs] of this.#untilMs) {
      if (oldUntilMs > nowMs && this.#untilMs.size < SIGNATURES_MAX) break;
      this.#untilMs.delete(old);
    }
    this.#untilMs.set(name, untilMs);
    return true;
  }
}
