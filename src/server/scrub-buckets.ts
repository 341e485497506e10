/**
 * Looks twice a day whether the buckets still hold what was delivered to them in the last day (F20); and at the start, at a
 * glance, whether the buckets are there at all.
 */
import type { Clock } from '../store/clock.ts';
import type { ScrubFinding, Trails } from '../trail/create-trails.ts';

/** A start has work of its own. */
const FIRST_MS = 10 * 60_000;
/** From the end of a look to the next: each object is looked at within a day. */
const INTERVAL_MS = 12 * 3_600_000 - FIRST_MS;

interface ScrubOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly trails: Pick<Trails, 'scrub' | 'findGone'>;
  readonly report: (found: ScrubFinding) => void;
}

/** Looks again and again until `signal` aborts. Never throws. */
export async function scrubBuckets({ clock, trails, report }: ScrubOptions, signal: AbortSignal): Promise<void> {
  await trails.findGone(signal, report);
  for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    await trails.scrub(signal, report);
  }
}
