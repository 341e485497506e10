/**
 * How the operations of history answer a search, and how lists of events are printed.
 */
import type { EventView } from '../api/event-view.ts';
import type { Column } from './table.ts';

/** Journal entries that are damaged, both inclusive. */
export interface Unreadable {
  readonly From: string;
  readonly To: string;
}

/** One page of a search. */
export interface SearchPage {
  readonly Events: readonly EventView[];
  readonly NextToken?: string;
  readonly ToSequence: string;
  /** Damaged entries that may belong to the search; absent when all can be read. */
  readonly Unreadable?: readonly Unreadable[];
}

/** What a list of events shows. */
export const EVENT_COLUMNS: readonly Column<EventView>[] = [
  { heading: 'time', cell: (event) => shortTime(event.EventTime) },
  { heading: 'account', cell: (event) => event.AccountId },
  { heading: 'region', cell: (event) => event.Region, widthMax: 14 },
  { heading: 'user', cell: (event) => event.Username, widthMax: 24 },
  { heading: 'event', cell: (event) => event.EventName, widthMax: 32 },
  { heading: 'resource', cell: (event) => resourceOf(event), widthMax: 36 },
  { heading: 'error', cell: (event) => event.ErrorCode, widthMax: 24 },
  { heading: 'event id', cell: (event) => event.EventId },
];

/** `2026-11-20 14:00:07`, UTC. */
export function shortTime(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}

function resourceOf({ Resources }: EventView): string | undefined {
  const [first, ...others] = Resources.map(({ ResourceName }) => ResourceName);
  return first === undefined || others.length === 0 ? first : `${first} +${others.length}`;
}
