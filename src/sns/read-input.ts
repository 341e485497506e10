/**
 * Reads what callers of SNS send: names, ARNs, attributes. All of it is untrusted.
 *
 * Source: SNS API Reference; AWS Query protocol (`Attributes.entry.N.key`).
 */
import { ApiError } from '../api/api-error.ts';
import type { AccountId, Region } from '../event/types.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import { readTopicArn } from '../store/topics.ts';
import type { SnsInput } from './sns-deps.ts';
import type { TopicId } from './topic.ts';

const ATTRIBUTES_MAX = 20;
const POLICY_LENGTH_MAX = 30_720;
const DISPLAY_NAME_LENGTH_MAX = 100;

/** What a caller may say of a topic; absent: it does not. */
export interface TopicAttributes {
  readonly policy?: string;
  readonly displayName?: string;
}

/** @throws ApiError InvalidParameter */
export function readTopicName(input: SnsInput): string {
  const name = input['Name'] ?? '';
  if (/^[A-Za-z0-9_-]{1,256}$/.test(name)) return name;
  const rule = 'A name has 1 to 256 letters, digits, hyphens and underscores; FIFO topics are not supported by this installation.';
  throw invalid(`Topic Name \`${name.slice(0, 300)}\`. ${rule}`);
}

/** @throws ApiError InvalidParameter */
export function readTopicId(input: SnsInput): TopicId {
  const arn = input['TopicArn'] ?? '';
  const parts = readTopicArn(arn);
  if (parts === undefined) throw invalid(`TopicArn \`${arn.slice(0, 300)}\` is not the ARN of a topic`);
  return { account: parts.account as AccountId, region: parts.region as Region, name: parts.name };
}

/** The attributes of CreateTopic. @throws ApiError InvalidParameter */
export function readAttributes(input: SnsInput): TopicAttributes {
  let attributes: TopicAttributes = {};
  for (let number = 1; number <= ATTRIBUTES_MAX; number++) {
    const name = input[`Attributes.entry.${number}.key`];
    if (name === undefined) break;
    attributes = { ...attributes, ...readAttribute(name, input[`Attributes.entry.${number}.value`] ?? '') };
  }
  for (const member of ['Tags.member.1.Key', 'DataProtectionPolicy', `Attributes.entry.${ATTRIBUTES_MAX + 1}.key`])
    if (input[member] !== undefined) throw unsupported(member.split('.')[0]!);
  return attributes;
}

/** One attribute. @throws ApiError InvalidParameter */
export function readAttribute(name: string, value: string): TopicAttributes {
  switch (name) {
    case 'Policy': {
      if (value.length > POLICY_LENGTH_MAX)
        throw invalid(`Policy has ${value.length} characters; at most ${POLICY_LENGTH_MAX} are allowed`);
      const parsed = parsePolicy(value);
      if (parsed.kind === 'malformed') throw invalid(`Policy statement is not valid: ${parsed.reason}`);
      return { policy: value };
    }
    case 'DisplayName':
      if (value.length > DISPLAY_NAME_LENGTH_MAX)
        throw invalid(`DisplayName has ${value.length} characters; at most ${DISPLAY_NAME_LENGTH_MAX}`);
      return { displayName: value };
    default:
      if (isOff(name, value)) return {};
      throw unsupported(name.slice(0, 100));
  }
}

/** Whether an attribute is set to what every topic here has: Terraform sets all of them. */
function isOff(name: string, value: string): boolean {
  const ofDelivery = /^(?:Application|Firehose|HTTP|Lambda|SQS)(?:(?:Success|Failure)FeedbackRoleArn|(SuccessFeedbackSampleRate))$/.exec(
    name,
  );
  if (ofDelivery !== null) return value === '' || (ofDelivery[1] !== undefined && value === '0');
  if (name === 'FifoTopic' || name === 'ContentBasedDeduplication') return value === 'false';
  return (name === 'KmsMasterKeyId' || name === 'DeliveryPolicy') && value === '';
}

export function invalid(reason: string): ApiError {
  return new ApiError('InvalidParameter', `Invalid parameter: ${reason}`, { status: 400 });
}

/** An attribute that is kept and not obeyed would be a false promise. */
function unsupported(name: string): ApiError {
  return invalid(`${name} is not supported by this installation; topics have Policy and DisplayName`);
}
