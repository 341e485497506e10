/**
 * The words for a verdict: the service's own for those who are refused, ours for those who ask why.
 *
 * Source: IAM User Guide, "Troubleshoot access denied error messages"; `errorMessage` of real records.
 */
import type { AccessVerdict, PolicyKind } from './evaluate-access.ts';
import { statementName } from './evaluate-policy.ts';

const KINDS: Readonly<Record<PolicyKind, { readonly article: string; readonly words: string }>> = {
  'service-control': { article: 'a', words: 'service control policy' },
  resource: { article: 'a', words: 'resource-based policy' },
  trust: { article: 'the', words: 'role trust policy' },
  identity: { article: 'an', words: 'identity-based policy' },
  boundary: { article: 'a', words: 'permissions boundary' },
  session: { article: 'a', words: 'session policy' },
};

/** What kind of policy it is, in words. */
export function policyKindWords(kind: PolicyKind): string {
  return KINDS[kind].words;
}

/** Such as `because no identity-based policy allows the cloudtrail:StopLogging action`. */
export function refusalReason(verdict: AccessVerdict & { readonly kind: 'denied' | 'not-allowed' }, action: string): string {
  if (verdict.kind === 'not-allowed') return `because no ${KINDS[verdict.policyKind].words} allows the ${action} action`;
  const { article, words } = KINDS[verdict.by.policyKind];
  return `with an explicit deny in ${article} ${words}`;
}

/** One sentence for people: what decided, by name. */
export function explainVerdict(verdict: AccessVerdict): string {
  switch (verdict.kind) {
    case 'allowed-to-root':
      return 'Allowed: the root of an account needs no policy in it.';
    case 'allowed':
      return `Allowed by ${placeOf(verdict.by)}.`;
    case 'denied':
      return `Denied by ${placeOf(verdict.by)}.`;
    case 'not-allowed':
      return `Not allowed: no ${KINDS[verdict.policyKind].words} has a statement that allows it, and one must.`;
  }
}

function placeOf({ policyKind, policyName, statement }: (AccessVerdict & { readonly kind: 'allowed' | 'denied' })['by']): string {
  return `statement ${statementName(statement)} of ${policyName} (${KINDS[policyKind].words})`;
}
