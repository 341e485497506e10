/**
 * A topic as it is kept, its ARN, and the policy that it begins with.
 *
 * Source: SNS API Reference, "CreateTopic", "GetTopicAttributes"; SNS Developer Guide, "Access control".
 */
import type { Tag } from '../api/tags.ts';
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';

export interface TopicId {
  readonly account: AccountId;
  readonly region: Region;
  readonly name: string;
}

/** `1`: RSA with SHA-1; `2`: with SHA-256. */
export type SignatureVersion = '1' | '2';

export interface Topic extends TopicId {
  /** JSON, as its owner gave it. */
  readonly policy: string;
  /** Empty where none was given. */
  readonly displayName: string;
  readonly tags: readonly Tag[];
  /** How messages are signed; absent: as `1`, and nobody said so. */
  readonly signatureVersion?: SignatureVersion;
  /** Said by its owner, of what holds for all: messages are not traced. */
  readonly tracingConfig?: 'PassThrough';
  readonly createdAtMs: EpochMs;
}

/** Most topics of an account in a Region. */
export const TOPICS_MAX = 1_000;

export function topicArn({ account, region, name }: TopicId): string {
  return `arn:aws:sns:${region}:${account}:${name}`;
}

export function topicsKey({ account, region }: Omit<TopicId, 'name'>): CatalogKey {
  return ['sns-topic', account, region];
}

export function topicKey(id: TopicId): CatalogKey {
  return [...topicsKey(id), id.name];
}

/** What the service gives a topic: everything about it, to principals of its own account. */
export function defaultPolicy(id: TopicId): string {
  const actions = ['GetTopicAttributes', 'SetTopicAttributes', 'AddPermission', 'RemovePermission', 'DeleteTopic', 'Subscribe'];
  return JSON.stringify({
    Version: '2008-10-17',
    Id: '__default_policy_ID',
    Statement: [
      {
        Sid: '__default_statement_ID',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: [...actions, 'ListSubscriptionsByTopic', 'Publish'].map((action) => `SNS:${action}`),
        Resource: topicArn(id),
        Condition: { StringEquals: { 'AWS:SourceOwner': id.account } },
      },
    ],
  });
}
