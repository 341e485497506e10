/**
 * Checks the topic that a trail is to tell of its deliveries, when it is given and before each message.
 *
 * The topic's policy decides, evaluated for `cloudtrail.amazonaws.com` with the trail as its source: a topic of another account is no
 * different. One that nobody here may look at must be of the trail's own account, for whoever has the credentials of our operator
 * would else write to topics that he knows nothing of (A18).
 * Source: cloudtrail.md §7.1, §7.2, §11.2, §13.
 */
import { ApiError } from '../../api/api-error.ts';
import { evaluatePolicy, statementName } from '../../policy/evaluate-policy.ts';
import { parsePolicy } from '../../policy/parse-policy.ts';
import { withStatement } from '../../policy/with-statement.ts';
import { readTopicArn, type Topics, TopicsError } from '../../store/topics.ts';
import { CORRECTED } from '../corrected-policy.ts';
import { type Trail, type TrailId, trailArn } from '../trail.ts';

/** Member of CreateTrail and UpdateTrail. */
export interface TopicMembers {
  readonly SnsTopicName?: string;
}

/**
 * What the trail has after the call: an absent member stays, an empty one goes.
 * @throws ApiError InvalidSnsTopicNameException
 */
export function snsTopicOf(
  input: TopicMembers,
  trail: Pick<TrailId, 'account' | 'homeRegion'>,
  before?: Trail,
): { readonly snsTopicArn?: string } {
  const name = input.SnsTopicName;
  if (name === undefined) return before?.snsTopicArn === undefined ? {} : { snsTopicArn: before.snsTopicArn };
  if (name === '') return {};
  const snsTopicArn = name.startsWith('arn:') ? name : `arn:aws:sns:${trail.homeRegion}:${trail.account}:${name}`;
  if (readTopicArn(snsTopicArn) === undefined) {
    const rule = 'up to 256 letters, digits, hyphens and underscores, or the ARN of a topic that is not FIFO';
    throw new ApiError('InvalidSnsTopicNameException', `SNS Topic name is not valid: ${name.slice(0, 300)}. It has ${rule}.`);
  }
  return { snsTopicArn };
}

/** @throws ApiError InsufficientSnsTopicPolicyException */
export async function requireTopic(topics: Topics, trail: Trail): Promise<void> {
  const { snsTopicArn } = trail;
  if (snsTopicArn === undefined) return;
  const fault = await faultOfTopic(topics, trail, snsTopicArn).catch((error: unknown) => {
    if (error instanceof TopicsError) return `${error.reason}: ${error.message}.`;
    throw error;
  });
  if (fault !== undefined)
    throw new ApiError(
      'InsufficientSnsTopicPolicyException',
      `SNS Topic does not exist or the topic policy is incorrect! ${snsTopicArn}: ${fault}`,
    );
}

/**
 * Whether the topic, as it is now, lets the trail publish.
 * @returns `undefined` when it does; else what is missing, in sentences, and the statement that has it. Of another account's topic
 *   no more than that: whether it is there is not said.
 */
export async function faultOfTopic(topics: Topics, trail: TrailId, topicArn: string): Promise<string | undefined> {
  const isOwn = readTopicArn(topicArn)!.account === trail.account;
  const look = await topics.look(topicArn);
  const needed = statement(trail, topicArn);
  const add = `Its policy needs this statement: ${JSON.stringify(needed)}`;
  if (look.kind === 'unreadable' && isOwn) return undefined;
  if (look.kind !== 'there') return isOwn ? `There is no such topic. ${add}` : add;
  const fault = faultOfPolicy(look.policy, trail, topicArn);
  if (fault === undefined) return undefined;
  if (!isOwn) return add;
  const corrected = fault.isDenied ? undefined : withStatement(look.policy, needed);
  return corrected === undefined ? fault.reason : `${fault.reason} Add the statement ${needed.Sid}.${CORRECTED}${corrected}`;
}

function faultOfPolicy(policy: string | undefined, trail: TrailId, topicArn: string): TopicFault | undefined {
  if (policy === undefined) return { reason: 'The topic has no policy.', isDenied: false };
  const parsed = parsePolicy(policy);
  if (parsed.kind === 'malformed') return { reason: `Its policy cannot be read: ${parsed.reason}.`, isDenied: false };
  const verdict = evaluatePolicy(parsed.policy, {
    principal: { kind: 'service', service: 'cloudtrail.amazonaws.com' },
    action: 'sns:Publish',
    resource: topicArn,
    context: new Map([
      ['aws:sourcearn', [trailArn(trail)]],
      ['aws:sourceaccount', [trail.account]],
      ['aws:securetransport', ['true']],
      ['aws:principalisawsservice', ['true']],
      ['aws:principalservicename', ['cloudtrail.amazonaws.com']],
      ['aws:viaawsservice', ['false']],
    ]),
  });
  if (verdict.kind === 'allowed') return undefined;
  return verdict.kind === 'denied'
    ? { reason: `Statement ${statementName(verdict.statement)} denies sns:Publish to the trail ${trailArn(trail)}.`, isDenied: true }
    : { reason: 'No statement allows sns:Publish to cloudtrail.amazonaws.com.', isDenied: false };
}

interface TopicFault {
  readonly reason: string;
  /** A statement stands in the way, which no other one helps against. */
  readonly isDenied: boolean;
}

function statement(trail: TrailId, topicArn: string) {
  return {
    Sid: 'AWSCloudTrailSNSPolicy20131101',
    Effect: 'Allow',
    Principal: { Service: 'cloudtrail.amazonaws.com' },
    Action: 'SNS:Publish',
    Resource: topicArn,
    Condition: { StringEquals: { 'aws:SourceArn': trailArn(trail) } },
  };
}
