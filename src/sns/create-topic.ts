/**
 * `CreateTopic`. One that is there with the same attributes is answered as if it were made now; with other ones it is refused.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { requestTagContext } from '../api/tags.ts';
import { changesOfEnd } from './end-subscription.ts';
import { invalid, readAttributes, readTopicName, type TopicAttributes } from './read-input.ts';
import { changeTopic } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Subscription, subscriptionsKey } from './subscription.ts';
import { defaultPolicy, TOPICS_MAX, type Topic, topicArn, topicKey, topicsKey } from './topic.ts';
import { areSame, readTags, tagsInRecord } from './topic-tags.ts';

export function createTopic(deps: SnsDeps): Operation<SnsInput, { readonly TopicArn: string }> {
  const idOf = (call: Call, input: SnsInput) => ({ account: call.account, region: call.region, name: readTopicName(input) });
  return {
    name: 'CreateTopic',
    isReadOnly: false,
    access: (call, input) => {
      const resource = topicArn(idOf(call, input));
      const tags = readTags(input, { isNeeded: false });
      const context = requestTagContext(tags);
      return [
        { action: 'sns:CreateTopic', resource, context },
        ...(tags.length === 0 ? [] : [{ action: 'sns:TagResource', resource, context }]),
      ];
    },
    decide: async (call, input) => {
      const id = idOf(call, input);
      const given = readAttributes(input);
      const tags = readTags(input, { isNeeded: false });
      const recorded = {
        output: { TopicArn: topicArn(id) },
        requestParameters: { name: id.name, ...(tags.length === 0 ? {} : { tags: tagsInRecord(tags) }) },
        responseElements: { topicArn: topicArn(id) },
      };
      const existing = (await deps.catalog.get<Topic>(topicKey(id)))?.value;
      if (existing !== undefined) {
        const differs = (Object.keys(given) as (keyof TopicAttributes)[]).some((name) => given[name] !== existing[name]);
        if (differs) throw invalid('Attributes Reason: Topic already exists with different attributes');
        if (tags.length > 0 && !areSame(tags, existing.tags)) throw invalid('Tags Reason: Topic already exists with different tags');
        return recorded;
      }
      if ((await deps.catalog.list(topicsKey(id), { limit: TOPICS_MAX })).length >= TOPICS_MAX)
        throw new ApiError('TopicLimitExceeded', `The account has ${TOPICS_MAX} topics in ${id.region}, as many as it may.`, {
          status: 403,
        });
      const after: Topic = {
        ...id,
        policy: defaultPolicy(id),
        displayName: '',
        tags,
        ...given,
        createdAtMs: call.receivedAtMs,
      };
      return {
        ...recorded,
        apply: async () => {
          // Who subscribed while a topic of this name was being deleted does not come with the new one.
          const left = await deps.catalog.list<Subscription>(subscriptionsKey(id));
          const along = left.flatMap(({ value }) => changesOfEnd(deps, value));
          await changeTopic(deps, { by: call, event: 'CreateTopic', after, along });
        },
      };
    },
  };
}
