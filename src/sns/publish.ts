/**
 * `Publish`: whom the topic's policy lets, to all who are subscribed.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { EpochMs } from '../event/types.ts';
import { findTopic, topicRequest } from './find-topic.ts';
import { invalid } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { liveSubscriptions, type SubscriptionProtocol } from './subscription.ts';
import type { WaitingMessage } from './subscription-message.ts';
import { type TopicId, topicArn } from './topic.ts';

const MESSAGE_BYTES_MAX = 256 * 1024;

/** One text for all subscribers, or one for each protocol. */
type TextFor = (protocol: SubscriptionProtocol) => string;

export function publish(deps: SnsDeps): Operation<SnsInput, { readonly MessageId: string }> {
  return {
    name: 'Publish',
    isReadOnly: false,
    access: (_call, input) => [topicRequest(withTopic(input), 'sns:Publish')],
    decide: async (call, input) => {
      const { value: topic } = await findTopic(deps, withTopic(input));
      const textFor = readMessage(input);
      const subject = readSubject(input);
      if (deps.deliveries.isFull(topic.account))
        throw new ApiError('Throttled', 'too much waits for the subscribers of this account: try again later', { status: 429 });
      const id = deps.chance.uuid();
      return {
        output: { MessageId: id },
        // Messages are their subscribers' alone.
        requestParameters: { topicArn: topicArn(topic), message: 'HIDDEN_DUE_TO_SECURITY_REASONS' },
        responseElements: { messageId: id },
        apply: () => handOn(deps, topic, { id, atMs: call.receivedAtMs, textFor, ...(subject === undefined ? {} : { subject }) }),
      };
    },
  };
}

/** Puts a message into the lines of all subscribers of a topic; durable when it resolves. */
export async function handOn(
  { catalog, deliveries }: Pick<SnsDeps, 'catalog' | 'deliveries'>,
  topic: TopicId,
  { id, atMs, textFor, subject }: { readonly id: string; readonly atMs: EpochMs; readonly textFor: TextFor; readonly subject?: string },
): Promise<void> {
  const subscriptions = (await liveSubscriptions(catalog, topic, atMs)).filter(({ value }) => value.confirmed !== undefined);
  await deliveries.enqueue(
    subscriptions.map(({ value: subscription }) => {
      const text = textFor(subscription.protocol);
      const message: WaitingMessage = { kind: 'Notification', id, atMs, text, ...(subject === undefined ? {} : { subject }) };
      return { subscription, message };
    }),
  );
}

/** A topic may be called the target, too. */
function withTopic(input: SnsInput): SnsInput {
  if (input['PhoneNumber'] !== undefined) throw invalid('PhoneNumber is not supported by this installation');
  return input['TopicArn'] === undefined ? { ...input, TopicArn: input['TargetArn'] ?? '' } : input;
}

/** @throws ApiError InvalidParameter */
function readMessage(input: SnsInput): TextFor {
  const { Message: message = '', MessageStructure: structure } = input;
  const refused = Object.keys(input).find((name) => /^(MessageAttributes\.|MessageDeduplicationId$|MessageGroupId$)/.test(name));
  if (refused !== undefined) throw invalid(`${refused.split('.')[0]} is not supported by this installation`);
  if (message === '') throw invalid('Empty message');
  if (Buffer.byteLength(message) > MESSAGE_BYTES_MAX) throw invalid('Message too long');
  if (structure === undefined || structure === '') return () => message;
  if (structure !== 'json') throw invalid('MessageStructure must be json');
  const texts = readTexts(message);
  return (protocol) => texts.get(protocol) ?? texts.get('default')!;
}

function readTexts(message: string): ReadonlyMap<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch (cause) {
    throw new ApiError('InvalidParameter', 'Invalid parameter: Message Structure - JSON message body failed to parse', {
      status: 400,
      cause,
    });
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const texts = new Map(Object.entries(isObject ? (parsed as object) : {}).filter(([, text]) => typeof text === 'string')) as Map<
    string,
    string
  >;
  if (!texts.has('default')) throw invalid('Message Structure - No default entry in JSON message body');
  return texts;
}

/** @throws ApiError InvalidParameter */
function readSubject({ Subject: subject }: SnsInput): string | undefined {
  if (subject !== undefined && !/^[!-~][ -~]{0,99}$/.test(subject))
    throw invalid('Subject has 1 to 100 printable ASCII characters, and does not begin with a space');
  return subject;
}
