/**
 * Ends a subscription: by `Unsubscribe`, by the link in a message, and with its topic. What waits for it is dropped.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { Changer } from '../store/append-configuration.ts';
import type { CatalogChange, CatalogDocument } from '../store/catalog.ts';
import { invalid } from './read-input.ts';
import { recordChange } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import {
  isOver,
  isToken,
  ownedSubscriptionKey,
  readSubscriptionArn,
  type Subscription,
  subscriptionArn,
  subscriptionKey,
} from './subscription.ts';

export function unsubscribe(deps: SnsDeps): Operation<SnsInput, object> {
  return {
    name: 'Unsubscribe',
    isReadOnly: false,
    decide: async (call, input) => {
      const before = await findSubscription(deps, input);
      const { owner, topic } = before.value;
      // The topic's owner may show anybody the door.
      if (call.account !== owner && call.account !== topic.account) throw noSubscription();
      return {
        output: {},
        requestParameters: { subscriptionArn: subscriptionArn(before.value) },
        responseElements: null,
        apply: () => end(deps, call, before),
      };
    },
  };
}

/** By the link in a message, which needs no signature. @throws ApiError */
export async function unsubscribeByLink(deps: SnsDeps, { arn, token }: { readonly arn: string; readonly token: string }): Promise<void> {
  const before = await findSubscription(deps, { SubscriptionArn: arn });
  if (!isToken(deps.tokenKey, 'unsubscribe', before.value, token)) throw noSubscription();
  if (before.value.isLinkClosed === true)
    throw new ApiError('AuthorizationError', 'the subscription asks for a signed call to unsubscribe', { status: 403 });
  await end(deps, { principal: { arn: 'anonymous' }, requestId: deps.chance.uuid(), receivedAtMs: deps.clock.nowMs() }, before);
}

/** @throws ApiError InvalidParameter, NotFound */
export async function findSubscription(deps: SnsDeps, input: SnsInput): Promise<CatalogDocument<Subscription>> {
  const arn = input['SubscriptionArn'] ?? '';
  const id = readSubscriptionArn(arn);
  if (id === undefined) throw invalid(`SubscriptionArn \`${arn.slice(0, 400)}\` is not the ARN of a subscription`);
  const found = await deps.catalog.get<Subscription>(subscriptionKey(id));
  if (found === undefined || isOver(found.value, deps.clock.nowMs())) throw noSubscription();
  return found;
}

/** Also of one that belongs to others. */
export function noSubscription(): ApiError {
  return new ApiError('NotFound', 'Subscription does not exist', { status: 404 });
}

/** All that goes with a subscription. */
export function changesOfEnd({ deliveries }: SnsDeps, subscription: Subscription): readonly CatalogChange[] {
  const keys = [subscriptionKey(subscription), ownedSubscriptionKey(subscription)];
  return [...keys.map((key) => ({ key, value: undefined, expected: 'any' as const })), ...deliveries.changesOfEnd(subscription)];
}

function end(deps: SnsDeps, by: Changer, before: CatalogDocument<Subscription>): Promise<void> {
  const { topic } = before.value;
  return recordChange(deps, {
    by,
    event: 'Unsubscribe',
    topic,
    resource: subscriptionArn(before.value),
    key: subscriptionKey(before.value),
    before,
    along: changesOfEnd(deps, before.value).slice(1),
  });
}
