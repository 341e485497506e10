/**
 * Synthetic events in the shape of collected CloudTrail records: the same event for the same number, without keeping any.
 *
 * 300 account-Region scopes of which the largest has 25 %, event names by their measured weight, events up to 10 minutes
 * late, 90 days. Weights come from `profile.json` of the test data; without it a small set of common calls is used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AccountId, Region } from '../src/event/types.ts';
import { testDataFolder } from '../test/support/test-data.ts';

interface Template {
  readonly eventSource: string;
  readonly eventName: string;
  readonly weight: number;
  readonly readOnly: boolean | null;
  readonly category: 'Management' | 'Data';
  readonly identity: string;
  readonly errorShare: number;
  readonly bytes: number;
}

const COMMON_CALLS: readonly Template[] = [
  ['s3.amazonaws.com', 'PutObject', 0.15, false, 'Data', 'AWSService'],
  ['kms.amazonaws.com', 'Decrypt', 0.2, true, 'Management', 'IAMUser'],
  ['sts.amazonaws.com', 'AssumeRole', 0.2, true, 'Management', 'AWSService'],
  ['s3.amazonaws.com', 'GetBucketAcl', 0.15, true, 'Management', 'AWSService'],
  ['ec2.amazonaws.com', 'DescribeInstances', 0.2, true, 'Management', 'AssumedRole'],
  ['ec2.amazonaws.com', 'RunInstances', 0.05, false, 'Management', 'AssumedRole'],
  ['iam.amazonaws.com', 'PutRolePolicy', 0.05, false, 'Management', 'IAMUser'],
].map(
  ([eventSource, eventName, weight, readOnly, category, identity]) =>
    ({ eventSource, eventName, weight, readOnly, category, identity, errorShare: 0.1, bytes: 1_300 }) as Template,
);

const REGIONS = ['us-east-1', 'eu-west-1', 'us-west-2'] as const;
const SCOPES = 300;
const DAYS_MS = 89 * 86_400_000;
const LATE_MS = 600_000;

export interface SyntheticEvent {
  readonly account: AccountId;
  readonly region: Region;
  readonly eventId: string;
  readonly receivedAtMs: number;
  /** The record's JSON. */
  readonly text: string;
}

export class SyntheticEvents {
  readonly #count: number;
  readonly #endMs: number;
  readonly #templates: readonly Template[];
  readonly #bounds: Float64Array;
  /** Whether weights come from the measured profile. */
  readonly isMeasured: boolean;

  /** @param count Events numbered 1 to `count` are spread over 89 days up to `endMs`; later ones follow at `endMs`. */
  constructor(count: number, endMs: number) {
    this.#count = count;
    this.#endMs = endMs;
    const folder = testDataFolder();
    this.isMeasured = folder !== undefined;
    this.#templates = folder === undefined ? COMMON_CALLS : readProfile(join(folder, 'profile.json'));
    let sum = 0;
    this.#bounds = Float64Array.from(this.#templates, ({ weight }) => {
      sum += weight;
      return sum;
    });
  }

  event(number: number): SyntheticEvent {
    const random = randomOf(number);
    const scope = random() < 0.25 ? 0 : Math.floor(SCOPES * random() ** 2);
    const account = String(111_000_000_000 + Math.floor(scope / REGIONS.length)) as AccountId;
    const region = REGIONS[scope % REGIONS.length]! as Region;
    const template = this.#template(random());
    const receivedAtMs = this.#endMs - Math.max(0, DAYS_MS * (1 - number / this.#count));
    const eventTime = `${new Date(receivedAtMs - random() * LATE_MS).toISOString().slice(0, 19)}Z`;
    const eventId = uuidOf(random);
    const bucket = `bucket-${account.slice(-3)}-${Math.floor(40 * random() ** 2)}`;
    const record = {
      eventVersion: '1.08',
      userIdentity: identityOf(template.identity, account, random),
      eventTime,
      eventSource: template.eventSource,
      eventName: template.eventName,
      awsRegion: region,
      sourceIPAddress: `10.${Math.floor(4 * random())}.${Math.floor(250 * random() ** 2)}.7`,
      userAgent: 'aws-sdk-java/2.20.68 Linux/5.10 OpenJDK_64-Bit_Server_VM',
      ...(random() < template.errorShare && { errorCode: 'AccessDenied', errorMessage: 'Access Denied' }),
      requestParameters: { bucketName: bucket, Host: `${bucket}.s3.${region}.amazonaws.com`, padding: '' },
      responseElements: null,
      requestID: eventId.slice(0, 16).toUpperCase(),
      eventID: eventId,
      ...(template.readOnly !== null && { readOnly: template.readOnly }),
      resources: [{ ARN: `arn:aws:s3:::${bucket}`, accountId: account, type: 'AWS::S3::Bucket' }],
      eventType: 'AwsApiCall',
      managementEvent: template.category === 'Management',
      recipientAccountId: account,
      eventCategory: template.category,
    };
    const text = JSON.stringify(record);
    const missing = Math.max(0, template.bytes - text.length);
    return { account, region, eventId, receivedAtMs, text: text.replace('"padding":""', `"padding":"${'x'.repeat(missing)}"`) };
  }

  #template(share: number): Template {
    const at = this.#bounds.findIndex((bound) => share * this.#bounds.at(-1)! <= bound);
    return this.#templates[at]!;
  }
}

function readProfile(path: string): readonly Template[] {
  const { events } = JSON.parse(readFileSync(path, 'utf8')) as { events: Record<string, never>[] };
  return events.map((event) => ({
    eventSource: event['eventSource']!,
    eventName: event['eventName']!,
    weight: event['mean_weight']!,
    readOnly: event['readOnly'] ?? null,
    category: event['category'] === 'Data' ? 'Data' : 'Management',
    identity: event['top_identity'] ?? 'IAMUser',
    errorShare: event['error_share'] ?? 0,
    bytes: event['mean_bytes']!,
  }));
}

function identityOf(type: string, account: string, random: () => number): object {
  const person = `user-${Math.floor(60 * random() ** 2)}`;
  const key = `${account.slice(-3)}${String(Math.floor(120 * random() ** 2)).padStart(4, '0')}`;
  switch (type) {
    case 'AWSService':
      return { type, invokedBy: 'cloudtrail.amazonaws.com' };
    case 'AssumedRole':
      return {
        type,
        principalId: `AROAEXAMPLEROLEID0000:${person}`,
        arn: `arn:aws:sts::${account}:assumed-role/Admin/${person}`,
        accountId: account,
        accessKeyId: `ASIAEXAMPLE00${key}`,
      };
    case 'Root':
      return { type, principalId: account, arn: `arn:aws:iam::${account}:root`, accountId: account, accessKeyId: `ASIAROOT00000${key}` };
    default:
      return {
        type: 'IAMUser',
        principalId: 'AIDAEXAMPLEUSERID0000',
        arn: `arn:aws:iam::${account}:user/${person}`,
        accountId: account,
        accessKeyId: `AKIAEXAMPLE00${key}`,
        userName: person,
      };
  }
}

function uuidOf(random: () => number): string {
  const hex = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Numbers from 0 to 1 that `seed` decides (Mulberry32). */
export function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
