/**
 * `GetSubscriptionAttributes` and `SetSubscriptionAttributes`.
 *
 * Beside what the service answers: how many messages were given up, how many wait, and why the last attempt failed, where there is
 * something to say.
 */
import type { Operation } from '../api/operation.ts';
import { findSubscription, noSubscription } from './end-subscription.ts';
import { invalid, readList } from './read-input.ts';
import { recordChange } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { isMailed, type Subscription, type SubscriptionProtocol, subscriptionArn, subscriptionKey } from './subscription.ts';
import { topicArn } from './topic.ts';

interface AttributesOutput {
  readonly Attributes: { readonly entry: readonly { readonly key: string; readonly value: string }[] };
}

export function getSubscriptionAttributes(deps: SnsDeps): Operation<SnsInput, AttributesOutput> {
  return {
    name: 'GetSubscriptionAttributes',
    isReadOnly: true,
    decide: async (call, input) => {
      const { value: subscription } = await findSubscription(deps, input);
      const { owner, topic } = subscription;
      if (call.account !== owner && call.account !== topic.account) throw noSubscription();
      const attributes = { ...attributesOf(subscription), ...(await delivery(deps, subscription)) };
      return {
        output: { Attributes: { entry: Object.entries(attributes).map(([key, value]) => ({ key, value })) } },
        requestParameters: { subscriptionArn: subscriptionArn(subscription) },
      };
    },
  };
}

export function setSubscriptionAttributes(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'SetSubscriptionAttributes',
    isReadOnly: false,
    decide: async (call, input) => {
      const before = await findSubscription(deps, input);
      const { topic, owner } = before.value;
      // The topic's owner may read it and end it, not bend it.
      if (call.account !== owner) throw noSubscription();
      const { AttributeName: name = '', AttributeValue: value = '' } = input;
      const change = readAttribute(before.value.protocol, name, value);
      const resource = subscriptionArn(before.value);
      return {
        output: {},
        requestParameters: { subscriptionArn: resource, attributeName: name, attributeValue: value },
        responseElements: null,
        apply: () =>
          recordChange(deps, {
            by: call,
            event: 'SetSubscriptionAttributes',
            topic,
            resource,
            key: subscriptionKey(before.value),
            before,
            after: { ...before.value, ...change },
          }),
      };
    },
  };
}

/** The attributes of Subscribe. @throws ApiError InvalidParameter */
export function readSubscriptionAttributes(input: SnsInput, protocol: SubscriptionProtocol): Partial<Pick<Subscription, 'isRaw'>> {
  let attributes: Partial<Pick<Subscription, 'isRaw'>> = {};
  for (const { key = '', value = '' } of readList(input, 'Attributes.entry'))
    attributes = { ...attributes, ...readAttribute(protocol, key, value) };
  return attributes;
}

/** An attribute that is kept and not obeyed would be a false promise. */
function readAttribute(protocol: SubscriptionProtocol, name: string, value: string): Pick<Subscription, 'isRaw'> {
  if (name === 'RawMessageDelivery') {
    const isRaw = readTruth(name, value);
    if (isRaw && isMailed({ protocol })) throw invalid('Attributes Reason: RawMessageDelivery is not for mail');
    return { isRaw };
  }
  throw invalid(`AttributeName ${name.slice(0, 100)} is not supported by this installation; subscriptions have RawMessageDelivery`);
}

/** A truth value in the protocol's words. @throws ApiError InvalidParameter */
export function readTruth(member: string, value: string): boolean {
  const word = value.toLowerCase();
  if (word !== 'true' && word !== 'false') throw invalid(`${member} must be true or false`);
  return word === 'true';
}

function attributesOf(subscription: Subscription): Record<string, string> {
  const { owner, principal, topic, protocol, endpoint, isRaw, confirmed } = subscription;
  return {
    SubscriptionPrincipal: principal,
    Owner: owner,
    RawMessageDelivery: String(isRaw),
    TopicArn: topicArn(topic),
    Endpoint: endpoint,
    Protocol: protocol,
    PendingConfirmation: String(confirmed === undefined),
    ConfirmationWasAuthenticated: String(confirmed === 'by-call'),
    SubscriptionArn: subscriptionArn(subscription),
  };
}

async function delivery({ deliveries }: SnsDeps, subscription: Subscription): Promise<Record<string, string>> {
  const { givenUp, error } = await deliveries.status(subscription);
  const waiting = deliveries.waiting(subscription);
  return {
    ...(givenUp === 0 ? {} : { MessagesGivenUp: String(givenUp) }),
    ...(error === undefined ? {} : { LatestDeliveryError: error }),
    ...(waiting === 0 ? {} : { MessagesWaiting: String(waiting) }),
  };
}
