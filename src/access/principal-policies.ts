/**
 * What is known of a caller when its calls are to be allowed: its policies, its tags, its session and its organization.
 *
 * The interface between those who keep identities and organizations and `authorize.ts`, which joins what they say. Nothing
 * here decides anything.
 * Source: IAM User Guide, "Policy types", "AWS global condition context keys"; cloudtrail.md §14.
 */
import type { Principal } from '../api/operation.ts';
import type { EpochMs } from '../event/types.ts';

/** One policy that is attached to somebody. */
export interface PolicyDocument {
  /** For people and for `access explain`: the ARN of a managed policy, or such as `inline policy Deploy of user alice`. */
  readonly name: string;
  /** The JSON, as it was checked by `parsePolicy` when it was put. */
  readonly document: string;
}

/** What decides about the calls of one principal besides the resources' own policies. */
export interface PrincipalPolicies {
  /** Of the user with its groups, or of the role: inline and attached. Of a root: none, it needs none. */
  readonly identity: readonly PolicyDocument[];
  readonly boundary?: PolicyDocument;
  /** Session policies that were given when the session was made. Absent: none was given. An empty list allows nothing. */
  readonly session?: readonly PolicyDocument[];
  /**
   * Service control policies by level, from the organization's root down to the account; each level must allow. None outside
   * of an organization, in its management account, and for service-linked roles.
   */
  readonly serviceControl: readonly (readonly PolicyDocument[])[];
  /** `aws:PrincipalTag/…`: those of the user or role, with the session's own in their place. Keys with their case. */
  readonly tags: ReadonlyMap<string, string>;
  /** Of an assumed role's session. */
  readonly roleArn?: string;
  readonly sessionIssuedAtMs?: EpochMs;
  /** When the session's caller showed its second factor. Temporary keys without one: absent. */
  readonly mfaAuthenticatedAtMs?: EpochMs;
  readonly sourceIdentity?: string;
  /** `aws:FederatedProvider`: the issuer that a web identity came from. */
  readonly federatedProvider?: string;
  /** Such as `o-exampleorgid`; absent outside of an organization. */
  readonly organizationId?: string;
  /** `aws:PrincipalOrgPaths`, such as `o-exampleorgid/r-ab12/ou-ab12-11111111/`. */
  readonly organizationPath?: string;
}

/**
 * Finds them for a caller, as they are now: a change that was answered holds for the next call.
 *
 * Answers the very same object as long as nothing of it changed, for what is compiled of it is kept with it. So it is cached on
 * the other side of this interface, which knows of changes. A principal that is gone, or whose session was revoked, has no
 * policies: it may do nothing.
 */
export type FindPrincipalPolicies = (principal: Principal) => PrincipalPolicies | Promise<PrincipalPolicies>;
