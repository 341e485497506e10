/**
 * The one read loop: hands the journal to a follower, batch by batch, from its own cursor.
 *
 * An outage is tried again with back-off; a bug stops the follower, and it says so for ever. So does a damaged entry, unless
 * the follower may pass over it (`passOver`): then that is told, and the follower goes on.
 */
import assert from 'node:assert/strict';
import type { Chance, Clock } from '../store/clock.ts';
import type { Follower } from '../store/follower.ts';
import { isBug } from '../store/is-bug.ts';
import { type Journal, type JournalDamage, JournalDamaged } from '../store/journal.ts';

/** How a follower is doing. */
export interface FollowerState {
  readonly name: string;
  /** `stopped`: it will not go on by itself. */
  readonly state: 'running' | 'retrying' | 'stopped';
  /** What went wrong last, in one sentence; absent while running. */
  readonly problem?: string;
  /** Milliseconds from the first failure in a row to the last one; only while `retrying`. */
  readonly retryingMs?: number;
}

/** Most entries of one batch. */
const BATCH_ENTRIES = 2_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 30_000;

export interface FollowerRun {
  readonly follower: Follower;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly chance: Chance;
  /**
   * Rest after a take that left nothing behind, so that what comes meanwhile shares one read and one durable save: a
   * follower that saves after each request would make requests wait for the disk. Default 0.
   */
  readonly gatherMs?: number;
  /** Told of each change of state. */
  readonly report: (state: FollowerState, error?: unknown) => void;
  /** Told of entries that the follower went past without them. */
  readonly reportPassedOver: (name: string, damage: JournalDamage) => void;
}

/** Runs until `signal` aborts or the follower stops. Never throws. */
export async function runFollower(run: FollowerRun, signal: AbortSignal): Promise<void> {
  const { follower, journal, clock, chance, gatherMs = 0, report } = run;
  const { name } = follower;
  let failures = 0;
  let failingSinceMs = 0;
  while (!signal.aborted) {
    try {
      const taken = await takeNext(run);
      // Said before the wait: nothing new may come for a long time.
      if (failures > 0) report({ name, state: 'running' });
      failures = 0;
      if (taken === 0) await journal.waitBeyond(follower.cursor(), signal);
      else if (gatherMs > 0 && taken < BATCH_ENTRIES) await clock.sleep(gatherMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      // Going on would skip something.
      if (isBug(error)) {
        report({ name, state: 'stopped', problem }, error);
        return;
      }
      if (failures === 0) failingSinceMs = clock.monotonicMs();
      failures += 1;
      report({ name, state: 'retrying', problem, retryingMs: clock.monotonicMs() - failingSinceMs }, error);
      const longest = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures, 10));
      await clock.sleep(longest * (0.5 + chance.fraction() / 2), signal);
    }
  }
}

/** Hands over the next entries, or has the follower pass over those that cannot be read. Returns how many: 0 at the end. */
async function takeNext({ follower, journal, reportPassedOver }: FollowerRun): Promise<number> {
  try {
    const entries = await journal.read(follower.cursor(), BATCH_ENTRIES);
    if (entries.length > 0) await follower.take(entries);
    return entries.length;
  } catch (error) {
    if (!(error instanceof JournalDamaged) || follower.passOver === undefined) throw error;
    const before = follower.cursor();
    await follower.passOver(error.damage);
    // Back is possible: history lost a part of its index meanwhile, and makes it anew.
    assert(follower.cursor() !== before, 'who passes over damage gets past it');
    reportPassedOver(follower.name, error.damage);
    return 1;
  }
}
