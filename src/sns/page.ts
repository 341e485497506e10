/**
 * Pages of SNS's lists: 100 items, and `NextToken`. They are read from the catalog a page at a time; a place is the rest of the last
 * key, below what the list is of.
 */
import type { Call } from '../api/operation.ts';
import type { CatalogDocument, CatalogKey } from '../store/catalog.ts';
import { makePageToken, type PageWords, readPageToken } from '../store/page-of.ts';
import { invalid } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';

const PAGE = 100;

const WORDS: PageWords = {
  service: 'sns',
  token: 'NextToken',
  invalidToken: () => invalid('NextToken is not one of this operation'),
};

/** @throws ApiError InvalidParameter */
export async function listPage<Document>(
  { catalog, tokens }: Pick<SnsDeps, 'catalog' | 'tokens'>,
  list: { readonly call: Call; readonly operation: string; readonly input: SnsInput },
  prefix: CatalogKey,
): Promise<{ readonly found: readonly CatalogDocument<Document>[]; readonly next: { readonly NextToken?: string } }> {
  const pages = { tokens, words: WORDS, ...list };
  const place = await readPageToken(pages);
  const after = place === undefined ? {} : { after: [...prefix, ...place.split('\n')] as unknown as CatalogKey };
  const found = await catalog.list<Document>(prefix, { ...after, limit: PAGE });
  const last = found.at(-1);
  if (last === undefined || found.length < PAGE) return { found, next: {} };
  return { found, next: { NextToken: await makePageToken(pages, last.key.slice(prefix.length).join('\n')) } };
}
