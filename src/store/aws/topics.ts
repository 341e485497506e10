/**
 * Topics at an endpoint that speaks the API of SNS: AWS, or another that has it.
 *
 * The credentials of the configuration look at the policy and publish; that the topic's owner lets CloudTrail do so is checked
 * by who asks, of that policy.
 */
import type { SNSClient } from '@aws-sdk/client-sns';
import type { Outbound } from '../outbound.ts';
import { readTopicArn, type Topics, TopicsError } from '../topics.ts';
import { readSdkError, sdkBasics, silenceSdk } from './outbound-handler.ts';

export interface AwsTopicsOptions {
  /** Where SNS is. Trusted: our operator's. */
  readonly endpoint: string;
  /** The only Region that is there; absent when all are, as requests are signed for. */
  readonly region?: string | undefined;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined };
  readonly outbound: Outbound;
}

/** Nothing is loaded or sent before it is needed. */
export function createAwsTopics(options: AwsTopicsOptions): Topics {
  const { endpoint, outbound } = options;
  const clients = new Map<string, SNSClient>();

  const clientFor = async (topicArn: string): Promise<SNSClient> => {
    const region = readTopicArn(topicArn)!.region;
    const existing = clients.get(region);
    if (existing !== undefined) return existing;
    silenceSdk();
    const { SNSClient } = await import('@aws-sdk/client-sns');
    const { accessKeyId, secretAccessKey, sessionToken } = options.credentials;
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    const client = new SNSClient({ ...sdkBasics(outbound), endpoint, region, credentials });
    clients.set(region, client);
    return client;
  };
  const isElsewhere = (topicArn: string) => options.region !== undefined && readTopicArn(topicArn)?.region !== options.region;

  return {
    async look(topicArn) {
      if (isElsewhere(topicArn)) return { kind: 'missing' };
      const { GetTopicAttributesCommand } = await import('@aws-sdk/client-sns');
      try {
        const { Attributes } = await (await clientFor(topicArn)).send(new GetTopicAttributesCommand({ TopicArn: topicArn }));
        const policy = Attributes?.['Policy'];
        return { kind: 'there', ...(policy === undefined ? {} : { policy }) };
      } catch (error) {
        const { code } = readSdkError(error);
        if (/^NotFound/.test(code)) return { kind: 'missing' };
        if (/^(AuthorizationError|AccessDenied)/.test(code)) return { kind: 'unreadable' };
        throw toTopicsError(error, topicArn);
      }
    },

    async publish(topicArn, message) {
      if (isElsewhere(topicArn)) throw new TopicsError('NotFound', `no SNS is configured for \`${topicArn}\``);
      const { PublishCommand } = await import('@aws-sdk/client-sns');
      try {
        await (await clientFor(topicArn)).send(new PublishCommand({ TopicArn: topicArn, Message: message }));
      } catch (error) {
        throw toTopicsError(error, topicArn);
      }
    },
  };
}

function toTopicsError(cause: unknown, topicArn: string): TopicsError {
  const { code, message } = readSdkError(cause);
  return new TopicsError(code.replace(/Exception$/, ''), `\`${topicArn}\`: ${message}`, { cause });
}
