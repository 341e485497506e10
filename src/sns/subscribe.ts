/**
 * `Subscribe`: a URL or a mailbox, which has to confirm, or a queue, whose own policy decides what it takes.
 *
 * One that is there already is answered as if it were made now; who has not confirmed is asked again.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { isMailAddress } from '../store/mailer.ts';
import { readQueueArn } from '../store/queues.ts';
import { changesOfEnd } from './end-subscription.ts';
import { findTopic, topicRequest } from './find-topic.ts';
import { countRequest } from './mail-requests.ts';
import { invalid, readTopicId } from './read-input.ts';
import { commitChanges, recordChange } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import {
  isMailed,
  isOver,
  liveSubscriptions,
  ownedSubscriptionKey,
  SUBSCRIPTIONS_MAX,
  type Subscription,
  subscriptionArn,
  subscriptionId,
  subscriptionKey,
  subscriptionsKey,
} from './subscription.ts';
import { readSubscriptionAttributes, readTruth } from './subscription-attributes.ts';
import { topicArn } from './topic.ts';

const ENDPOINT_LENGTH_MAX = 2_048;
const PENDING = 'pending confirmation';

export function subscribe(deps: SnsDeps): Operation<SnsInput, { readonly SubscriptionArn: string }> {
  return {
    name: 'Subscribe',
    isReadOnly: false,
    access: (_call, input) => {
      const context = new Map([
        ['sns:protocol', [input['Protocol'] ?? '']],
        ['sns:endpoint', [input['Endpoint'] ?? '']],
      ]);
      return [topicRequest(input, 'sns:Subscribe', context)];
    },
    decide: async (call, input) => {
      const wanted = await readSubscription(deps, call, input);
      const isArnWanted = readTruth('ReturnSubscriptionArn', input['ReturnSubscriptionArn'] ?? 'false');
      const key = subscriptionKey(wanted);
      const stored = await deps.catalog.get<Subscription>(key);
      const existing = stored === undefined || isOver(stored.value, call.receivedAtMs) ? undefined : stored.value;
      if (existing !== undefined && existing.isRaw !== wanted.isRaw)
        throw invalid('Attributes Reason: Subscription already exists with different attributes');
      const subscription = existing ?? wanted;
      const said = subscription.confirmed === undefined && !isArnWanted ? PENDING : subscriptionArn(subscription);
      const { protocol, endpoint, topic } = wanted;
      const recorded = {
        output: { SubscriptionArn: said },
        requestParameters: { topicArn: topicArn(topic), protocol, endpoint },
        responseElements: { subscriptionArn: said },
      };
      // What still waits for one that ended is no request to confirm the new one.
      const isWaiting = existing !== undefined && deps.deliveries.waiting(existing) > 0;
      const isAsked = subscription.confirmed === undefined && !isWaiting;
      const ask = async () => (isAsked ? askToConfirm(deps, call, subscription) : undefined);
      const { owner } = subscription;
      const counted =
        isAsked && isMailed(subscription) ? [await countRequest(deps, { owner, address: endpoint, nowMs: call.receivedAtMs })] : [];
      if (existing !== undefined)
        return {
          ...recorded,
          apply: async () => {
            await commitChanges(deps, subscriptionArn(existing), counted);
            await ask();
          },
        };
      const others = await liveSubscriptions(deps.catalog, topic, call.receivedAtMs);
      if (others.length >= SUBSCRIPTIONS_MAX)
        throw new ApiError('SubscriptionLimitExceeded', `The topic has ${SUBSCRIPTIONS_MAX} subscriptions, as many as it may.`, {
          status: 403,
        });
      return {
        ...recorded,
        apply: async () => {
          await dropOver(deps, call, wanted);
          await recordChange(deps, {
            by: call,
            event: 'Subscribe',
            topic,
            resource: subscriptionArn(wanted),
            key,
            before: stored,
            after: wanted,
            along: [{ key: ownedSubscriptionKey(wanted), value: {}, expected: 'any' }, ...counted],
          });
          await ask();
        },
      };
    },
  };
}

/** @throws ApiError InvalidParameter, NotFound */
async function readSubscription(deps: SnsDeps, call: Call, input: SnsInput): Promise<Subscription> {
  const topic = readTopicId(input);
  const { protocol, endpoint } = readEndpoint(deps, input);
  const { isRaw = false } = readSubscriptionAttributes(input, protocol);
  const { value } = await findTopic(deps, input);
  const id = subscriptionId(value, { owner: call.account, protocol, endpoint });
  return {
    topic,
    id: id.id,
    owner: call.account,
    principal: call.principal.arn,
    protocol,
    endpoint,
    isRaw,
    createdAtMs: call.receivedAtMs,
    ...(protocol === 'sqs' ? { confirmed: 'by-call' } : {}),
  };
}

function readEndpoint({ hasQueues, hasMailer }: SnsDeps, input: SnsInput): Pick<Subscription, 'protocol' | 'endpoint'> {
  const { Protocol: protocol = '', Endpoint: endpoint = '' } = input;
  switch (protocol) {
    case 'http':
    case 'https': {
      const isOne = endpoint.length <= ENDPOINT_LENGTH_MAX && endpoint.startsWith(`${protocol}://`) && URL.canParse(endpoint);
      if (!isOne) throw invalid(`Endpoint must be a URL of at most ${ENDPOINT_LENGTH_MAX} characters that begins with ${protocol}://`);
      const { username, password, hash } = new URL(endpoint);
      if (username !== '' || password !== '' || hash !== '') throw invalid('Endpoint must have no user, password or fragment');
      return { protocol, endpoint };
    }
    case 'sqs':
      if (!hasQueues) throw invalid('Protocol sqs is not available: no SQS is configured here (`delivery.sqs`)');
      if (readQueueArn(endpoint) === undefined) throw invalid('Endpoint must be the ARN of an SQS queue that is not FIFO');
      return { protocol, endpoint };
    case 'email':
    case 'email-json':
      if (!hasMailer) throw invalid(`Protocol ${protocol} is not available: no SMTP server is configured here (\`delivery.smtp\`)`);
      if (!isMailAddress(endpoint)) throw invalid('Endpoint must be one mail address in ASCII, such as ann@example.com');
      return { protocol, endpoint };
    default:
      throw invalid(
        `Protocol \`${protocol.slice(0, 50)}\` is not supported by this installation; it has http, https, sqs, email and email-json`,
      );
  }
}

/** What nobody confirmed in time goes when others come. */
async function dropOver(deps: SnsDeps, call: Call, { topic, id }: Subscription): Promise<void> {
  const all = await deps.catalog.list<Subscription>(subscriptionsKey(topic));
  const over = all.filter(({ value }) => value.id !== id && isOver(value, call.receivedAtMs));
  if (over.length > 0) await deps.catalog.commit(over.flatMap(({ value }) => changesOfEnd(deps, value)));
}

async function askToConfirm({ deliveries, chance }: SnsDeps, call: Call, subscription: Subscription): Promise<void> {
  const message = { kind: 'SubscriptionConfirmation', id: chance.uuid(), atMs: call.receivedAtMs, text: '' } as const;
  await deliveries.enqueue([{ subscription, message }]);
}
