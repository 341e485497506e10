/**
 * The machine's clock, moved by an amount that its owner sets: for the demo, whose week passes in seconds.
 */
import type { EpochMs } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { createSystemClock } from '../store/disk/clock.ts';

export class MovedClock implements Clock {
  readonly #system = createSystemClock();
  #offsetMs = 0;

  /** From now on it is this time, and goes on from there. */
  moveTo(timeMs: EpochMs): void {
    this.#offsetMs = timeMs - this.#system.nowMs();
  }

  /** Back to the machine's time. */
  reset(): void {
    this.#offsetMs = 0;
  }

  nowMs(): EpochMs {
    return this.#system.nowMs() + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#system.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#system.sleep(ms, signal);
  }
}
