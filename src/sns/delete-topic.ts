/**
 * `DeleteTopic`, and its subscriptions with it. One that is not there is fine. A trail that named it goes on, and its status says what it cannot tell.
 */
import type { Operation } from '../api/operation.ts';
import { changesOfEnd } from './end-subscription.ts';
import { topicRequest } from './find-topic.ts';
import { readTopicId } from './read-input.ts';
import { changeTopic } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Subscription, subscriptionsKey } from './subscription.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

export function deleteTopic(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'DeleteTopic',
    isReadOnly: false,
    access: (_call, input) => [topicRequest(input, 'sns:DeleteTopic')],
    decide: async (call, input) => {
      const id = readTopicId(input);
      const before = await deps.catalog.get<Topic>(topicKey(id));
      const recorded = { output: {}, requestParameters: { topicArn: topicArn(id) }, responseElements: null };
      if (before === undefined) return recorded;
      return {
        ...recorded,
        apply: async () => {
          const subscriptions = await deps.catalog.list<Subscription>(subscriptionsKey(id));
          const along = subscriptions.flatMap(({ value }) => changesOfEnd(deps, value));
          await changeTopic(deps, { by: call, event: 'DeleteTopic', before, along });
        },
      };
    },
  };
}
