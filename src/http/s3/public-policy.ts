/**
 * Whether a bucket's policy opens it to everybody, and whether that counts.
 *
 * Source: S3 User Guide, "Blocking public access to your Amazon S3 storage".
 */
import { isPublicPolicy } from '../../policy/is-public-policy.ts';
import { parsePolicy } from '../../policy/parse-policy.ts';
import type { Bucket } from '../../store/objects.ts';

/** Whether the bucket's policy gives nothing to other accounts, because it would give something to everybody. */
export function isRestricted(bucket: Bucket | undefined): boolean {
  return bucket?.publicAccessBlock?.restrictPublicBuckets === true && bucket.policy !== undefined && isPublic(bucket.policy);
}

/** A policy that cannot be read allows nothing. */
export function isPublic(policy: string): boolean {
  const parsed = parsePolicy(policy);
  return parsed.kind === 'policy' && isPublicPolicy(parsed.policy);
}
