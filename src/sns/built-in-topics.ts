/**
 * Topics of this installation, as trails see them.
 *
 * Nobody can subscribe to them yet: a message is taken, and there is nobody to hand it to.
 */

import type { AccountId, Region } from '../event/types.ts';
import { readTopicArn, type Topics, TopicsError } from '../store/topics.ts';
import type { SnsDeps } from './sns-deps.ts';
import { type Topic, topicKey } from './topic.ts';

export function builtInTopics({ catalog }: Pick<SnsDeps, 'catalog'>): Topics {
  const find = async (arn: string) => {
    const { account, region, name } = readTopicArn(arn)!;
    return (await catalog.get<Topic>(topicKey({ account: account as AccountId, region: region as Region, name })))?.value;
  };
  return {
    look: async (arn) => {
      const topic = await find(arn);
      return topic === undefined ? { kind: 'missing' } : { kind: 'there', policy: topic.policy };
    },
    publish: async (arn) => {
      if ((await find(arn)) === undefined) throw new TopicsError('NotFound', `no topic \`${arn}\``);
    },
  };
}
