/**
 * An event as the operations of history answer it, and how lists of events are printed.
 */
import type { Column } from './table.ts';

/** Members that an event doesn't have are left out. See `docs/cli.md` for each member. */
export interface EventView {
  readonly Sequence: string;
  readonly ReceivedAt: string;
  readonly AccountId: string;
  readonly Region: string;
  readonly EventId: string;
  readonly EventTime: string;
  readonly EventName: string;
  readonly EventSource: string;
  readonly Category: string;
  readonly ReadOnly?: boolean;
  readonly Username?: string;
  readonly AccessKeyId?: string;
  readonly SourceIpAddress?: string;
  readonly ErrorCode?: string;
  readonly Resources: readonly { readonly ResourceType?: string; readonly ResourceName: string }[];
  readonly Source: string;
  readonly IsLate: boolean;
  readonly IsEventTimeSuspicious: boolean;
  readonly Sentence: string;
  /** The record's bytes as text. */
  readonly Record: string;
}

/** One page of a search. */
/** Journal entries that are damaged, both inclusive. */
export interface Unreadable {
  readonly From: string;
  readonly To: string;
}

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
