/**
 * Topics in memory, for tests: the policies and the messages of each.
 */
import { type TopicLook, type Topics, TopicsError } from '../topics.ts';

export interface MemoryTopics extends Topics {
  /** By ARN. A test makes a topic by setting it. */
  readonly topics: Map<string, { policy?: string; readonly messages: string[] }>;
  /** Calls fail with this code while it is set. */
  outage: string | undefined;
}

export function createMemoryTopics(): MemoryTopics {
  const requireUp = () => {
    if (memory.outage !== undefined) throw new TopicsError(memory.outage, 'SNS is away');
  };
  const memory: MemoryTopics = {
    topics: new Map(),
    outage: undefined,
    async look(arn): Promise<TopicLook> {
      requireUp();
      const topic = memory.topics.get(arn);
      if (topic === undefined) return { kind: 'missing' };
      return { kind: 'there', ...(topic.policy === undefined ? {} : { policy: topic.policy }) };
    },
    async publish(arn, message) {
      requireUp();
      const topic = memory.topics.get(arn);
      if (topic === undefined) throw new TopicsError('NotFound', `no topic \`${arn}\``);
      topic.messages.push(message);
    },
  };
  return memory;
}
