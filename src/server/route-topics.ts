/**
 * Sends each topic to where it is: topics of this installation first, all others to the SNS of the configuration.
 */
import { type Topics, TopicsError } from '../store/topics.ts';

/** @param foreign Absent where no SNS is configured. */
export function routeTopics(builtIn: Topics, foreign: Topics | undefined): Topics {
  return {
    look: async (arn) => {
      const own = await builtIn.look(arn);
      return own.kind === 'missing' && foreign !== undefined ? foreign.look(arn) : own;
    },
    publish: async (arn, message) => {
      if ((await builtIn.look(arn)).kind !== 'missing') return builtIn.publish(arn, message);
      if (foreign === undefined) throw new TopicsError('NotFound', `no topic \`${arn}\`, and \`delivery.sns\` is not configured`);
      return foreign.publish(arn, message);
    },
  };
}
