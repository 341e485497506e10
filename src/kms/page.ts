/**
 * Pages of KMS's lists: `Marker` and `Limit`.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import { type PageWords, pageOf } from '../store/page-of.ts';
import type { KmsDeps } from './kms-deps.ts';

export interface PageInput {
  readonly Limit?: number;
  readonly Marker?: string;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const WORDS: PageWords = {
  service: 'kms',
  token: 'Marker',
  size: 'Limit',
  invalidToken: () => new ApiError('InvalidMarkerException', 'Invalid marker'),
};

/**
 * @param nameOf What tells items apart; the page is in its order.
 * @param sizeDefault Items of a page where the caller gives no limit.
 * @throws ApiError InvalidMarkerException
 */
export async function listPage<Item>(
  { tokens }: Pick<KmsDeps, 'tokens'>,
  list: { readonly call: Call; readonly operation: string; readonly input: PageInput },
  all: readonly Item[],
  { nameOf, sizeDefault = 100 }: { readonly nameOf: (item: Item) => string; readonly sizeDefault?: number },
): Promise<Page<Item>> {
  const sizeMax = list.input.Limit ?? sizeDefault;
  const { items, next } = await pageOf({ tokens, words: WORDS, ...list }, { all, nameOf, sizeMax });
  return next === undefined ? { items, Truncated: false } : { items, Truncated: true, NextMarker: next };
}
