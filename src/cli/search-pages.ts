/**
 * Reads all pages of a search, one after the other.
 *
 * The token of a page binds the next one to the same sequences, so events that come in meanwhile move nothing.
 */
import type { Client } from './client.ts';
import type { FilterInput } from './event-filter-options.ts';
import type { EventView, SearchPage } from './event-view.ts';

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
}

/** The first events of a search; `limit` 0 takes all of them. */
export async function firstEvents(client: Client, request: SearchRequest, limit: number): Promise<FirstEvents> {
  const events: EventView[] = [];
  let toSequence = '0';
  // One more than is shown tells whether there are more: a page may be the last one that has any.
  for await (const page of searchPages(client, request, limit === 0 ? PAGE_MAX : limit + 1)) {
    events.push(...page.Events);
    toSequence = page.ToSequence;
    if (limit > 0 && events.length > limit) return { events: events.slice(0, limit), hasMore: true, toSequence };
  }
  return { events, hasMore: false, toSequence };
}
