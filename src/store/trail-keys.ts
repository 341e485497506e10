/**
 * KMS keys of trails, as CloudTrail uses them for itself: the key's policy says whether `cloudtrail.amazonaws.com` may.
 *
 * Source: cloudtrail.md §11.1; CloudTrail User Guide, "Configure AWS KMS key policies for CloudTrail".
 */
import type { AccountId, Region } from '../event/types.ts';
import type { DataKey, DefaultEncryption } from './objects.ts';

/** What a key is wanted for. */
export interface TrailKeyUse {
  readonly account: AccountId;
  readonly trailArn: string;
  /** Encryption context. */
  readonly context: Readonly<Record<string, string>>;
}

/** What a trail is told of the key that its owner names. */
export type TrailKeyVerdict =
  | { readonly kind: 'usable'; readonly arn: string }
  /** There is none, or one of another account that does not let the trail in. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed' }
  /** It is there, and cannot be used as it is. */
  | { readonly kind: 'unusable'; readonly arn: string; readonly reason: string }
  /** @param correctedPolicy JSON of the key's policy with what is missing. */
  | { readonly kind: 'refused'; readonly arn: string; readonly reason: string; readonly correctedPolicy: string };

export interface TrailKeys {
  /** @param name Id, ARN or alias. @param region The bucket's, in which the key must be. */
  check(name: string, region: Region, use: TrailKeyUse): Promise<TrailKeyVerdict>;
  /** @throws ObjectsError `KMS.DisabledException`, `KMS.NotFoundException`, `KMS.KMSInvalidStateException`, `AccessDenied` */
  make(keyArn: string, use: TrailKeyUse): Promise<DataKey>;
  /**
   * As a bucket encrypts what is put into it without a key of its own: under the store's key, or the KMS key that its owner named.
   * @param at Whose bucket it is, and where. @throws ObjectsError as `make`
   */
  makeDefault(
    encryption: DefaultEncryption,
    at: { readonly account: AccountId; readonly region: Region },
    use: TrailKeyUse,
  ): Promise<DataKey>;
}
