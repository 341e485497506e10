/**
 * One page of a listing. The marker names the last item that was given, so that nothing is skipped or given twice when items come
 * and go meanwhile.
 */
import { ApiError } from '../api/api-error.ts';

export interface PageInput {
  readonly Limit?: number;
  readonly Marker?: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * @param nameOf What tells items apart; the page is in its order.
 * @param fallback Items of a page where the caller gives no limit.
 * @throws ApiError InvalidMarkerException
 */
export function pageOf<Item>(all: readonly Item[], nameOf: (item: Item) => string, input: PageInput, fallback = 100): Page<Item> {
  const after = input.Marker === undefined ? undefined : readMarker(input.Marker);
  const sorted = [...all].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const rest = after === undefined ? sorted : sorted.filter((item) => nameOf(item) > after);
  const items = rest.slice(0, input.Limit ?? fallback);
  if (items.length === rest.length) return { items, Truncated: false };
  return { items, Truncated: true, NextMarker: Buffer.from(`1 ${nameOf(items.at(-1)!)}`).toString('base64url') };
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString();
  if (!text.startsWith('1 ')) throw new ApiError('InvalidMarkerException', 'Invalid marker');
  return text.slice(2);
}
