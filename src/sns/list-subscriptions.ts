/**
 * `ListSubscriptions`: the account's own in the Region; `ListSubscriptionsByTopic`: a topic's, whoever has them. 100 a page.
 */
import type { Operation } from '../api/operation.ts';
import type { CatalogKey } from '../store/catalog.ts';
import { findTopic, topicAccess } from './find-topic.ts';
import { invalid } from './read-input.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { isOver, ownedKey, type Subscription, subscriptionArn, subscriptionKey, subscriptionsKey } from './subscription.ts';
import { topicArn } from './topic.ts';

const PAGE = 100;

interface ListOutput {
  readonly Subscriptions: { readonly member: readonly Record<string, string>[] };
  readonly NextToken?: string;
}

export function listSubscriptions(deps: SnsDeps): Operation<SnsInput, ListOutput> {
  return {
    name: 'ListSubscriptions',
    isReadOnly: true,
    decide: async ({ account, region }, input) => {
      const prefix = ownedKey({ owner: account, region });
      const found = await deps.catalog.list(prefix, { ...afterToken(prefix, input), limit: PAGE });
      const all = await Promise.all(
        found.map(({ key }) => {
          const [topicAccount, name, id] = key.slice(prefix.length);
          const topic = { account: topicAccount, region, name } as Subscription['topic'];
          return deps.catalog.get<Subscription>(subscriptionKey({ topic, id: id! }));
        }),
      );
      return { output: page(deps, { prefix, keys: found.map(({ key }) => key), subscriptions: all.map((each) => each?.value) }) };
    },
  };
}

export function listSubscriptionsByTopic(deps: SnsDeps): Operation<SnsInput, ListOutput> {
  return {
    name: 'ListSubscriptionsByTopic',
    isReadOnly: true,
    access: (_call, input) => topicAccess(deps, input, 'sns:ListSubscriptionsByTopic'),
    decide: async (_call, input) => {
      const { value: topic } = await findTopic(deps, input);
      const prefix = subscriptionsKey(topic);
      const found = await deps.catalog.list<Subscription>(prefix, { ...afterToken(prefix, input), limit: PAGE });
      const output = page(deps, { prefix, keys: found.map(({ key }) => key), subscriptions: found.map(({ value }) => value) });
      return { output, requestParameters: { topicArn: topicArn(topic) } };
    },
  };
}

/** A token is the rest of the last key: below the prefix it names nothing but what the caller may list. */
function afterToken(prefix: CatalogKey, { NextToken: token }: SnsInput): { readonly after?: CatalogKey } {
  if (token === undefined) return {};
  if (!/^[A-Za-z0-9_-]{1,256}(:[A-Za-z0-9_-]{1,256}){0,2}$/.test(token)) throw invalid('NextToken is not one of this operation');
  return { after: [...prefix, ...token.split(':')] };
}

function page(
  { clock }: SnsDeps,
  {
    prefix,
    keys,
    subscriptions,
  }: { readonly prefix: CatalogKey; readonly keys: readonly CatalogKey[]; readonly subscriptions: readonly (Subscription | undefined)[] },
): ListOutput {
  const live = subscriptions.filter((each) => each !== undefined && !isOver(each, clock.nowMs())) as readonly Subscription[];
  return {
    Subscriptions: { member: live.map(shown) },
    ...(keys.length < PAGE ? {} : { NextToken: keys.at(-1)!.slice(prefix.length).join(':') }),
  };
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
