/**
 * Fills one page of events: asks the index, fetches the bodies, and compares what was asked for with the event itself.
 *
 * The index knows terms by hash, so a row may be a false hit; it is left out and the page is filled from the next rows.
 * One call looks at a bounded number of rows and bytes. A page may therefore hold fewer events than asked for and still
 * have a next one, as the service's pages may (cloudtrail.md §6 "Paging").
 *
 * Damage of the journal leaves events out, and the page says which entries it may lack (`unreadable.ts`).
 */
import type { HistoryIndex, HistoryPosition, HistoryQuery, HistoryTerm } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import { refuseWhileCatchingUp } from './catching-up.ts';
import type { FoundEvent, FoundEvents } from './found-events.ts';
import type { HistoryFollower } from './index-events.ts';
import { joinRanges, mayMiss, type UnreadableRange } from './unreadable.ts';

/** Most rows that one page looks at. */
const ROWS_MAX = 5_000;
/** A page ends when its records have more bytes than this. */
const PAGE_BYTES = 4 * 2 ** 20;
/** Bodies fetched at a time. */
const FETCH_COUNT = 100;

export interface EventSearch extends Omit<HistoryQuery, 'terms' | 'limit'> {
  /** An event is looked at when it has all terms of one of these. One empty list: every event of the scopes. */
  readonly alternatives: readonly (readonly HistoryTerm[])[];
  /** Whether the event is what was asked for. */
  readonly matches: (found: FoundEvent) => boolean;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface EventsPage {
  readonly events: readonly FoundEvent[];
  /** The last row looked at; set when there may be more after it. */
  readonly next?: HistoryPosition;
  /** Damaged entries that may belong to the search, and that no page has. */
  readonly unreadable: readonly UnreadableRange[];
}

export interface FindEventsDeps {
  readonly index: Pick<HistoryIndex, 'query'>;
  readonly events: Pick<FoundEvents, 'fetch'>;
  readonly follower: Pick<HistoryFollower, 'catchingUp' | 'passedOver'>;
  readonly journal: Pick<Journal, 'head'>;
}

/**
 * @throws ApiError with status 503 while the index lacks entries that it had.
 * @throws HistoryDamaged when a part of the index cannot be read: it is made again, the caller may ask later.
 */
export async function findEvents(deps: FindEventsDeps, search: EventSearch): Promise<EventsPage> {
  refuseWhileCatchingUp(deps.follower);
  // A journal that was put back from a copy may end before the index does (F46).
  const head = deps.journal.head();
  const { unreadable, ...page } = await fillPage(deps, head < search.sequenceMax ? { ...search, sequenceMax: head } : search);
  // Another query may have found damage between two of ours, which then saw less than there is.
  refuseWhileCatchingUp(deps.follower);
  return { ...page, unreadable: joinRanges([...mayMiss(deps.follower.passedOver(), search), ...unreadable]) };
}

async function fillPage(deps: FindEventsDeps, search: EventSearch): Promise<EventsPage> {
  const events: FoundEvent[] = [];
  const unreadable: UnreadableRange[] = [];
  let after = search.after;
  let bytes = 0;
  for (let rows = 0; ; ) {
    const take = Math.min(FETCH_COUNT, search.limit - events.length);
    // One more than is fetched tells whether there is a next page.
    const positions = await queryAll(deps.index, search, after, take + 1);
    const taken = positions.slice(0, take);
    const looked = await deps.events.fetch(taken.map((position) => position.sequence));
    for (const [at, found] of looked.entries()) {
      after = taken[at]!;
      if (found === undefined) unreadable.push({ from: after.sequence, to: after.sequence });
      if (found === undefined || !search.matches(found)) continue;
      events.push(found);
      bytes += found.entry.bytes.length;
      const hasMore = at + 1 < positions.length;
      if (bytes >= PAGE_BYTES && hasMore) return { events, unreadable, next: after };
    }
    rows += taken.length;
    if (positions.length <= taken.length) return { events, unreadable };
    if (events.length === search.limit || rows >= ROWS_MAX) return { events, unreadable, next: after! };
  }
}

/** The first rows of all alternatives together, each once. */
async function queryAll(
  index: Pick<HistoryIndex, 'query'>,
  search: EventSearch,
  after: HistoryPosition | undefined,
  limit: number,
): Promise<readonly HistoryPosition[]> {
  const { alternatives, scopes, fromMs, toMs, sequenceMax, order } = search;
  const common = { scopes, fromMs, toMs, sequenceMax, limit, ...(order && { order }), ...(after && { after }) };
  const [first, ...others] = await Promise.all(alternatives.map((terms) => index.query({ ...common, terms })));
  if (others.length === 0) return first ?? [];
  const bySequence = new Map([...first!, ...others.flat()].map((position) => [position.sequence, position]));
  const sign = order === 'oldest' ? 1 : -1;
  return [...bySequence.values()].sort((a, b) => sign * (a.timeMs - b.timeMs || Number(a.sequence - b.sequence))).slice(0, limit);
}
