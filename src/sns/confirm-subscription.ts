/**
 * `ConfirmSubscription`, and the same by the link in the message: who has the token got the message.
 */
import type { Operation } from '../api/operation.ts';
import type { Changer } from '../store/append-configuration.ts';
import { invalid, readTopicId } from './read-input.ts';
import { recordChange } from './record-change.ts';
import type { SnsDeps, SnsInput } from './sns-deps.ts';
import { isOver, isToken, readToken, type Subscription, subscriptionArn, subscriptionKey } from './subscription.ts';
import { readTruth } from './subscription-attributes.ts';
import { topicArn } from './topic.ts';

export function confirmSubscription(deps: SnsDeps): Operation<SnsInput, { readonly SubscriptionArn: string }> {
  return {
    name: 'ConfirmSubscription',
    isReadOnly: false,
    // Of the caller's own policies: at the topic the token decides.
    access: (_call, input) => [{ action: 'sns:ConfirmSubscription', resource: topicArn(readTopicId(input)) }],
    decide: async (call, input) => {
      const isLinkClosed = readTruth('AuthenticateOnUnsubscribe', input['AuthenticateOnUnsubscribe'] ?? 'false');
      const { arn, confirm } = await decideToConfirm(deps, input, {
        confirmed: 'by-call',
        ...(isLinkClosed ? { isLinkClosed } : {}),
      });
      return {
        output: { SubscriptionArn: arn },
        requestParameters: { topicArn: input['TopicArn']!, token: 'HIDDEN_DUE_TO_SECURITY_REASONS' },
        responseElements: { subscriptionArn: arn },
        ...(confirm === undefined ? {} : { apply: () => confirm(call) }),
      };
    },
  };
}

/** By the link in a message, which needs no signature. @returns the ARN. @throws ApiError */
export async function confirmByLink(deps: SnsDeps, { topic, token }: { readonly topic: string; readonly token: string }): Promise<string> {
  const { arn, confirm } = await decideToConfirm(deps, { TopicArn: topic, Token: token }, { confirmed: 'by-link' });
  await confirm?.({ principal: { arn: 'anonymous' }, requestId: deps.chance.uuid(), receivedAtMs: deps.clock.nowMs() });
  return arn;
}

/** @returns `confirm` where it is not confirmed yet. @throws ApiError InvalidParameter, the same for topics that are not there. */
async function decideToConfirm(
  deps: SnsDeps,
  input: SnsInput,
  as: Pick<Subscription, 'confirmed' | 'isLinkClosed'>,
): Promise<{ readonly arn: string; readonly confirm?: (by: Changer) => Promise<void> }> {
  const token = input['Token'] ?? '';
  const id = readToken(readTopicId(input), token);
  const before = id === undefined ? undefined : await deps.catalog.get<Subscription>(subscriptionKey(id));
  if (before === undefined || isOver(before.value, deps.clock.nowMs()) || !isToken(deps.tokenKey, 'confirm', before.value, token))
    throw invalid('Token');
  const arn = subscriptionArn(before.value);
  if (before.value.confirmed !== undefined) return { arn };
  const change = { event: 'ConfirmSubscription', topic: before.value.topic, resource: arn, key: subscriptionKey(before.value) };
  return { arn, confirm: (by) => recordChange(deps, { ...change, by, before, after: { ...before.value, ...as } }) };
}
