/**
 * Queues at an endpoint that speaks the API of SQS: AWS, or another that has it.
 */
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Outbound } from '../outbound.ts';
import { type Queues, QueuesError, readQueueArn } from '../queues.ts';
import { readSdkError, sdkBasics, silenceSdk } from './outbound-handler.ts';

export interface AwsQueuesOptions {
  /** Where SQS is. Trusted: our operator's. */
  readonly endpoint: string;
  /** The only Region that is there; absent when all are, as requests are signed for. */
  readonly region?: string | undefined;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string | undefined };
  readonly outbound: Outbound;
}

/** Nothing is loaded or sent before it is needed. */
export function createAwsQueues(options: AwsQueuesOptions): Queues {
  const { endpoint, outbound } = options;
  const clients = new Map<string, SQSClient>();

  const clientFor = async (region: string): Promise<SQSClient> => {
    const existing = clients.get(region);
    if (existing !== undefined) return existing;
    silenceSdk();
    const { SQSClient } = await import('@aws-sdk/client-sqs');
    const { accessKeyId, secretAccessKey, sessionToken } = options.credentials;
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    // A queue's URL may name any host: requests go to the endpoint that was configured, and to no other.
    const client = new SQSClient({ ...sdkBasics(outbound), endpoint, region, credentials, useQueueUrlAsEndpoint: false });
    clients.set(region, client);
    return client;
  };

  const withQueue = async <T>(queueArn: string, call: (client: SQSClient, url: string) => Promise<T>): Promise<T> => {
    const { region, account, name } = readQueueArn(queueArn)!;
    if (options.region !== undefined && options.region !== region)
      throw new QueuesError('QueueDoesNotExist', `no SQS is configured for \`${queueArn}\``);
    const { GetQueueUrlCommand } = await import('@aws-sdk/client-sqs');
    try {
      const client = await clientFor(region);
      const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: account }));
      return await call(client, QueueUrl!);
    } catch (cause) {
      const { code, message } = readSdkError(cause);
      throw new QueuesError(code, `\`${queueArn}\`: ${message}`, { cause });
    }
  };

  return {
    policyOf: (queueArn) =>
      withQueue(queueArn, async (client, QueueUrl) => {
        const { GetQueueAttributesCommand } = await import('@aws-sdk/client-sqs');
        const answer = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['Policy'] }));
        return answer.Attributes?.Policy;
      }),

    send: (queueArn, text) =>
      withQueue(queueArn, async (client, QueueUrl) => {
        const { SendMessageCommand } = await import('@aws-sdk/client-sqs');
        await client.send(new SendMessageCommand({ QueueUrl, MessageBody: text }));
      }),
  };
}
