/**
 * Pages of IAM's lists: `Marker` and `MaxItems`.
 *
 * Source: IAM API Reference, "ListUsers".
 */
import type { Call } from '../../api/operation.ts';
import { type PageWords, pageOf } from '../../store/page-of.ts';
import { type IamDeps, validationError } from './iam-deps.ts';

export interface PageInput {
  readonly Marker?: string;
  /** 1 to 1,000. */
  readonly MaxItems?: number;
}

const ITEMS_DEFAULT = 100;

const WORDS: PageWords = {
  service: 'iam',
  token: 'Marker',
  size: 'MaxItems',
  invalidToken: () => validationError('Invalid Marker.'),
};

/** A page of a list as answers have it. */
interface Listed<Item> {
  readonly items: readonly Item[];
  readonly more: { readonly IsTruncated: boolean; readonly Marker?: string };
}

/**
 * @param nameOf A text that no other item of the list has; the list comes in its order.
 * @throws ApiError ValidationError for a marker that is none of this call.
 */
export async function listPage<Item>(
  { tokens }: Pick<IamDeps, 'tokens'>,
  list: { readonly call: Call; readonly operation: string; readonly input: PageInput },
  all: readonly Item[],
  nameOf: (item: Item) => string,
): Promise<Listed<Item>> {
  const sizeMax = list.input.MaxItems ?? ITEMS_DEFAULT;
  const { items, next } = await pageOf({ tokens, words: WORDS, ...list }, { all, nameOf, sizeMax });
  return { items, more: next === undefined ? { IsTruncated: false } : { IsTruncated: true, Marker: next } };
}
