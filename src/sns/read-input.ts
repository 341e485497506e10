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
import type { SignatureVersion, TopicId } from './topic.ts';

const POLICY_LENGTH_MAX = 30_720;
const DISPLAY_NAME_LENGTH_MAX = 100;

/** What a caller may say of a topic; absent: it does not. */
export interface TopicAttributes {
  readonly policy?: string;
  readonly displayName?: string;
  readonly signatureVersion?: SignatureVersion;
  readonly tracingConfig?: 'PassThrough';
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
  for (const { key = '', value = '' } of readList(input, 'Attributes.entry')) attributes = { ...attributes, ...readAttribute(key, value) };
  if (input['DataProtectionPolicy'] !== undefined) throw unsupported('DataProtectionPolicy');
  return attributes;
}

/** The members of a list or map, in the order of their numbers: `Tags.member` has `Key` and `Value`, that of texts only ''. */
export function readList(input: SnsInput, name: string): readonly Readonly<Record<string, string>>[] {
  const members = new Map<number, Record<string, string>>();
  for (const [parameter, text] of Object.entries(input)) {
    const match = /^\.(\d{1,4})(?:\.(\w+))?$/.exec(parameter.startsWith(name) ? parameter.slice(name.length) : '');
    if (match === null) continue;
    const number = Number(match[1]);
    members.set(number, { ...members.get(number), [match[2] ?? '']: text });
  }
  return [...members].sort(([one], [other]) => one - other).map(([, member]) => member);
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
    case 'SignatureVersion':
      if (value !== '1' && value !== '2') throw invalid('SignatureVersion must be 1 or 2');
      return { signatureVersion: value };
    case 'TracingConfig':
      if (value !== 'PassThrough') throw unsupported(`TracingConfig \`${value.slice(0, 50)}\``);
      return { tracingConfig: value };
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
  return (name === 'KmsMasterKeyId' || name === 'DeliveryPolicy' || name === 'ArchivePolicy') && value === '';
}

export function invalid(reason: string): ApiError {
  return new ApiError('InvalidParameter', `Invalid parameter: ${reason}`, { status: 400 });
}

/** An attribute that is kept and not obeyed would be a false promise. */
function unsupported(name: string): ApiError {
  return invalid(`${name} is not supported by this installation; topics have Policy, DisplayName and SignatureVersion`);
}
