/**
 * `ListTopics`: the account's topics in the Region, 100 a page, by name.
 */
import type { Operation } from '../api/operation.ts';
import { listPage } from './page.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn, topicsKey } from './topic.ts';

interface ListTopicsOutput {
  readonly Topics: { readonly member: readonly { readonly TopicArn: string }[] };
  readonly NextToken?: string;
}

export function listTopics(deps: SnsDeps): Operation<SnsInput, ListTopicsOutput> {
  return {
    name: 'ListTopics',
    isReadOnly: true,
    decide: async (call, input) => {
      const { found, next } = await listPage<Topic>(deps, { call, operation: 'ListTopics', input }, topicsKey(call));
      return { output: { Topics: { member: found.map(({ value }) => ({ TopicArn: topicArn(value) })) }, ...next } };
    },
  };
}
