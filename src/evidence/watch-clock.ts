/**
 * Watches the clock: a move of more than two seconds against the monotonic clock becomes a fact of the journal.
 *
 * Order never comes from the clock (P11), yet whoever reads times in records must be able to see when it was moved. A
 * suspended machine shows as a jump, too: the monotonic clock stands still meanwhile (F28, F32).
 *
 * The comparison is with the first reading after the last jump, not with the last second's: many small steps count.
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { type Journal, JournalFull } from '../store/journal.ts';

const INTERVAL_MS = 1_000;
const JUMP_MS = 2_000;

export interface WatchClockOptions {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'append'>;
  /** Facts of the installation belong to its first account. */
  readonly account: AccountId;
  readonly region: Region;
}

/** Text of the fact's bytes, one line of JSON. */
interface ClockJump {
  readonly version: 1;
  readonly kind: 'clock-jump';
  /** ISO 8601: what the clock would have said. */
  readonly expected: string;
  /** ISO 8601: what it said. */
  readonly found: string;
  /** `found` − `expected`; negative when the clock went back. */
  readonly jumpMs: number;
}

/**
 * Compares the clocks each second until `signal` aborts.
 * A full journal delays the fact until there is space.
 * @throws JournalFailed
 */
export async function watchClock(options: WatchClockOptions, signal: AbortSignal): Promise<void> {
  const { clock } = options;
  let baseMs = clock.nowMs() - clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(INTERVAL_MS, signal);
    if (signal.aborted) return;
    const nowMs = clock.nowMs();
    const expectedMs = Math.round(baseMs + clock.monotonicMs());
    if (Math.abs(nowMs - expectedMs) <= JUMP_MS) continue;
    if (await isRecorded(options, expectedMs, nowMs)) baseMs += nowMs - expectedMs;
  }
}

/** Makes the jump a durable fact; false when the journal is full just now. */
async function isRecorded(options: WatchClockOptions, expectedMs: EpochMs, nowMs: EpochMs): Promise<boolean> {
  const { journal, account, region } = options;
  const [expected, found] = [new Date(expectedMs).toISOString(), new Date(nowMs).toISOString()];
  const jump: ClockJump = { version: 1, kind: 'clock-jump', expected, found, jumpMs: nowMs - expectedMs };
  const bytes = new TextEncoder().encode(JSON.stringify(jump));
  try {
    await journal.append([
      { kind: 'fact', factKind: 'clock-jump', factId: `clock-jump/${expected}/${found}`, account, region, receivedAtMs: nowMs, bytes },
    ]);
    return true;
  } catch (error) {
    if (error instanceof JournalFull) return false;
    throw error;
  }
}
