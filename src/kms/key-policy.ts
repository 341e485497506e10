/**
 * Key policies: the default one, what is refused, and the operations on them.
 *
 * There is one policy, named `default`. One that would lock its own account out is refused unless the caller insists.
 * Source: KMS API Reference, GetKeyPolicy, PutKeyPolicy, ListKeyPolicies; KMS Developer Guide, "Default key policy".
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { evaluatePolicy } from '../policy/evaluate-policy.ts';
import { parsePolicy } from '../policy/parse-policy.ts';
import type { KmsDeps } from './kms-deps.ts';
import { type KmsKey, kmsKeyArn } from './kms-key.ts';
import { changeKey, type KeyInput, NOT_PENDING, onKey } from './on-key.ts';

const POLICY_NAME = 'default';

/** The account may do everything with the key, and give rights to its users and roles by their own policies. */
export function defaultKeyPolicy(account: string): string {
  const statement = {
    Sid: 'Enable IAM User Permissions',
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${account}:root` },
    Action: 'kms:*',
    Resource: '*',
  };
  return JSON.stringify({ Version: '2012-10-17', Id: 'key-default-1', Statement: [statement] }, null, 2);
}

/**
 * @param isForced The caller takes it that nobody may be able to change the policy again.
 * @throws ApiError MalformedPolicyDocumentException
 */
export function requireKeyPolicy(call: Call, text: string, isForced: boolean): void {
  const parsed = parsePolicy(text);
  if (parsed.kind === 'malformed') throw new ApiError('MalformedPolicyDocumentException', `The policy is malformed: ${parsed.reason}`);
  if (isForced) return;
  const { account, arn, session } = call.principal;
  const role = session?.role === undefined ? {} : { roleArn: session.role.arn };
  const verdict = evaluatePolicy(parsed.policy, {
    principal: { kind: 'account', account, arn, ...role },
    action: 'kms:PutKeyPolicy',
    resource: `arn:aws:kms:${call.region}:${call.account}:key/*`,
    context: new Map([['kms:calleraccount', [account]]]),
  });
  if (verdict.kind !== 'allowed')
    throw new ApiError('MalformedPolicyDocumentException', 'The new key policy will not allow you to update the key policy in the future.');
}

interface PolicyInput extends KeyInput {
  readonly PolicyName?: string;
}

export function getKeyPolicy(deps: KmsDeps): Operation<PolicyInput, object> {
  return onKey<PolicyInput, object>(deps, {
    name: 'GetKeyPolicy',
    isReadOnly: true,
    decide: async (_call, { value }, input) => {
      requireDefault(input);
      return { output: { Policy: value.policy, PolicyName: POLICY_NAME } };
    },
  });
}

export function putKeyPolicy(
  deps: KmsDeps,
): Operation<PolicyInput & { readonly Policy?: string; readonly BypassPolicyLockoutSafetyCheck?: boolean }, object> {
  return onKey<PolicyInput & { readonly Policy?: string; readonly BypassPolicyLockoutSafetyCheck?: boolean }, object>(deps, {
    name: 'PutKeyPolicy',
    isReadOnly: false,
    states: NOT_PENDING,
    decide: async (call, key, input) => {
      requireDefault(input);
      const policy = input.Policy ?? '';
      requireKeyPolicy(call, policy, input.BypassPolicyLockoutSafetyCheck ?? false);
      return {
        output: {},
        ...narrowing(key.value, policy),
        apply: () => changeKey(deps, call, 'PutKeyPolicy', key, { ...key.value, policy }),
      };
    },
  });
}

/** Whom the new policy shuts out, such as a trail, its conditions alone could tell: any other policy may need approval (A23). */
function narrowing(key: KmsKey, policy: string): { readonly narrows?: string } {
  return key.policy === policy ? {} : { narrows: `the policy of the key ${kmsKeyArn(key)}, which may let trails in, is replaced` };
}

export function listKeyPolicies(deps: KmsDeps): Operation<KeyInput, object> {
  return onKey<KeyInput, object>(deps, {
    name: 'ListKeyPolicies',
    isReadOnly: true,
    decide: async () => ({ output: { PolicyNames: [POLICY_NAME], Truncated: false } }),
  });
}

/** @throws ApiError NotFoundException */
function requireDefault({ PolicyName: name = POLICY_NAME }: PolicyInput): void {
  if (name !== POLICY_NAME) throw new ApiError('NotFoundException', 'No such policy exists');
}
