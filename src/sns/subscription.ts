/**
 * A subscription as it is kept, its ARN, and the tokens that stand for it in what is sent to its endpoint.
 *
 * It lies under its topic, whose account may be another one than the subscriber's; a second document finds it by its owner. A
 * token is an HMAC of the store's own key: it is kept nowhere, and who has not got the message cannot make it.
 * Source: SNS API Reference, "Subscribe", "ConfirmSubscription"; SNS Developer Guide, "HTTP/HTTPS endpoints".
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { Catalog, CatalogDocument, CatalogKey } from '../store/catalog.ts';
import { type TopicId, topicArn } from './topic.ts';

export type SubscriptionProtocol = 'http' | 'https' | 'sqs' | MailProtocol;
/** The text for people, or the whole message as JSON for a program that reads mail. */
export type MailProtocol = 'email' | 'email-json';

export interface SubscriptionId {
  readonly topic: TopicId;
  /** A UUID in its form. */
  readonly id: string;
}

export interface Subscription extends SubscriptionId {
  /** The account that subscribed, and the ARN of who did. */
  readonly owner: AccountId;
  readonly principal: string;
  readonly protocol: SubscriptionProtocol;
  /** URL, ARN of a queue, or address of a mailbox. */
  readonly endpoint: string;
  readonly isRaw: boolean;
  readonly createdAtMs: EpochMs;
  /** How its endpoint said that it wants the messages; until then it gets none. */
  readonly confirmed?: 'by-call' | 'by-link' | undefined;
  /** The link in a message does not end it. */
  readonly isLinkClosed?: boolean;
}

/** Most subscriptions of a topic. */
export const SUBSCRIPTIONS_MAX = 100;
/** How long the endpoint has to confirm. */
const PENDING_MS = 3 * 24 * 3600 * 1000;

/** One for each owner and endpoint, so that to subscribe again finds it. */
export function subscriptionId(
  topic: TopicId,
  { owner, protocol, endpoint }: Pick<Subscription, 'owner' | 'protocol' | 'endpoint'>,
): SubscriptionId {
  const hash = createHash('sha256')
    .update(JSON.stringify([topicArn(topic), owner, protocol, endpoint]))
    .digest('hex');
  return { topic, id: hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5') };
}

export function subscriptionArn({ topic, id }: SubscriptionId): string {
  return `${topicArn(topic)}:${id}`;
}

/** `undefined` when it is none. Untrusted. */
export function readSubscriptionArn(arn: string): SubscriptionId | undefined {
  const match = /^arn:aws:sns:([a-z0-9-]{1,32}):([0-9]{12}):([A-Za-z0-9_-]{1,256}):([0-9a-f-]{36})$/.exec(arn);
  if (match === null) return undefined;
  return { topic: { region: match[1] as Region, account: match[2] as AccountId, name: match[3]! }, id: match[4]! };
}

export function subscriptionsKey({ account, region, name }: TopicId): CatalogKey {
  return ['sns-subscription', account, region, name];
}

export function subscriptionKey({ topic, id }: SubscriptionId): CatalogKey {
  return [...subscriptionsKey(topic), id];
}

/** Where the subscriptions of an account in a Region are named; the rest of the key is the topic's account, its name, the id. */
export function ownedKey({ owner, region }: { readonly owner: AccountId; readonly region: Region }): CatalogKey {
  return ['sns-subscriber', owner, region];
}

export function ownedSubscriptionKey({ owner, topic, id }: SubscriptionId & Pick<Subscription, 'owner'>): CatalogKey {
  return [...ownedKey({ owner, region: topic.region }), topic.account, topic.name, id];
}

/** Those of a topic that are confirmed or may still be. */
export async function liveSubscriptions(
  catalog: Pick<Catalog, 'list'>,
  topic: TopicId,
  nowMs: EpochMs,
): Promise<readonly CatalogDocument<Subscription>[]> {
  return (await catalog.list<Subscription>(subscriptionsKey(topic))).filter(({ value }) => !isOver(value, nowMs));
}

/** Whether it gets mail. */
export function isMailed({ protocol }: Pick<Subscription, 'protocol'>): boolean {
  return protocol === 'email' || protocol === 'email-json';
}

/** Nobody has confirmed it in time. */
export function isOver({ confirmed, createdAtMs }: Subscription, nowMs: EpochMs): boolean {
  return confirmed === undefined && nowMs > createdAtMs + PENDING_MS;
}

/** What the holder of a token may do. */
export type TokenUse = 'confirm' | 'unsubscribe';

export function makeToken(tokenKey: Uint8Array, use: TokenUse, subscription: Subscription): string {
  const { id, createdAtMs } = subscription;
  const mac = createHmac('sha256', tokenKey)
    .update(JSON.stringify([use, subscriptionArn(subscription), createdAtMs]))
    .digest('hex');
  return `${id.replaceAll('-', '')}${mac}`;
}

/** The subscription that a token names, before it is known whether it is right. Untrusted. */
export function readToken(topic: TopicId, token: string): SubscriptionId | undefined {
  const match = /^(.{8})(.{4})(.{4})(.{4})(.{12})[0-9a-f]{64}$/.exec(token);
  return match === null || !/^[0-9a-f]+$/.test(token) ? undefined : { topic, id: match.slice(1).join('-') };
}

export function isToken(tokenKey: Uint8Array, use: TokenUse, subscription: Subscription, token: string): boolean {
  const expected = Buffer.from(makeToken(tokenKey, use, subscription));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
