/**
 * Carries a change of a topic out, once the record of the call is durable: a `configuration` fact with the hashes before and
 * after, then the change. A crash between the two leaves a fact without effect, never an effect without a fact.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import type { SnsDeps } from './sns-deps.ts';
import { type Topic, topicArn, topicKey } from './topic.ts';

export async function changeTopic(
  { catalog, journal, sha256 }: SnsDeps,
  change: { readonly call: Call; readonly event: string; readonly before?: CatalogDocument<Topic>; readonly after?: Topic },
): Promise<void> {
  const { call, event, before, after } = change;
  const topic = (after ?? before?.value)!;
  const hash = (value: Topic | undefined) => (value === undefined ? null : toHex(sha256(utf8(canonicalJson(value)))));
  const fact = {
    version: 1,
    resource: topicArn(topic),
    event,
    principal: call.principal.arn,
    requestId: call.requestId,
    beforeSha256: hash(before?.value),
    afterSha256: hash(after),
  };
  await journal.append([
    {
      kind: 'fact',
      factKind: 'configuration',
      factId: `configuration/${call.requestId}`,
      account: topic.account,
      region: topic.region,
      receivedAtMs: call.receivedAtMs,
      bytes: utf8(`${JSON.stringify(fact)}\n`),
    },
  ]);
  try {
    await catalog.commit([{ key: topicKey(topic), value: after, expected: before?.version ?? 0 }]);
  } catch (error) {
    if (!(error instanceof CatalogConflict)) throw error;
    throw new ApiError('ConcurrentAccess', `The topic ${topicArn(topic)} is being changed by another call; try again.`, { status: 400 });
  }
}

/** Members in the order of their names, so that equal topics have one hash. */
function canonicalJson(topic: Topic): string {
  return JSON.stringify(Object.fromEntries(Object.entries(topic).sort(([one], [other]) => (one < other ? -1 : 1))));
}
