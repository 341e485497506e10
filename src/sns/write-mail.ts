/**
 * What is mailed to a subscriber.
 *
 * Its links lead to pages for people, which ask once more before they do anything: many mail servers open every link they see.
 * Source: SNS Developer Guide, "Email notifications".
 */
import type { Mail } from '../store/mailer.ts';
import { type Subscription, subscriptionArn } from './subscription.ts';
import { type LinkDeps, linkTo, type MessageDeps, type WaitingMessage, writeMessage } from './subscription-message.ts';
import { type Topic, topicArn } from './topic.ts';

/** Pages that a mail links to. */
export const CONFIRM_PAGE = '/sns/confirm-subscription.html';
export const UNSUBSCRIBE_PAGE = '/sns/unsubscribe.html';

export async function writeMail(
  subscription: Subscription,
  message: WaitingMessage,
  { topic, at }: { readonly topic: Topic; readonly at: MessageDeps },
): Promise<Mail> {
  const { endpoint, protocol, id } = subscription;
  // A mail for people is never the bare message: they would not find the way out.
  const { headers, body } = await writeMessage(subscription, message, { topic, at });
  const isAsking = message.kind === 'SubscriptionConfirmation';
  return {
    to: endpoint,
    ...(topic.displayName === '' ? {} : { fromName: topic.displayName }),
    subject: isAsking ? 'Please confirm your subscription' : (message.subject ?? 'Notification message'),
    text: protocol === 'email-json' ? body : isAsking ? confirmationText(subscription, at) : notificationText(subscription, message, at),
    id: `${message.id}.${id}`,
    atMs: message.atMs,
    headers,
  };
}

function confirmationText(subscription: Subscription, at: LinkDeps): string {
  return [
    'Somebody, probably you, wants this address to get the messages of the topic',
    topicArn(subscription.topic),
    '',
    'To confirm it, follow this link within three days:',
    linkTo(CONFIRM_PAGE, 'confirm', subscription, at),
    '',
    'If you do not know of this, do nothing: without your confirmation no message will follow.',
  ].join('\n');
}

function notificationText(subscription: Subscription, message: WaitingMessage, at: LinkDeps): string {
  return [
    message.text,
    '',
    '--',
    `You get this because you are subscribed to ${topicArn(subscription.topic)} (${subscriptionArn(subscription)}).`,
    'To end it, follow this link:',
    linkTo(UNSUBSCRIBE_PAGE, 'unsubscribe', subscription, at),
  ].join('\n');
}
