/**
 * Operations of the Organizations API that list, a page at a time: `NextToken` and `MaxResults`.
 */
import type { Call, Operation } from '../api/operation.ts';
import { type PageWords, pageOf } from '../store/page-of.ts';
import type { OrganizationsDeps } from './operation-kinds.ts';
import type { Input } from './read-input.ts';
import { invalidInput } from './refusals.ts';

const PAGE_MAX = 20;

const WORDS: PageWords = {
  service: 'organizations',
  token: 'NextToken',
  size: 'MaxResults',
  invalidToken: () => invalidInput('INVALID_NEXT_TOKEN', 'You must provide the NextToken of the page before.'),
};

interface List<Item> {
  readonly all: readonly Item[];
  /** What tells items apart; pages are in its order. */
  readonly idOf: (item: Item) => string;
  /** The answer with the items of a page. */
  readonly answer: (items: readonly Item[]) => object;
}

/** @param find What may be listed. @throws ApiError InvalidInputException */
export function listing<Item>(
  { tokens }: Pick<OrganizationsDeps, 'tokens'>,
  name: string,
  find: (call: Call, input: Input) => List<Item>,
): Operation<Input, object> {
  return {
    name,
    isReadOnly: true,
    decide: async (call, input) => {
      const { all, idOf, answer } = find(call, input);
      const sizeMax = readSize(input);
      const { items, next } = await pageOf({ tokens, words: WORDS, call, operation: name, input }, { all, nameOf: idOf, sizeMax });
      return { output: { ...answer(items), ...(next === undefined ? {} : { NextToken: next }) } };
    },
  };
}

function readSize({ MaxResults: size = PAGE_MAX }: Input): number {
  if (typeof size !== 'number' || !Number.isInteger(size)) throw invalidInput('INVALID_PATTERN', 'MaxResults must be a whole number.');
  if (size < 1) throw invalidInput('MIN_VALUE_EXCEEDED', 'MaxResults must be 1 or more.');
  if (size > PAGE_MAX) throw invalidInput('MAX_VALUE_EXCEEDED', `MaxResults must be ${PAGE_MAX} or less.`);
  return size;
}
