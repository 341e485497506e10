/**
 * Pages of the lists of the Organizations API.
 *
 * A token is the id of the last one that was shown: it opens nothing that the caller may not list anyway.
 */
import type { Input } from './read-input.ts';
import { invalidInput } from './refusals.ts';

const PAGE_MAX = 20;

/**
 * @param items In the order of their ids.
 * @throws ApiError InvalidInputException
 */
export function pageOf<Item>(
  input: Input,
  items: readonly Item[],
  idOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly next: { readonly NextToken?: string } } {
  const sizeMax = input['MaxResults'] ?? PAGE_MAX;
  if (typeof sizeMax !== 'number' || !Number.isInteger(sizeMax))
    throw invalidInput('INVALID_PATTERN', 'MaxResults must be a whole number.');
  if (sizeMax < 1) throw invalidInput('MIN_VALUE_EXCEEDED', 'MaxResults must be 1 or more.');
  if (sizeMax > PAGE_MAX) throw invalidInput('MAX_VALUE_EXCEEDED', `MaxResults must be ${PAGE_MAX} or less.`);
  const after = readToken(input['NextToken']);
  const inOrder = items.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
  const from = after === undefined ? 0 : inOrder.findIndex((item) => idOf(item) > after);
  const shown = from < 0 ? [] : inOrder.slice(from, from + sizeMax);
  const isMore = from >= 0 && from + sizeMax < inOrder.length;
  return { items: shown, next: isMore ? { NextToken: `after:${idOf(shown.at(-1)!)}` } : {} };
}

function readToken(token: unknown): string | undefined {
  if (token === undefined || token === null) return undefined;
  const after = typeof token === 'string' && token.length <= 200 ? /^after:(.+)$/.exec(token)?.[1] : undefined;
  if (after === undefined) throw invalidInput('INVALID_NEXT_TOKEN', 'You must provide the NextToken of the page before.');
  return after;
}
