/**
 * Carries a change of a topic or a subscription out, once the record of the call is durable: a `configuration` fact with the hashes
 * before and after, then the change. A crash between the two leaves a fact without effect, never an effect without a fact.
 */
import { ApiError } from '../api/api-error.ts';
import { appendConfiguration, type Changer } from '../store/append-configuration.ts';
import { type CatalogChange, CatalogConflict, type CatalogDocument, type CatalogKey } from '../store/catalog.ts';
import type { SnsDeps } from './sns-deps.ts';
import { type Topic, type TopicId, topicArn, topicKey } from './topic.ts';

export interface Change {
  readonly by: Changer;
  readonly event: string;
  /** Its owner's account and Region are those of the fact. */
  readonly topic: TopicId;
  /** ARN of what is changed. */
  readonly resource: string;
  readonly key: CatalogKey;
  readonly before?: CatalogDocument<object> | undefined;
  readonly after?: object | undefined;
  /** What else changes with it. */
  readonly along?: readonly CatalogChange[];
}

export async function recordChange(deps: SnsDeps, change: Change): Promise<void> {
  const { journal, sha256 } = deps;
  const { by: call, event, topic, resource, key, before, after, along = [] } = change;
  const { account, region } = topic;
  await appendConfiguration({ journal, sha256 }, { call, event }, { resource, account, region, before: before?.value, after });
  await commitChanges(deps, resource, [{ key, value: after, expected: before?.version ?? 0 }, ...along]);
}

/** @throws ApiError ConcurrentAccess */
export async function commitChanges(
  { catalog }: Pick<SnsDeps, 'catalog'>,
  resource: string,
  changes: readonly CatalogChange[],
): Promise<void> {
  if (changes.length === 0) return;
  try {
    await catalog.commit(changes);
  } catch (error) {
    if (!(error instanceof CatalogConflict)) throw error;
    throw new ApiError('ConcurrentAccess', `${resource} is being changed by another call; try again.`, { status: 400 });
  }
}

/** A change of the topic itself. */
export function changeTopic(
  deps: SnsDeps,
  change: Pick<Change, 'by' | 'event' | 'along'> & { readonly before?: CatalogDocument<Topic>; readonly after?: Topic },
): Promise<void> {
  const topic = (change.after ?? change.before?.value)!;
  return recordChange(deps, { ...change, topic, resource: topicArn(topic), key: topicKey(topic) });
}
