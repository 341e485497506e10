/**
 * Joins all policies that decide one request, as the service does, and says which statement decided.
 *
 * A statement that denies, wherever it is, wins. Then each level of service control policies must allow. Within one account
 * the resource's policy or the caller's own ones suffice, and what the caller's ones give is limited by its boundary and the
 * session's policies; across accounts both sides must allow. What the resource's policy gives to a user or a session by its
 * ARN is limited by nothing; what it gives to a role is limited by boundary and session; what it gives to an account is
 * given on by the account's own policies. The root of an account needs no policy in it, but cannot leave a service control
 * policy, nor a resource that only its own policy opens.
 *
 * Pure. Who the caller is and what it has are passed in.
 * Source: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions boundaries",
 * "Session policies"; Organizations User Guide, "SCP evaluation"; KMS Developer Guide, "Key policies".
 */
import { evaluatePolicy, type PolicyRequest } from './evaluate-policy.ts';
import { isRoot } from './match-principal.ts';
import type { Policy, PolicyStatement } from './parse-policy.ts';

/** What a policy is there for. `trust` is a role's resource policy. */
export type PolicyKind = 'service-control' | 'resource' | 'trust' | 'identity' | 'boundary' | 'session';

/** A policy and what it is called. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: Policy;
}

/** The policies of a caller. */
export interface CallerPolicies {
  readonly identity: readonly NamedPolicy[];
  readonly boundary?: NamedPolicy;
  /** Absent: no session policy was given. Empty: they allow nothing. */
  readonly session?: readonly NamedPolicy[];
  /** From the organization's root to the account; each level must allow. */
  readonly serviceControl: readonly (readonly NamedPolicy[])[];
}

export interface AccessQuestion extends PolicyRequest {
  /** Absent for a service or a federated caller: then the resource's policy alone decides. */
  readonly caller?: CallerPolicies;
  /** The account that owns the resource. */
  readonly owner: string;
  readonly resourcePolicy?: NamedPolicy;
  /** Nothing opens the resource but its own policy: a KMS key, a role that is to be assumed. */
  readonly isPolicyRequired?: boolean;
}

/** The statement that decided, and where it is. */
export interface DecidingStatement {
  readonly policyKind: PolicyKind;
  readonly policyName: string;
  readonly statement: PolicyStatement;
}

export type AccessVerdict =
  | { readonly kind: 'allowed'; readonly by: DecidingStatement }
  /** The root of the account may do everything in it. */
  | { readonly kind: 'allowed-to-root' }
  | { readonly kind: 'denied'; readonly by: DecidingStatement }
  /** No statement of this kind allows it, and one had to. */
  | { readonly kind: 'not-allowed'; readonly policyKind: PolicyKind };

const NONE: CallerPolicies = { identity: [], serviceControl: [] };

export function evaluateAccess(question: AccessQuestion): AccessVerdict {
  const { principal, caller = NONE, owner, isPolicyRequired = false } = question;
  const resourceKind: PolicyKind = question.action.toLowerCase().startsWith('sts:') ? 'trust' : 'resource';
  const of = (policyKind: PolicyKind, policies: readonly NamedPolicy[]) => ask(question, policyKind, policies);

  const serviceControl = caller.serviceControl.map((level) => of('service-control', level));
  const resource = of(resourceKind, question.resourcePolicy === undefined ? [] : [question.resourcePolicy]);
  const identity = of('identity', caller.identity);
  const boundary = caller.boundary === undefined ? undefined : of('boundary', [caller.boundary]);
  const session = caller.session === undefined ? undefined : of('session', caller.session);

  const answers = [...serviceControl, resource, identity, boundary, session];
  const denying = answers.find((answer) => answer?.denied !== undefined)?.denied;
  if (denying !== undefined) return { kind: 'denied', by: denying };

  if (principal.kind !== 'account')
    return resource.allowed === undefined ? { kind: 'not-allowed', policyKind: resourceKind } : { kind: 'allowed', by: resource.allowed };
  const closed = serviceControl.find((level) => level.allowed === undefined);
  if (closed !== undefined) return { kind: 'not-allowed', policyKind: 'service-control' };

  const isOwn = principal.account === owner;
  if (isOwn && resource.allowed === undefined && isPolicyRequired) return { kind: 'not-allowed', policyKind: resourceKind };
  const isGranted = isOwn && resource.allowed !== undefined && resource.grant !== 'account';
  if (isGranted && resource.grant === 'direct') return { kind: 'allowed', by: resource.allowed! };
  if (!isRoot(principal)) {
    if (!isGranted && identity.allowed === undefined) return { kind: 'not-allowed', policyKind: 'identity' };
    for (const limit of [boundary, session])
      if (limit !== undefined && limit.allowed === undefined) return { kind: 'not-allowed', policyKind: limit.policyKind };
  }
  if (!isOwn && resource.allowed === undefined) return { kind: 'not-allowed', policyKind: resourceKind };
  const by = isOwn && !isGranted ? identity.allowed : resource.allowed;
  return by === undefined ? { kind: 'allowed-to-root' } : { kind: 'allowed', by };
}

/** What the policies of one kind say together. */
interface Answer {
  readonly policyKind: PolicyKind;
  readonly denied?: DecidingStatement;
  readonly allowed?: DecidingStatement;
  readonly grant?: 'account' | 'role' | 'direct';
}

function ask(request: PolicyRequest, policyKind: PolicyKind, policies: readonly NamedPolicy[]): Answer {
  let answer: Answer = { policyKind };
  for (const { name: policyName, policy } of policies) {
    const verdict = evaluatePolicy(policy, request);
    if (verdict.kind === 'not-allowed') continue;
    const deciding = { policyKind, policyName, statement: verdict.statement };
    if (verdict.kind === 'denied') return { policyKind, denied: deciding };
    if (answer.allowed === undefined) answer = { policyKind, allowed: deciding, grant: verdict.grant };
  }
  return answer;
}
