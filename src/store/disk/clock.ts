/**
 * The machine's clock; with a file, one that can be set while the server runs (`--clock FILE`, for tests).
 *
 * The file holds one line:
 * - an offset such as `+3d`, `-2h`, `+90m`, `-30s`, `+500ms`: the clock runs that much ahead or behind;
 * - an instant such as `2026-01-02T03:04:05Z`: the clock showed it when the file was last changed, and runs on since, so
 *   that a restart does not set it back.
 * It is read again when it changes. A file that is empty or gone for a moment (someone is writing it) leaves the clock as
 * it was; at the start it is a fault.
 *
 * Only `nowMs` is changed: intervals and time limits stay real. Source: DESIGN §6.
 */
import { readFileSync, statSync } from 'node:fs';
import type { EpochMs } from '../../event/types.ts';
import type { Clock } from '../clock.ts';

/** The file is looked at no more often than this: `nowMs` is called for every event. */
const LOOK_EVERY_MS = 200;
/** The longest that a Node timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface SystemClockOptions {
  /** The file that sets the clock. Trusted: who writes it decides the times in records and digests. */
  readonly file?: string;
}

/** @throws Error when the file cannot be read or holds neither an instant nor an offset. */
export function createSystemClock(options: SystemClockOptions = {}): Clock {
  const offsetMs = options.file === undefined ? () => 0 : watchFile(options.file);
  return {
    nowMs: () => Math.floor(Date.now() + offsetMs()),
    monotonicMs: () => performance.now(),
    sleep: sleepReal,
  };
}

/**
 * Reads a clock file's text.
 * @param changedAtMs Real time at which the file was changed.
 * @returns What is added to the real time, in milliseconds; `undefined` when the text is neither form.
 */
export function parseClockOffset(text: string, changedAtMs: EpochMs): number | undefined {
  const line = text.trim();
  const offset = /^([+-])(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(line);
  if (offset) {
    const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[offset[3] as 'ms' | 's' | 'm' | 'h' | 'd'];
    return Math.round(Number(offset[2]) * unitMs) * (offset[1] === '-' ? -1 : 1);
  }
  const instant = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,3})?Z$/.exec(line);
  if (!instant) return undefined;
  const ms = Date.parse(line);
  // `Date.parse` takes 30 February for 2 March.
  const isReal = !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(line.slice(0, 19));
  return isReal ? ms - changedAtMs : undefined;
}

function watchFile(file: string): () => number {
  let offset = readOffset(file);
  if (offset === undefined)
    throw new Error(`\`${file}\` must hold an instant such as 2026-01-02T03:04:05Z or an offset such as +3d, -2h or +90m`);
  let stamp = stampOf(file);
  let lookedAtMs = performance.now();
  return () => {
    const nowMs = performance.now();
    if (nowMs - lookedAtMs >= LOOK_EVERY_MS) {
      lookedAtMs = nowMs;
      const newStamp = stampOf(file);
      if (newStamp !== undefined && newStamp !== stamp) {
        const read = readOffset(file);
        // Half-written: look again next time.
        if (read !== undefined) [offset, stamp] = [read, newStamp];
      }
    }
    return offset!;
  };
}

/** Changes when the file is written or replaced; `undefined` while it is not there. */
function stampOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found && `${found.ino}/${found.size}/${found.mtimeNs}/${found.ctimeNs}`;
}

function readOffset(file: string): number | undefined {
  try {
    const { mtimeMs } = statSync(file);
    return parseClockOffset(readFileSync(file, 'utf8'), mtimeMs);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`the clock file \`${file}\` cannot be read: ${(cause as Error).message}`, { cause });
  }
}

async function sleepReal(ms: number, signal?: AbortSignal): Promise<void> {
  for (let leftMs = ms; leftMs > 0 && !signal?.aborted; leftMs -= TIMER_MS_MAX) {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(leftMs, TIMER_MS_MAX));
      signal?.addEventListener('abort', end, { once: true });
    });
  }
}
