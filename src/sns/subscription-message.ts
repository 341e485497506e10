/**
 * What is sent to a subscriber, in the service's form.
 *
 * Whole messages are signed; a bare one is its text alone.
 * Source: SNS Developer Guide, "Parsing HTTP/HTTPS message formats", "Raw message delivery", "Verifying the signatures of Amazon SNS messages".
 */
import type { EpochMs } from '../event/types.ts';
import type { MessageSigner } from './message-signer.ts';
import { makeToken, type Subscription, subscriptionArn, type TokenUse } from './subscription.ts';
import { type Topic, topicArn } from './topic.ts';

/** A message that waits for a subscriber. */
export interface WaitingMessage {
  readonly kind: 'Notification' | 'SubscriptionConfirmation';
  /** One for all subscribers; the same when it is sent again. */
  readonly id: string;
  readonly atMs: EpochMs;
  /** Empty for a confirmation, which is written when it is sent. */
  readonly text: string;
  readonly subject?: string;
}

export interface SentMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Paths of the pages that a message links to. */
export const CONFIRM_PATH = '/sns/confirm-subscription';
export const UNSUBSCRIBE_PATH = '/sns/unsubscribe';

/** What the links of a message are made of. */
export interface LinkDeps {
  /** Where this server is, as its subscribers see it: `https://HOST`. */
  readonly url: string;
  /** Secret. */
  readonly tokenKey: Uint8Array;
}

export interface MessageDeps extends LinkDeps {
  readonly signer: Pick<MessageSigner, 'sign' | 'path'>;
}

/** A link that lets whoever gets it confirm the subscription, or end it. */
export function linkTo(path: string, use: TokenUse, subscription: Subscription, { url, tokenKey }: LinkDeps): string {
  const Token = makeToken(tokenKey, use, subscription);
  const named: Record<string, string> =
    use === 'confirm' ? { TopicArn: topicArn(subscription.topic) } : { SubscriptionArn: subscriptionArn(subscription) };
  return `${url}${path}?${new URLSearchParams({ ...named, Token })}`;
}

export async function writeMessage(
  subscription: Subscription,
  message: WaitingMessage,
  { topic, at }: { readonly topic: Topic; readonly at: MessageDeps },
): Promise<SentMessage> {
  const { kind, id } = message;
  const TopicArn = topicArn(topic);
  const headers = { 'x-amz-sns-message-type': kind, 'x-amz-sns-message-id': id, 'x-amz-sns-topic-arn': TopicArn };
  const whole = { Type: kind, MessageId: id, TopicArn, Timestamp: new Date(message.atMs).toISOString() };
  if (kind === 'SubscriptionConfirmation') {
    const Token = makeToken(at.tokenKey, 'confirm', subscription);
    const Message = `You have chosen to subscribe to the topic ${TopicArn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`;
    const SubscribeURL = linkTo(CONFIRM_PATH, 'confirm', subscription, at);
    return { headers, body: await signed({ ...whole, Token, Message, SubscribeURL }, topic, at) };
  }
  const known = { ...headers, 'x-amz-sns-subscription-arn': subscriptionArn(subscription) };
  if (subscription.isRaw) return { headers: { ...known, 'x-amz-sns-rawdelivery': 'true' }, body: message.text };
  const UnsubscribeURL = linkTo(UNSUBSCRIBE_PATH, 'unsubscribe', subscription, at);
  const { subject: Subject, text: Message } = message;
  return {
    headers: known,
    body: await signed({ ...whole, ...(Subject === undefined ? {} : { Subject }), Message, UnsubscribeURL }, topic, at),
  };
}

type Envelope = Readonly<Record<string, string>>;

/** Members as the service orders them. */
const ORDER = ['Type', 'MessageId', 'Token', 'TopicArn', 'Subject', 'Message', 'SubscribeURL', 'Timestamp'];
const ORDER_OF_SIGNATURE = ['SignatureVersion', 'Signature', 'SigningCertURL', 'UnsubscribeURL'];
/** What is signed of it, in this order; the link that ends a subscription is not. */
const SIGNED = ['Message', 'MessageId', 'Subject', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];

async function signed(envelope: Envelope, { signatureVersion = '1' }: Topic, { url, signer }: MessageDeps): Promise<string> {
  const text = SIGNED.flatMap((name) => (envelope[name] === undefined ? [] : [`${name}\n${envelope[name]}\n`])).join('');
  const all: Envelope = {
    ...envelope,
    SignatureVersion: signatureVersion,
    Signature: await signer.sign(signatureVersion, text),
    SigningCertURL: `${url}${signer.path}`,
  };
  return JSON.stringify(all, [...ORDER, ...ORDER_OF_SIGNATURE], 2);
}
