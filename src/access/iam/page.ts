/**
 * Pages of IAM's lists: `Marker` and `MaxItems`.
 *
 * A marker names the last item of the page before, so that what is added or deleted meanwhile moves nothing else.
 * Source: IAM API Reference, "ListUsers".
 */
import { ApiError } from '../../api/api-error.ts';

export interface PageInput {
  readonly Marker?: string;
  /** 1 to 1,000. */
  readonly MaxItems?: number;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly more: { readonly IsTruncated: boolean; readonly Marker?: string };
}

const ITEMS_DEFAULT = 100;

/**
 * @param nameOf A text that no other item of the list has; the list comes in its order.
 * @throws ApiError ValidationError for a marker that is none of ours.
 */
export function pageOf<Item>(all: readonly Item[], input: PageInput, nameOf: (item: Item) => string): Page<Item> {
  const after = input.Marker === undefined ? undefined : readMarker(input.Marker);
  const sorted = [...all].sort((a, b) => compare(nameOf(a), nameOf(b)));
  const rest = after === undefined ? sorted : sorted.filter((item) => compare(nameOf(item), after) > 0);
  const items = rest.slice(0, input.MaxItems ?? ITEMS_DEFAULT);
  const last = items.at(-1);
  if (last === undefined || items.length === rest.length) return { items, more: { IsTruncated: false } };
  return { items, more: { IsTruncated: true, Marker: Buffer.from(`1/${nameOf(last)}`).toString('base64url') } };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (text.startsWith('1/')) return text.slice(2);
  throw new ApiError('ValidationError', 'Invalid Marker.', { status: 400 });
}
