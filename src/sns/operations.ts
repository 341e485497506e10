/**
 * The operations of topics and their subscriptions, and those of SNS that are not built.
 */
import type { Operation } from '../api/operation.ts';
import { confirmSubscription } from './confirm-subscription.ts';
import { createTopic } from './create-topic.ts';
import { deleteTopic } from './delete-topic.ts';
import { unsubscribe } from './end-subscription.ts';
import { listSubscriptions, listSubscriptionsByTopic } from './list-subscriptions.ts';
import { listTopics } from './list-topics.ts';
import { publish } from './publish.ts';
import type { SnsDeps } from './sns-deps.ts';
import { subscribe } from './subscribe.ts';
import { getSubscriptionAttributes, setSubscriptionAttributes } from './subscription-attributes.ts';
import { getTopicAttributes, setTopicAttributes } from './topic-attributes.ts';
import { listTagsForResource, tagResource, untagResource } from './topic-tags.ts';

export function snsOperations(deps: SnsDeps): readonly Operation[] {
  return [
    createTopic(deps),
    deleteTopic(deps),
    listTopics(deps),
    getTopicAttributes(deps),
    setTopicAttributes(deps),
    subscribe(deps),
    confirmSubscription(deps),
    unsubscribe(deps),
    listSubscriptions(deps),
    listSubscriptionsByTopic(deps),
    getSubscriptionAttributes(deps),
    setSubscriptionAttributes(deps),
    publish(deps),
    tagResource(deps),
    untagResource(deps),
    listTagsForResource(deps),
  ] as readonly Operation[];
}

export const UNBUILT_SNS_OPERATIONS: ReadonlySet<string> = new Set([
  'AddPermission',
  'GetDataProtectionPolicy',
  'PublishBatch',
  'PutDataProtectionPolicy',
  'RemovePermission',
]);
