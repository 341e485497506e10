/**
 * Topics of this installation, as trails see them.
 */

import type { AccountId, Region } from '../event/types.ts';
import { readTopicArn, type Topics, TopicsError } from '../store/topics.ts';
import { handOn } from './publish.ts';
import type { SnsDeps } from './sns-deps.ts';
import { type Topic, topicKey } from './topic.ts';

export function builtInTopics(deps: Pick<SnsDeps, 'catalog' | 'deliveries' | 'clock' | 'chance'>): Topics {
  const find = async (arn: string) => {
    const { account, region, name } = readTopicArn(arn)!;
    return (await deps.catalog.get<Topic>(topicKey({ account: account as AccountId, region: region as Region, name })))?.value;
  };
  return {
    look: async (arn) => {
      const topic = await find(arn);
      return topic === undefined ? { kind: 'missing' } : { kind: 'there', policy: topic.policy };
    },
    publish: async (arn, message) => {
      const topic = await find(arn);
      if (topic === undefined) throw new TopicsError('NotFound', `no topic \`${arn}\``);
      if (deps.deliveries.isFull(topic.account)) throw new TopicsError('Throttled', `too much waits for the subscribers of \`${arn}\``);
      await handOn(deps, topic, { id: deps.chance.uuid(), atMs: deps.clock.nowMs(), textFor: () => message });
    },
  };
}
