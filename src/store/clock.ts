/**
 * Time and chance, passed in so that an hour can be tested in milliseconds and a failure repeats from its seed.
 */
import type { EpochMs } from '../event/types.ts';

export interface Clock {
  /** The time that is written into records, digests and answers. May jump: never used for order. */
  nowMs(): EpochMs;
  /** Milliseconds that only grow, for intervals and time limits. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Chance {
  /** `count` bytes nobody can guess (real) or that the seed decides (simulation). */
  bytes(count: number): Uint8Array;
  /** A random UUID, version 4, lower case. */
  uuid(): string;
  /** 0 ≤ x < 1, for jitter. */
  fraction(): number;
}
