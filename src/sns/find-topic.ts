/**
 * Finds the topic that a call names, and says what its caller must be allowed.
 *
 * A topic of another account is reached where its policy lets the caller; one that is not there has no policy, so that both are
 * refused alike (A12).
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { FindResource } from '../api/find-resource.ts';
import { resourceTagContext } from '../api/tags.ts';
import type { AccountId, Region } from '../event/types.ts';
import type { CatalogDocument } from '../store/catalog.ts';
import { readTopicArn } from '../store/topics.ts';
import { readTopicId } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

/** @throws ApiError InvalidParameter */
export function topicRequest(input: SnsInput, action: string, context?: AccessRequest['context']): AccessRequest {
  return { action, resource: topicArn(readTopicId(input)), ...(context === undefined ? {} : { context }) };
}

/** Actions that name a topic and ask it nothing: it is not there yet, or whoever confirms has a token of it. */
const NOT_OF_A_TOPIC = /^sns:(?:CreateTopic|ConfirmSubscription)$/i;

/** What a topic decides itself. */
export function topicAccess({ catalog }: Pick<SnsDeps, 'catalog'>): FindResource {
  return async ({ action, resource }) => {
    const parts = readTopicArn(resource);
    if (parts === undefined || NOT_OF_A_TOPIC.test(action)) return undefined;
    const owner = parts.account as AccountId;
    const topic = (await catalog.get<Topic>(topicKey({ account: owner, region: parts.region as Region, name: parts.name })))?.value;
    return { owner, ...(topic === undefined ? {} : { policy: topic.policy, context: resourceTagContext(topic.tags) }) };
  };
}

/** @throws ApiError `missing` */
export async function findTopic(
  deps: SnsDeps,
  input: SnsInput,
  missing = new ApiError('NotFound', 'Topic does not exist', { status: 404 }),
): Promise<CatalogDocument<Topic>> {
  const topic = await deps.catalog.get<Topic>(topicKey(readTopicId(input)));
  if (topic === undefined) throw missing;
  return topic;
}
