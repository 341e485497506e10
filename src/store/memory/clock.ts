/**
 * A clock that a test or a simulation moves by hand, and chance that a seed decides.
 */
import { createHash } from 'node:crypto';
import type { EpochMs } from '../../event/types.ts';
import type { Chance, Clock } from '../clock.ts';

export interface ManualClock extends Clock {
  /**
   * Lets time pass, on both clocks. Who sleeps is woken in the order of their times, each at its own time and in a turn
   * of its own, so that one who goes back to sleep within that span is woken again.
   */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock only, forth or back, as somebody who sets it does. */
  jump(ms: number): void;
  /** How many sleep now. */
  sleepers(): number;
  /** Resolves when somebody sleeps: at once when somebody does already. */
  someoneSleeps(): Promise<void>;
}

/** Makes a clock that stands still at `startMs` until it is moved. */
export function createManualClock(options: { readonly startMs: EpochMs }): ManualClock {
  let wallMs = options.startMs;
  let elapsedMs = 0;
  const sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  const awaitingSleep: (() => void)[] = [];

  return {
    // Whoever sleeps for a part of a millisecond moves the clock by it: shown are whole ones.
    nowMs: () => Math.floor(wallMs),
    monotonicMs: () => elapsedMs,

    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || ms <= 0) return resolve();
        const wake = () => {
          sleeping.delete(sleeper);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const sleeper = { untilMs: elapsedMs + ms, wake };
        sleeping.add(sleeper);
        signal?.addEventListener('abort', wake, { once: true });
        for (const told of awaitingSleep.splice(0)) told();
      }),

    async advance(ms) {
      const endMs = elapsedMs + ms;
      const moveTo = (toMs: number) => {
        wallMs += toMs - elapsedMs;
        elapsedMs = toMs;
      };
      for (;;) {
        // Whoever was woken may have gone to sleep again by now. Sleepers of the same time wake in the order they lay down.
        await new Promise((resolve) => setImmediate(resolve));
        let next: { readonly untilMs: number; readonly wake: () => void } | undefined;
        for (const sleeper of sleeping)
          if (sleeper.untilMs <= endMs && (next === undefined || sleeper.untilMs < next.untilMs)) next = sleeper;
        if (next === undefined) break;
        moveTo(Math.max(next.untilMs, elapsedMs));
        next.wake();
      }
      moveTo(Math.max(endMs, elapsedMs));
    },

    jump(ms) {
      wallMs += ms;
    },

    sleepers: () => sleeping.size,
    someoneSleeps: () => (sleeping.size > 0 ? Promise.resolve() : new Promise((resolve) => awaitingSleep.push(resolve))),
  };
}

/** Chance that gives the same values in the same order for the same seed. Guessable: for tests and simulations only. */
export function createSeededChance(seed: string | number): Chance {
  const start = createHash('sha256').update(String(seed)).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => start.readUInt32LE(at)) as [number, number, number, number];

  /** Chris Doty-Humphrey's sfc32: 32 bits a call, period at least 2^32. */
  function next(): number {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  }

  function bytes(count: number): Uint8Array {
    const made = Buffer.alloc(count);
    for (let at = 0; at < count; at++) made[at] = next() & 0xff;
    return new Uint8Array(made.buffer, made.byteOffset, count);
  }

  return {
    bytes,
    uuid: () => uuidOf(bytes(16)),
    fraction: () => next() / 2 ** 32,
  };
}

/** Writes 16 random bytes as a UUID, version 4. */
function uuidOf(bytes: Uint8Array): string {
  const random = Buffer.from(bytes);
  random[6] = (random[6]! & 0x0f) | 0x40;
  random[8] = (random[8]! & 0x3f) | 0x80;
  const hex = random.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
