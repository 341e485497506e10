/**
 * One page of a list in the order of its names.
 *
 * A token names the last item that was given, so that nothing is skipped or given twice when items come and go meanwhile.
 */
import { createHash } from 'node:crypto';
import type { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import type { PageRequest, PageTokens } from './page-tokens.ts';

/** How a service speaks of pages. */
export interface PageWords {
  /** In front of operations' names: the service. */
  readonly service: string;
  /** Member of the input that holds the token. */
  readonly token: string;
  /** And how many items are wanted, which may change from page to page; absent: nobody can say. */
  readonly size?: string;
  readonly invalidToken: () => ApiError;
}

/** A call of an operation that lists. Its tokens are bound to the caller, the operation and all members of its input but the size of a page. */
export interface ListCall {
  readonly tokens: PageTokens;
  readonly words: PageWords;
  readonly call: Call;
  /** Wire name. */
  readonly operation: string;
  readonly input: object;
}

/**
 * @param nameOf A text that no other item of the list has; the list comes in its order.
 * @param sizeMax Items of the page.
 * @returns `next`, the token of the next page, is there where more follow.
 * @throws ApiError as `readPageToken`
 */
export async function pageOf<Item>(
  list: ListCall,
  { all, nameOf, sizeMax }: { readonly all: readonly Item[]; readonly nameOf: (item: Item) => string; readonly sizeMax: number },
): Promise<{ readonly items: readonly Item[]; readonly next?: string }> {
  const after = await readPageToken(list);
  const placed = all.map((item) => ({ item, place: placeOf(nameOf(item)) })).sort((one, other) => (one.place < other.place ? -1 : 1));
  const rest = after === undefined ? placed : placed.filter(({ place }) => place > after);
  const page = rest.slice(0, sizeMax);
  const items = page.map(({ item }) => item);
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { items };
  return { items, next: await makePageToken(list, last.place) };
}

/** The place after which the page begins; `undefined` for the first one. @throws ApiError the service's own, for a token of another call */
export async function readPageToken(list: ListCall): Promise<string | undefined> {
  const token = (list.input as JsonObject)[list.words.token];
  if (token === undefined || token === null) return undefined;
  const place = typeof token === 'string' ? await list.tokens.open(list.call, requestOf(list), token) : undefined;
  if (place === undefined) throw list.words.invalidToken();
  return place;
}

/** The token of the page that begins after this place. */
export function makePageToken(list: ListCall, place: string): Promise<string> {
  return list.tokens.seal(list.call, requestOf(list), place);
}

function requestOf({ operation, input, words }: ListCall): PageRequest {
  const parameters = Object.entries(input as JsonObject).filter(([member]) => member !== words.token && member !== words.size);
  return { operation: `${words.service}:${operation}`, parameters: Object.fromEntries(parameters) };
}

/** Longer names, in bytes, would make tokens that IAM's model refuses: 320 characters. */
const PLACE_BYTES_MAX = 200;

/** The name itself. Those that are too long come at the end. */
function placeOf(name: string): string {
  if (Buffer.byteLength(name) <= PLACE_BYTES_MAX) return name;
  return `~${createHash('sha256').update(name).digest('hex')}`;
}
