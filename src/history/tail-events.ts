/**
 * `TailEvents`: the events after a sequence, in the order of acceptance, waiting for them up to 20 seconds.
 *
 * Reads the journal itself, so an event is seen as soon as it is durable. One call looks at a bounded number of entries
 * and says where the next one goes on. Entries that are damaged end a call, which names them; the next goes on behind them.
 */

import type { EventView } from '../api/event-view.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { eventOf } from '../store/event-of.ts';
import { JournalDamaged } from '../store/journal.ts';
import { readPast } from '../store/read-past.ts';
import { type EventFilter, matchesFilter, maySee, readFilter } from './event-filter.ts';
import { viewEvent } from './event-view.ts';
import type { FoundEvent } from './found-events.ts';
import type { HistoryDeps } from './history-deps.ts';
import { readCount, readSequence } from './read-input.ts';
import { type UnreadableRange, type UnreadableView, viewUnreadable } from './unreadable.ts';

export interface TailOutput {
  /** Empty when nothing came in time. */
  readonly Events: readonly EventView[];
  /** Give it as `AfterSequence` to go on. */
  readonly NextSequence: string;
  /** Damaged entries before `NextSequence` that may have been among them; absent when there are none. */
  readonly Unreadable?: readonly UnreadableView[];
}

const NAME = 'TailEvents';
const WAIT_SECONDS_MAX = 20;
const READ_LIMIT = 500;
/** Most entries that one call looks at. */
const ENTRIES_MAX = 20_000;
/** A call ends when its records have more bytes than this. */
const BYTES_MAX = 4 * 2 ** 20;

/** Input: the members of a filter, `AfterSequence` (absent: from now on), `WaitSeconds` (0 to 20), `MaxResults`. */
export function tailEvents(deps: HistoryDeps): Operation<JsonObject, TailOutput> {
  return {
    name: NAME,
    isReadOnly: true,
    decide: async (call, input) => {
      const filter = readFilter(call, input);
      const after = readSequence(input, 'AfterSequence') ?? deps.journal.head();
      const waitMs = readCount(input, 'WaitSeconds', { min: 0, max: WAIT_SECONDS_MAX, fallback: WAIT_SECONDS_MAX }) * 1000;
      const limit = readCount(input, 'MaxResults', { min: 1, max: 1_000, fallback: 100 });
      const { events, next, unreadable } = await tail(deps, { call, filter, after, limit, waitMs });
      return { output: { Events: events.map(viewEvent), NextSequence: String(next), ...viewUnreadable(unreadable) } };
    },
  };
}

interface Tail {
  readonly call: Call;
  readonly filter: EventFilter;
  readonly after: bigint;
  readonly limit: number;
  readonly waitMs: number;
}

interface Tailed {
  readonly events: readonly FoundEvent[];
  /** Last sequence that was looked at. */
  readonly next: bigint;
  readonly unreadable: readonly UnreadableRange[];
}

async function tail(deps: HistoryDeps, { call, filter, after, limit, waitMs }: Tail): Promise<Tailed> {
  const done = new AbortController();
  const isOver = waitMs === 0 ? undefined : deps.clock.sleep(waitMs, done.signal).then(() => done.abort());
  try {
    let next = after;
    for (let seen = 0; ; ) {
      const entries = await readPast(deps.journal, next, READ_LIMIT);
      if (entries instanceof JournalDamaged) {
        const { to } = entries.damage;
        return { events: [], next: to, unreadable: [{ from: next + 1n, to }] };
      }
      const events: FoundEvent[] = [];
      let bytes = 0;
      for (const entry of entries) {
        if (events.length === limit || bytes >= BYTES_MAX) break;
        next = entry.sequence;
        if (entry.kind !== 'event' || !maySee(call, entry.account)) continue;
        const event = eventOf(entry, deps);
        const found = { entry, event };
        // The record of a tailing call would end the next one at once, for ever.
        if ((entry.source === 'own-call' && event.eventName === NAME) || !matchesFilter(filter, found)) continue;
        events.push(found);
        bytes += entry.bytes.length;
      }
      seen += entries.length;
      if (events.length > 0 || seen >= ENTRIES_MAX || waitMs === 0 || done.signal.aborted) return { events, next, unreadable: [] };
      if (entries.length === 0) await deps.journal.waitBeyond(next, done.signal);
    }
  } finally {
    done.abort();
    await isOver;
  }
}
