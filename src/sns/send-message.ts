/**
 * Sends one message to one subscriber.
 *
 * A URL is whatever a caller wrote: the guarded client decides whether it is reached (A80, A81), and of its answer nothing but the
 * status is told. A queue is written to with the credentials of our operator, so that its own policy must let the topic send. Mail
 * goes by the SMTP server of our operator, to whoever confirmed it.
 */
import { evaluatePolicy } from '../policy/evaluate-policy.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { type Mail, MailError, type Mailer } from '../store/mailer.ts';
import { type Outbound, OutboundFailed, OutboundRefused } from '../store/outbound.ts';
import { type Queues, QueuesError } from '../store/queues.ts';
import type { Subscription } from './subscription.ts';
import { type MessageDeps, type SentMessage, type WaitingMessage, writeMessage } from './subscription-message.ts';
import { type Topic, topicArn } from './topic.ts';
import { writeMail } from './write-mail.ts';

const TIMEOUT_MS = 15_000;
const RESPONSE_BYTES_MAX = 64 * 1024;

export interface SendDeps {
  readonly outbound: Outbound;
  /** Absent when no SQS is configured. */
  readonly queues?: Queues | undefined;
  /** Absent when no SMTP server is configured. */
  readonly mailer?: Mailer | undefined;
}

/** A message for one subscriber. */
export interface Sending {
  readonly subscription: Subscription;
  readonly topic: Topic;
  readonly message: WaitingMessage;
  readonly at: MessageDeps;
}

/** It was not taken, or nobody knows. `reason` is shown to whoever may read the subscription. */
export class NotSent extends Error {
  override readonly name = 'NotSent';
  readonly reason: string;
  /** This message will not be taken however often it is sent. */
  readonly isFinal: boolean;

  constructor(reason: string, message: string, { isFinal = false, cause }: { readonly isFinal?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause });
    this.reason = reason;
    this.isFinal = isFinal;
  }
}

/** @throws NotSent */
export async function sendMessage(deps: SendDeps, sending: Sending): Promise<void> {
  const { subscription, topic, message, at } = sending;
  switch (subscription.protocol) {
    case 'http':
    case 'https':
      return sendToUrl(deps, subscription, await writeMessage(subscription, message, { topic, at }));
    case 'sqs':
      return sendToQueue(deps, subscription, await writeMessage(subscription, message, { topic, at }));
    case 'email':
    case 'email-json':
      return sendByMail(deps, await writeMail(subscription, message, { topic, at }));
  }
}

async function sendToUrl({ outbound }: SendDeps, { endpoint }: Subscription, { headers, body }: SentMessage): Promise<void> {
  let status: number;
  try {
    const request = {
      method: 'POST' as const,
      url: endpoint,
      headers: { ...headers, 'content-type': 'text/plain; charset=UTF-8', 'user-agent': 'Snowtrail' },
      body: new TextEncoder().encode(body),
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: RESPONSE_BYTES_MAX,
    };
    status = (await outbound.send(request)).status;
  } catch (cause) {
    if (cause instanceof OutboundRefused)
      throw new NotSent('AddressRefused', `\`${endpoint}\` is not an address that messages go to`, { cause });
    // Why there was no answer would tell whoever subscribed about our network.
    if (cause instanceof OutboundFailed) throw new NotSent('NoAnswer', `\`${endpoint}\` did not answer`, { cause });
    throw cause;
  }
  if (status < 200 || status > 299) throw new NotSent(`Status${status}`, `\`${endpoint}\` answered with the status ${status}`);
}

async function sendToQueue({ queues }: SendDeps, subscription: Subscription, { body }: SentMessage): Promise<void> {
  const { endpoint } = subscription;
  if (queues === undefined) throw new NotSent('NotConfigured', `no SQS is configured for \`${endpoint}\`; set \`delivery.sqs\``);
  try {
    if (!mayReceive(await queues.policyOf(endpoint), subscription))
      throw new NotSent(
        'AccessDenied',
        `the policy of \`${endpoint}\` does not let sns.amazonaws.com send for ${topicArn(subscription.topic)}`,
      );
    await queues.send(endpoint, body);
  } catch (cause) {
    if (cause instanceof QueuesError) throw new NotSent(cause.reason, cause.message, { cause });
    throw cause;
  }
}

async function sendByMail({ mailer }: SendDeps, mail: Mail): Promise<void> {
  if (mailer === undefined) throw new NotSent('NotConfigured', 'no SMTP server is configured for mail; set `delivery.smtp`');
  try {
    await mailer.send(mail);
  } catch (cause) {
    if (cause instanceof MailError) throw new NotSent(cause.reason, cause.message, { isFinal: cause.isFinal, cause });
    throw cause;
  }
}

function mayReceive(policy: string | undefined, { topic, endpoint }: Subscription): boolean {
  if (policy === undefined) return false;
  const parsed = parsePolicy(policy);
  if (parsed.kind === 'malformed') return false;
  const verdict = evaluatePolicy(parsed.policy, {
    principal: { kind: 'service', service: 'sns.amazonaws.com' },
    action: 'sqs:SendMessage',
    resource: endpoint,
    context: new Map([
      ['aws:sourcearn', [topicArn(topic)]],
      ['aws:sourceaccount', [topic.account]],
      ['aws:securetransport', ['true']],
      ['aws:principalisawsservice', ['true']],
      ['aws:principalservicename', ['sns.amazonaws.com']],
      ['aws:viaawsservice', ['false']],
    ]),
  });
  return verdict.kind === 'allowed';
}
