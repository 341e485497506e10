/**
 * `GetTopicAttributes` and `SetTopicAttributes`.
 */
import type { Operation } from '../api/operation.ts';
import { findTopic, topicRequest } from './find-topic.ts';
import { readAttribute } from './read-input.ts';
import { changeTopic } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { liveSubscriptions } from './subscription.ts';
import { defaultPolicy, topicArn } from './topic.ts';

interface AttributesOutput {
  readonly Attributes: { readonly entry: readonly { readonly key: string; readonly value: string }[] };
}

export function getTopicAttributes(deps: SnsDeps): Operation<SnsInput, AttributesOutput> {
  return {
    name: 'GetTopicAttributes',
    isReadOnly: true,
    access: (_call, input) => [topicRequest(input, 'sns:GetTopicAttributes')],
    decide: async (_call, input) => {
      const { value: topic } = await findTopic(deps, input);
      const subscriptions = await liveSubscriptions(deps.catalog, topic, deps.clock.nowMs());
      const confirmed = subscriptions.filter(({ value }) => value.confirmed !== undefined).length;
      const attributes = {
        TopicArn: topicArn(topic),
        Owner: topic.account,
        Policy: topic.policy,
        DisplayName: topic.displayName,
        ...(topic.signatureVersion === undefined ? {} : { SignatureVersion: topic.signatureVersion }),
        ...(topic.tracingConfig === undefined ? {} : { TracingConfig: topic.tracingConfig }),
        SubscriptionsConfirmed: String(confirmed),
        SubscriptionsPending: String(subscriptions.length - confirmed),
        SubscriptionsDeleted: '0',
      };
      return {
        output: { Attributes: { entry: Object.entries(attributes).map(([key, value]) => ({ key, value })) } },
        requestParameters: { topicArn: topicArn(topic) },
      };
    },
  };
}

export function setTopicAttributes(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'SetTopicAttributes',
    isReadOnly: false,
    access: (_call, input) => [topicRequest(input, 'sns:SetTopicAttributes')],
    decide: async (call, input) => {
      const before = await findTopic(deps, input);
      const { AttributeName: name = '', AttributeValue: value = '' } = input;
      // An empty policy is the one that a topic begins with.
      const change = name === 'Policy' && value === '' ? { policy: defaultPolicy(before.value) } : readAttribute(name, value);
      return {
        output: {},
        requestParameters: { topicArn: topicArn(before.value), attributeName: name, attributeValue: value },
        responseElements: null,
        apply: () => changeTopic(deps, { by: call, event: 'SetTopicAttributes', before, after: { ...before.value, ...change } }),
      };
    },
  };
}
