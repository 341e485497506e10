/**
 * A clock that a test moves by hand, and chance that a seed decides.
 */
import { createHash } from 'node:crypto';
import type { Chance, Clock } from '../../src/store/clock.ts';

export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = [];
  #awaitingSleep: (() => void)[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake, { once: true });
      this.#sleepers.push({ untilMs: this.#monotonicMs + ms, wake });
      for (const told of this.#awaitingSleep.splice(0)) told();
    });
  }

  /** Lets time pass on both clocks, and wakes whoever has slept long enough. */
  pass(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += ms;
    const due = this.#sleepers.filter((sleeper) => sleeper.untilMs <= this.#monotonicMs);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.untilMs > this.#monotonicMs);
    for (const { wake } of due) wake();
  }

  /** Moves the wall clock only, as somebody who sets it does. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** Resolves when somebody goes to sleep: at once when somebody sleeps already. */
  someoneSleeps(): Promise<void> {
    return this.#sleepers.length > 0 ? Promise.resolve() : new Promise((resolve) => this.#awaitingSleep.push(resolve));
  }
}

/** The same bytes for the same seed. */
export function seededChance(seed: string): Chance {
  let count = 0;
  const block = () => createHash('sha512').update(`${seed}/${count++}`).digest();
  const bytes = (length: number) => {
    const blocks: Buffer[] = [];
    for (let made = 0; made < length; made += 64) blocks.push(block());
    return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
  };
  return {
    bytes,
    uuid: () => {
      const hex = Buffer.from(bytes(16)).toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },
    fraction: () => block().readUInt32LE(0) / 2 ** 32,
  };
}
