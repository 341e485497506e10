/**
 * Reads the whole journal again and again, so that damage shows itself while a backup that is whole still exists.
 *
 * What is found stays in `journal.damage()`, from where `/readyz`, `/metrics`, `doctor` and `verify` have it. Nothing is
 * mended. A pass that cannot read its files is told and made again at the next turn.
 *
 * Source: reliability.md P8: the whole journal within 24 hours.
 */
import type { Clock } from '../store/clock.ts';
import type { Journal, JournalDamage } from '../store/journal.ts';

/** A start has work of its own, and scans the log files itself. */
const FIRST_MS = 5 * 60_000;
/** From the end of a pass to the next: two passes a day leave twelve hours for the reading. */
const INTERVAL_MS = 12 * 3_600_000 - FIRST_MS;
/** Rest after each segment of at most 64 MiB: a journal of 1 TiB takes five hours. */
const REST_MS = 1_000;

/** A range that was not known before, or a pass that ended early. */
export type ScrubProblem =
  | { readonly kind: 'damaged'; readonly damage: JournalDamage }
  | { readonly kind: 'failed'; readonly error: unknown };

interface ScrubOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly journal: Pick<Journal, 'scrub' | 'damage'>;
  readonly report: (problem: ScrubProblem) => void;
}

/** Makes one pass after the other until `signal` aborts. Never throws. */
export async function scrubJournal({ clock, journal, report }: ScrubOptions, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    const known = new Set(journal.damage().map(nameOf));
    try {
      await journal.scrub(signal, () => clock.sleep(REST_MS, signal));
    } catch (error) {
      if (signal.aborted) return;
      report({ kind: 'failed', error });
    }
    for (const damage of journal.damage()) if (!known.has(nameOf(damage))) report({ kind: 'damaged', damage });
  }
}

function nameOf({ from, to }: JournalDamage): string {
  return `${from}/${to}`;
}
