/**
 * The condition keys that every call has: who calls, from where, how and when.
 *
 * What an operation adds (tags, encryption context, S3's headers) comes with its requests. A key that does not apply to a
 * caller is absent, as the service has it: a lasting key has no token's age and no second factor.
 * Source: IAM User Guide, "AWS global condition context keys".
 */
import type { Call, Principal } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { PolicyContext } from '../policy/policy-pattern.ts';
import type { PrincipalPolicies } from './principal-policies.ts';

const TYPES: Readonly<Record<Principal['type'], string>> = {
  Root: 'Account',
  IAMUser: 'User',
  AssumedRole: 'AssumedRole',
  // Whoever asks with a token has no keys yet.
  WebIdentityUser: 'Anonymous',
};

/** @returns values by key in lower case. */
export function requestContext(call: Call, policies: PrincipalPolicies): PolicyContext {
  const { principal, receivedAtMs } = call;
  const context = new Map<string, readonly string[]>([
    ['aws:currenttime', [formatEventTime(receivedAtMs)]],
    ['aws:epochtime', [`${Math.floor(receivedAtMs / 1000)}`]],
    ['aws:sourceip', [call.sourceIpAddress]],
    ['aws:useragent', [call.userAgent]],
    ['aws:securetransport', [`${call.isSecure ?? false}`]],
    ['aws:requestedregion', [call.region]],
    ['aws:principalarn', [policies.roleArn ?? principal.arn]],
    ['aws:principalaccount', [principal.account]],
    ['aws:principaltype', [TYPES[principal.type]]],
    ['aws:principalisawsservice', ['false']],
    ['aws:viaawsservice', ['false']],
    ['aws:userid', [principal.principalId]],
  ]);
  if (principal.type === 'IAMUser' && principal.userName !== undefined) context.set('aws:username', [principal.userName]);
  for (const [key, value] of policies.tags) context.set(`aws:principaltag/${key.toLowerCase()}`, [value]);
  addSession(context, receivedAtMs, policies);
  if (policies.organizationId !== undefined) context.set('aws:principalorgid', [policies.organizationId]);
  if (policies.organizationPath !== undefined) context.set('aws:principalorgpaths', [policies.organizationPath]);
  return context;
}

function addSession(context: Map<string, readonly string[]>, nowMs: number, policies: PrincipalPolicies): void {
  const { sessionIssuedAtMs, mfaAuthenticatedAtMs, sourceIdentity, federatedProvider } = policies;
  if (sessionIssuedAtMs !== undefined) {
    context.set('aws:tokenissuetime', [formatEventTime(sessionIssuedAtMs)]);
    context.set('aws:multifactorauthpresent', [`${mfaAuthenticatedAtMs !== undefined}`]);
  }
  if (mfaAuthenticatedAtMs !== undefined)
    context.set('aws:multifactorauthage', [`${Math.max(0, Math.floor((nowMs - mfaAuthenticatedAtMs) / 1000))}`]);
  if (sourceIdentity !== undefined) context.set('aws:sourceidentity', [sourceIdentity]);
  if (federatedProvider !== undefined) context.set('aws:federatedprovider', [federatedProvider]);
}
