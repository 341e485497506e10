/**
 * Finds the topic that a call names, and says what its caller must be allowed.
 *
 * A topic of another account is reached where its policy lets the caller; one that is not there has no policy, so that both are
 * refused alike (A12).
 */
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import { resourceTagContext } from '../api/tags.ts';
import type { CatalogDocument } from '../store/catalog.ts';
import { readTopicId } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

/** @throws ApiError InvalidParameter */
export async function topicAccess(
  deps: SnsDeps,
  input: SnsInput,
  action: string,
  context: NonNullable<AccessRequest['context']> = new Map(),
): Promise<readonly AccessRequest[]> {
  const id = readTopicId(input);
  const topic = (await deps.catalog.get<Topic>(topicKey(id)))?.value;
  const about = { action, resource: topicArn(id), owner: id.account };
  if (topic === undefined) return [{ ...about, context }];
  return [{ ...about, resourcePolicy: topic.policy, context: new Map([...context, ...resourceTagContext(topic.tags)]) }];
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
