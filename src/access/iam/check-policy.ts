/**
 * Checks a policy before it is stored: that it says something, is of the right sort, and not too large.
 *
 * Source: IAM API Reference, "MalformedPolicyDocument"; IAM User Guide, "IAM and AWS STS quotas": blanks do not count.
 */
import { ApiError } from '../../api/api-error.ts';
import type { AccountId } from '../../event/types.ts';
import { parsePolicy } from '../../policy/parse-policy.ts';
import { type Identities, noSuchEntity } from '../identities.ts';
import { type DocumentChange, unchanged } from '../identity-changes.ts';

/** @throws ApiError MalformedPolicyDocument */
export function checkPolicy(text: string, form: 'identity' | 'trust'): string {
  const parsed = parsePolicy(text, form);
  if (parsed.kind === 'policy') return text;
  throw new ApiError('MalformedPolicyDocument', parsed.reason, { status: 400 });
}

/** Characters that count: all but blanks. */
export function policySize(text: string): number {
  return text.replace(/\s/g, '').length;
}

/**
 * That a managed policy stays as it is while it is attached: part of the change that attaches it. Nothing for AWS's own, which never go.
 * @throws ApiError NoSuchEntity
 */
export async function policyGuard(identities: Identities, account: AccountId, arn: string): Promise<readonly DocumentChange[]> {
  const policy = await identities.findPolicy(account, arn);
  if (policy === undefined) throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
  return policy.value.account === 'aws' ? [] : [unchanged(policy)];
}
