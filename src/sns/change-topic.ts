/**
 * Carries a change of a topic out, once the record of the call is durable: a `configuration` fact with the hashes before and
 * after, then the change. A crash between the two leaves a fact without effect, never an effect without a fact.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import { appendConfiguration } from '../store/append-configuration.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { SnsDeps } from './sns-deps.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

export async function changeTopic(
  { catalog, journal, sha256 }: SnsDeps,
  change: { readonly call: Call; readonly event: string; readonly before?: CatalogDocument<Topic>; readonly after?: Topic },
): Promise<void> {
  const { call, event, before, after } = change;
  const topic = (after ?? before?.value)!;
  const { account, region } = topic;
  await appendConfiguration({ journal, sha256 }, { call, event, resource: topicArn(topic), account, region, before: before?.value, after });
  try {
    await catalog.commit([{ key: topicKey(topic), value: after, expected: before?.version ?? 0 }]);
  } catch (error) {
    if (!(error instanceof CatalogConflict)) throw error;
    throw new ApiError('ConcurrentAccess', `The topic ${topicArn(topic)} is being changed by another call; try again.`, { status: 400 });
  }
}
