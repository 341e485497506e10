/**
 * `ListTopics`: the account's topics in the Region, 100 a page, by name.
 */
import type { Operation } from '../api/operation.ts';
import { invalid } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn, topicKey, topicsKey } from './topic.ts';

const PAGE = 100;

interface ListTopicsOutput {
  readonly Topics: { readonly member: readonly { readonly TopicArn: string }[] };
  readonly NextToken?: string;
}

export function listTopics(deps: SnsDeps): Operation<SnsInput, ListTopicsOutput> {
  return {
    name: 'ListTopics',
    isReadOnly: true,
    decide: async ({ account, region }, input) => {
      const { NextToken: token } = input;
      // The last name of the page before: it names nothing but what the caller may list.
      if (token !== undefined && !/^[A-Za-z0-9_-]{1,256}$/.test(token)) throw invalid('NextToken is not one of this operation');
      const after = token === undefined ? {} : { after: topicKey({ account, region, name: token }) };
      const found = await deps.catalog.list<Topic>(topicsKey({ account, region }), { ...after, limit: PAGE });
      const last = found.at(-1)?.value.name;
      return {
        output: {
          Topics: { member: found.map(({ value }) => ({ TopicArn: topicArn(value) })) },
          ...(found.length < PAGE || last === undefined ? {} : { NextToken: last }),
        },
      };
    },
  };
}
