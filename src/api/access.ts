/**
 * What a call needs to be allowed.
 *
 * `http/` asks (`Authorize` in `operation.ts`) once for each call, after its input was read and before its operation decides anything; what is refused
 * there has changed nothing and looked nothing up for the caller.
 * Source: IAM User Guide, "Policy evaluation logic"; cloudtrail.md §14.
 */
import type { AccountId } from '../event/types.ts';

/** One action on one resource. A call with several requests needs all of them. */
export interface AccessRequest {
  /** IAM action, such as `cloudtrail:StopLogging`. */
  readonly action: string;
  /** ARN, or `*` where the action knows no resource. It may name what does not exist: the answer is the same. */
  readonly resource: string;
  /** Condition keys beside those of every call and of the resource, in lower case, such as `aws:requesttag/team`. */
  readonly context?: ReadonlyMap<string, readonly string[]>;
  /** What `FindResource` finds of the resource, where the operation has read it already. Absent: the choke point asks. */
  readonly found?: ResourceAccess;
}

/** What is known of a resource itself, whatever a call wants to do with it. */
export interface ResourceAccess {
  /** The resource that is meant, where its name leads to another one, such as an alias to its key. Absent: the one that was named. */
  readonly arn?: string;
  /**
   * The account that owns the resource, where another account's may be reached. Absent: the caller's; what belongs to others is
   * then out of reach whatever policies say, for operations look everything up under the caller's account.
   */
  readonly owner?: AccountId;
  /** The policy on the resource itself, as JSON; absent where it has none, or one that does not count for this caller and action. */
  readonly policy?: string;
  /** Nothing but the resource's own policy opens it, such as a KMS key or a role that is to be assumed. */
  readonly isPolicyRequired?: boolean;
  /** Condition keys that the resource brings, in lower case, such as `aws:resourcetag/team`. */
  readonly context?: ReadonlyMap<string, readonly string[]>;
}

/**
 * Why a call was let through or refused: the statement that decided, as it was then.
 *
 * Kept with the call's own event, so that it can be asked for when the policies are long other ones.
 */
export interface AccessDecision {
  readonly action: string;
  readonly resource: string;
  readonly outcome: 'allowed' | 'denied' | 'not-allowed';
  /** Such as `identity-based policy`; of a call that nothing allowed the kind of policy that had to. */
  readonly policyType: string;
  /** What the policy is called; absent where nothing allowed. */
  readonly policy?: string;
  /** Its `Sid`, or its place. */
  readonly statement?: string;
}
