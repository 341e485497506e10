/**
 * `ListSubscriptions`: the account's own in the Region; `ListSubscriptionsByTopic`: a topic's, whoever has them. 100 a page.
 */
import type { Operation } from '../api/operation.ts';
import type { CatalogDocument } from '../store/catalog.ts';
import { findTopic, topicRequest } from './find-topic.ts';
import { listPage } from './page.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { isOver, ownedKey, type Subscription, subscriptionArn, subscriptionKey, subscriptionsKey } from './subscription.ts';
import { topicArn } from './topic.ts';

interface ListOutput {
  readonly Subscriptions: { readonly member: readonly Record<string, string>[] };
  readonly NextToken?: string;
}

export function listSubscriptions(deps: SnsDeps): Operation<SnsInput, ListOutput> {
  return {
    name: 'ListSubscriptions',
    isReadOnly: true,
    decide: async (call, input) => {
      const { account, region } = call;
      const prefix = ownedKey({ owner: account, region });
      const { found, next } = await listPage(deps, { call, operation: 'ListSubscriptions', input }, prefix);
      const all = await Promise.all(
        found.map(({ key }) => {
          const [topicAccount, name, id] = key.slice(prefix.length);
          const topic = { account: topicAccount, region, name } as Subscription['topic'];
          return deps.catalog.get<Subscription>(subscriptionKey({ topic, id: id! }));
        }),
      );
      return { output: { Subscriptions: live(deps, all), ...next } };
    },
  };
}

export function listSubscriptionsByTopic(deps: SnsDeps): Operation<SnsInput, ListOutput> {
  return {
    name: 'ListSubscriptionsByTopic',
    isReadOnly: true,
    access: (_call, input) => [topicRequest(input, 'sns:ListSubscriptionsByTopic')],
    decide: async (call, input) => {
      const { value: topic } = await findTopic(deps, input);
      const list = { call, operation: 'ListSubscriptionsByTopic', input };
      const { found, next } = await listPage<Subscription>(deps, list, subscriptionsKey(topic));
      return { output: { Subscriptions: live(deps, found), ...next }, requestParameters: { topicArn: topicArn(topic) } };
    },
  };
}

/** Those that are there and not over. */
function live({ clock }: SnsDeps, found: readonly (CatalogDocument<Subscription> | undefined)[]): ListOutput['Subscriptions'] {
  const nowMs = clock.nowMs();
  return { member: found.flatMap((each) => (each === undefined || isOver(each.value, nowMs) ? [] : [shown(each.value)])) };
}

function shown(subscription: Subscription): Record<string, string> {
  const { owner, protocol, endpoint, topic, confirmed } = subscription;
  return {
    SubscriptionArn: confirmed === undefined ? 'PendingConfirmation' : subscriptionArn(subscription),
    Owner: owner,
    Protocol: protocol,
    Endpoint: endpoint,
    TopicArn: topicArn(topic),
  };
}
