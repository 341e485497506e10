/**
 * What is sent to a subscriber, in the service's form.
 *
 * Left out are `SignatureVersion`, `Signature` and `SigningCertURL`: no certificate of this installation is one that clients trust for
 * SNS, and no key of the store signs text that callers choose.
 * Source: SNS Developer Guide, "Parsing HTTP/HTTPS message formats", "Raw message delivery".
 */
import type { EpochMs } from '../event/types.ts';
import { makeToken, type Subscription, subscriptionArn } from './subscription.ts';
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

/** @param url Where this server is, as its subscribers see it: `https://HOST`. */
export function writeMessage(
  subscription: Subscription,
  message: WaitingMessage,
  at: { readonly url: string; readonly tokenKey: Uint8Array },
): SentMessage {
  const { kind, id } = message;
  const { topic, isRaw } = subscription;
  const TopicArn = topicArn(topic);
  const Timestamp = new Date(message.atMs).toISOString();
  const headers = { 'x-amz-sns-message-type': kind, 'x-amz-sns-message-id': id, 'x-amz-sns-topic-arn': TopicArn };
  const link = (path: string, members: Readonly<Record<string, string>>) => `${at.url}${path}?${new URLSearchParams(members)}`;
  if (kind === 'SubscriptionConfirmation') {
    const Token = makeToken(at.tokenKey, 'confirm', subscription);
    const Message = `You have chosen to subscribe to the topic ${TopicArn}.\nTo confirm the subscription, visit the SubscribeURL included in this message.`;
    const SubscribeURL = link(CONFIRM_PATH, { TopicArn, Token });
    return { headers, body: JSON.stringify({ Type: kind, MessageId: id, Token, TopicArn, Message, SubscribeURL, Timestamp }, null, 2) };
  }
  const SubscriptionArn = subscriptionArn(subscription);
  const known = { ...headers, 'x-amz-sns-subscription-arn': SubscriptionArn };
  if (isRaw) return { headers: { ...known, 'x-amz-sns-rawdelivery': 'true' }, body: message.text };
  const UnsubscribeURL = link(UNSUBSCRIBE_PATH, { SubscriptionArn, Token: makeToken(at.tokenKey, 'unsubscribe', subscription) });
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
