/**
 * Finds the topic that a call names, and says what its caller must be allowed.
 *
 * A topic of another account is reached where its policy lets the caller; one that is not there has no policy, so that both are
 * refused alike (A12).
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { CatalogDocument } from '../store/catalog.ts';
import { readTopicId } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

/** @throws ApiError InvalidParameter */
export async function topicAccess(deps: SnsDeps, input: SnsInput, action: string): Promise<readonly AccessRequest[]> {
  const id = readTopicId(input);
  const resourcePolicy = (await deps.catalog.get<Topic>(topicKey(id)))?.value.policy;
  return [{ action, resource: topicArn(id), owner: id.account, ...(resourcePolicy === undefined ? {} : { resourcePolicy }) }];
}

/** @throws ApiError NotFound */
export async function findTopic(deps: SnsDeps, input: SnsInput): Promise<CatalogDocument<Topic>> {
  const topic = await deps.catalog.get<Topic>(topicKey(readTopicId(input)));
  if (topic === undefined) throw new ApiError('NotFound', 'Topic does not exist', { status: 404 });
  return topic;
}
