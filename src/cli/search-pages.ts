/**
 * Reads all pages of a search, one after the other.
 *
 * Damaged entries that a page may lack are named by it; every command passes that on. The token of a page binds the next one to the same sequences, so events that come in meanwhile move nothing.
 */

import type { EventView } from '../api/event-view.ts';
import type { Client } from './client.ts';
import type { FilterInput } from './event-filter-options.ts';
import type { SearchPage } from './event-view.ts';
import { say } from './output.ts';
import { safeText } from './safe-text.ts';

const PAGE_MAX = 1_000;

export interface SearchRequest {
  readonly operation: 'SearchEvents' | 'WhoTouched' | 'ExportEvents';
  readonly input: FilterInput & { readonly Order?: string; readonly ToSequence?: string };
}

/** The pages of a search; some may be empty. `pageMax` is the most events of a page, 1 to 1,000. */
export async function* searchPages(client: Client, { operation, input }: SearchRequest, pageMax = PAGE_MAX): AsyncGenerator<SearchPage> {
  const request = { ...input, MaxResults: Math.min(pageMax, PAGE_MAX) };
  for (let token: string | undefined; ; ) {
    const page = await client.call<SearchPage>(operation, token === undefined ? request : { ...request, NextToken: token });
    yield page;
    token = page.NextToken;
    if (token === undefined) return;
  }
}

export interface FirstEvents {
  readonly events: readonly EventView[];
  /** There are more than these. */
  readonly hasMore: boolean;
  /** Newest sequence that the search saw. */
  readonly toSequence: string;
  /** Damaged entries that may belong to what was searched, as texts such as `7 to 9`. */
  readonly unreadable: ReadonlySet<string>;
}

/** The first events of a search; `limit` 0 takes all of them. */
export async function firstEvents(client: Client, request: SearchRequest, limit: number): Promise<FirstEvents> {
  const events: EventView[] = [];
  const unreadable = new Set<string>();
  let toSequence = '0';
  // One more than is shown tells whether there are more: a page may be the last one that has any.
  for await (const page of searchPages(client, request, limit === 0 ? PAGE_MAX : limit + 1)) {
    events.push(...page.Events);
    toSequence = page.ToSequence;
    addUnreadable(unreadable, page);
    if (limit > 0 && events.length > limit) return { events: events.slice(0, limit), hasMore: true, toSequence, unreadable };
  }
  return { events, hasMore: false, toSequence, unreadable };
}

/** Adds what a page says of damage. */
export function addUnreadable(unreadable: Set<string>, { Unreadable = [] }: Pick<SearchPage, 'Unreadable'>): void {
  for (const { From, To } of Unreadable) unreadable.add(From === To ? From : `${From} to ${To}`);
}

/** Says on stderr, also with `--quiet`, that damaged entries may be missing. Returns whether any may. */
export function warnOfUnreadable(unreadable: ReadonlySet<string>): boolean {
  if (unreadable.size === 0) return false;
  say(
    {},
    `snowtrail: journal entries ${[...unreadable].map(safeText).join(', ')} are damaged and may be missing here; ` +
      'run `snowtrail doctor` for what to do, or search from a later time to leave them out',
  );
  return true;
}
