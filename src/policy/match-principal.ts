/**
 * Decides whether a statement is about the caller, and how it names it.
 *
 * The way counts: a policy that names an account hands the decision on to that account's own policies, one that names a
 * role leaves the role's boundary and the session's policies in force, and one that names a user or a session grants by itself.
 * Source: IAM User Guide, "AWS JSON policy elements: Principal", "NotPrincipal", "Policy evaluation for requests within a single account".
 */
import type { PolicyPrincipals, PolicyStatement } from './parse-policy.ts';

/** Who asks. */
export type PolicyPrincipal =
  /** A service by its name, such as `cloudtrail.amazonaws.com`. */
  | { readonly kind: 'service'; readonly service: string }
  /** Somebody with a token of an identity provider, who asks for a role. */
  | { readonly kind: 'federated'; readonly provider: string }
  | {
      readonly kind: 'account';
      readonly account: string;
      /** Of the root, the user, or the session. */
      readonly arn: string;
      /** Of a role's session: the role, with its path. */
      readonly roleArn?: string;
    };

/** How a statement names the caller, from the weakest to the strongest. */
export const GRANTS = ['account', 'role', 'direct'] as const;
export type Grant = (typeof GRANTS)[number];

/** The root of an account: `arn:aws:iam::<account>:root`. */
export function isRoot(principal: PolicyPrincipal): boolean {
  return principal.kind === 'account' && isRootOf(principal.arn, principal.account);
}

/** `undefined` when the statement is not about the caller. */
export function matchPrincipal(
  { principals, isPrincipalNegated, effect }: Pick<PolicyStatement, 'principals' | 'isPrincipalNegated' | 'effect'>,
  principal: PolicyPrincipal,
): Grant | undefined {
  if (!isPrincipalNegated) return includes(principals, principal);
  const names = namesOf(principal);
  const isListed = (name: PrincipalName) => includes(principals, name) !== undefined;
  // Who is to be spared by a denial is listed with all that it is: the account, the role and the session.
  const isSpared = effect === 'Deny' ? names.every(isListed) : names.some(isListed);
  return isSpared ? undefined : everyoneGrant(principal);
}

function includes(principals: PolicyPrincipals, principal: PolicyPrincipal): Grant | undefined {
  if (principals.kind === 'holder') return 'direct';
  if (principals.kind === 'everyone' || principals.aws.includes('*')) return everyoneGrant(principal);
  switch (principal.kind) {
    case 'service':
      return principals.service.includes(principal.service) ? 'direct' : undefined;
    case 'federated':
      return principals.federated.includes(principal.provider) ? 'direct' : undefined;
    case 'account': {
      const { account, arn, roleArn } = principal;
      if (principals.aws.includes(arn)) return 'direct';
      if (roleArn !== undefined && principals.aws.includes(roleArn)) return 'role';
      return principals.aws.some((name) => name === account || isRootOf(name, account)) ? 'account' : undefined;
    }
  }
}

/** Everyone includes the role behind a session, and not that very session. */
function everyoneGrant(principal: PolicyPrincipal): Grant {
  return principal.kind === 'account' && principal.roleArn !== undefined ? 'role' : 'direct';
}

type PrincipalName = PolicyPrincipal;

/** All that the caller is, each as a caller of its own without what stands above it. */
function namesOf(principal: PolicyPrincipal): readonly PrincipalName[] {
  if (principal.kind !== 'account') return [principal];
  const { account, arn, roleArn } = principal;
  const of = (name: string): PrincipalName => ({ kind: 'account', account: '', arn: name });
  const accountItself: PrincipalName = { kind: 'account', account, arn: '' };
  return isRoot(principal) ? [accountItself] : [accountItself, ...(roleArn === undefined ? [] : [of(roleArn)]), of(arn)];
}

function isRootOf(name: string, account: string): boolean {
  return /^arn:[a-z0-9-]+:iam::[0-9]{12}:root$/.test(name) && name.split(':')[4] === account;
}
