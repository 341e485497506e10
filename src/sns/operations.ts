/**
 * The operations of topics, and those of SNS that are not built.
 */
import type { Operation } from '../api/operation.ts';
import { createTopic } from './create-topic.ts';
import { deleteTopic } from './delete-topic.ts';
import { listTopics } from './list-topics.ts';
import type { SnsDeps } from './sns-deps.ts';
import { getTopicAttributes, setTopicAttributes } from './topic-attributes.ts';

export function snsOperations(deps: SnsDeps): readonly Operation[] {
  return [
    createTopic(deps),
    deleteTopic(deps),
    listTopics(deps),
    getTopicAttributes(deps),
    setTopicAttributes(deps),
  ] as readonly Operation[];
}

export const UNBUILT_SNS_OPERATIONS: ReadonlySet<string> = new Set([
  'AddPermission',
  'ConfirmSubscription',
  'GetDataProtectionPolicy',
  'GetSubscriptionAttributes',
  'ListSubscriptions',
  'ListSubscriptionsByTopic',
  'ListTagsForResource',
  'Publish',
  'PublishBatch',
  'PutDataProtectionPolicy',
  'RemovePermission',
  'SetSubscriptionAttributes',
  'Subscribe',
  'TagResource',
  'Unsubscribe',
  'UntagResource',
]);
