/**
 * What is sent to a subscriber, in the service's form.
 *
 * Left out are `SignatureVersion`, `Signature` and `SigningCertURL`: no certificate of this installation is one that clients trust for
 * SNS, and no key of the store signs text that callers choose.
 * Source: SNS Developer Guide, "Parsing HTTP/HTTPS message formats", "Raw message delivery".
 */
import type { EpochMs } from '../event/types.ts';
import { makeToken, type Subscription, subscriptionArn, type TokenUse } from './subscription.ts';
import { topicArn } from './topic.ts';

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

/** A link that lets whoever gets it confirm the subscription, or end it. */
export function linkTo(path: string, use: TokenUse, subscription: Subscription, { url, tokenKey }: LinkDeps): string {
  const Token = makeToken(tokenKey, use, subscription);
  const named: Record<string, string> =
    use === 'confirm' ? { TopicArn: topicArn(subscription.topic) } : { SubscriptionArn: subscriptionArn(subscription) };
  return `${url}${path}?${new URLSearchParams({ ...named, Token })}`;
}

export function writeMessage(subscription: Subscription, message: WaitingMessage, at: LinkDeps): SentMessage {
  const { kind, id } = message;
  const { topic, isRaw } = subscription;
  const TopicArn = topicArn(topic);
  const Timestamp = new Date(message.atMs).toISOString();
  const headers = { 'x-amz-sns-message-type': kind, 'x-amz-sns-message-id': id, 'x-amz-sns-topic-arn': TopicArn };
  if (kind === 'SubscriptionConfirmation') {
    const Token = makeToken(at.tokenKey, 'confirm', subscription);
    const Message = `You have chosen to subscribe to the topic ${TopicArn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`;
    const SubscribeURL = linkTo(CONFIRM_PATH, 'confirm', subscription, at);
    return { headers, body: JSON.stringify({ Type: kind, MessageId: id, Token, TopicArn, Message, SubscribeURL, Timestamp }, null, 2) };
  }
  const known = { ...headers, 'x-amz-sns-subscription-arn': subscriptionArn(subscription) };
  if (isRaw) return { headers: { ...known, 'x-amz-sns-rawdelivery': 'true' }, body: message.text };
  const UnsubscribeURL = linkTo(UNSUBSCRIBE_PATH, 'unsubscribe', subscription, at);
  const Subject = message.subject;
  const body = {
    Type: kind,
    MessageId: id,
    TopicArn,
    ...(Subject === undefined ? {} : { Subject }),
    Message: message.text,
    Timestamp,
    UnsubscribeURL,
  };
  return { headers: known, body: JSON.stringify(body, null, 2) };
}
