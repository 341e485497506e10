/**
 * A change that makes the record smaller, and who is for it: the document, its place, how clients see it.
 *
 * Delivery alone can be made smaller: history, journal and evidence tree go on whatever is approved (P17).
 * States: `pending` → `approved` → `used`, or `rejected`. A state that is over at a time ends there without another write.
 * Source: reliability.md P17, A19–A23.
 */
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { Principal } from '../api/operation.ts';
import type { AccountId, EpochMs, JsonObject, Region } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';

/** How long a change waits for its approval, and how long an approved one may be carried out. */
const PENDING_MS = 7 * 24 * 3_600_000;
const GRANT_MS = 24 * 3_600_000;
/** Most changes of an account that wait at a time: a caller cannot fill the catalog with them. */
export const PENDING_MAX = 100;

/** As it is kept, at `approvalKey`. */
export interface Approval {
  /** `apr-` and 32 hexadecimal digits: of what is asked for, by whom, and what gets smaller: asking again is the same approval. */
  readonly id: string;
  readonly account: AccountId;
  readonly region: Region;
  readonly eventSource: string;
  readonly eventName: string;
  readonly requestParameters: JsonObject | null;
  /** What gets smaller, as a clause. */
  readonly narrows: string;
  /** ARN of who asks. */
  readonly requestedBy: string;
  /** See `personOf`. */
  readonly requestedByPerson: string;
  readonly requestedAtMs: EpochMs;
  readonly state: 'pending' | 'approved' | 'rejected' | 'used';
  /** ARN of who approved or rejected it; absent while it is pending, and where the delay alone decides. */
  readonly decidedBy?: string;
  readonly decidedAtMs?: EpochMs;
  /** From when an approved change may be carried out. */
  readonly notBeforeMs?: EpochMs;
}

export function approvalKey(account: AccountId, id: string): CatalogKey {
  return ['approval', account, id];
}

/**
 * Who stands behind a principal: the root of an account or a user by its id, whatever key it signs with and whatever it is called; of
 * a role's session, who began its chain of roles. So nobody becomes a second person by assuming a role or by taking another name.
 */
export function personOf(principal: Principal): string {
  return principal.session?.startedBy ?? principal.principalId;
}

/** What the fact of a change of it says. */
export function approvalChange(before: Approval | undefined, after: Approval): ConfigurationChange {
  const { account, region, id } = after;
  return { resource: `arn:aws:snowtrail:${region}:${account}:approval/${id}`, account, region, before, after };
}

/** When the approval ends by itself. */
function endMs(approval: Approval): EpochMs {
  return approval.notBeforeMs === undefined ? approval.requestedAtMs + PENDING_MS : approval.notBeforeMs + GRANT_MS;
}

/** True while somebody may still decide it, or carry it out. */
export function isOpen(approval: Approval, nowMs: EpochMs): boolean {
  return (approval.state === 'pending' || approval.state === 'approved') && nowMs < endMs(approval);
}

/** As operations answer. Times are ISO 8601, UTC. */
export interface ApprovalOutput {
  readonly ApprovalId: string;
  readonly Account: string;
  readonly Region: string;
  readonly EventSource: string;
  readonly EventName: string;
  readonly RequestParameters: JsonObject | null;
  readonly Narrows: string;
  readonly RequestedBy: string;
  readonly RequestedAt: string;
  /** `expired` when its time was over first. */
  readonly State: Approval['state'] | 'expired';
  readonly DecidedBy?: string;
  readonly NotBefore?: string;
  readonly EndsAt: string;
}

export function approvalOutput(approval: Approval, nowMs: EpochMs): ApprovalOutput {
  const isOver = (approval.state === 'pending' || approval.state === 'approved') && !isOpen(approval, nowMs);
  return {
    ApprovalId: approval.id,
    Account: approval.account,
    Region: approval.region,
    EventSource: approval.eventSource,
    EventName: approval.eventName,
    RequestParameters: approval.requestParameters,
    Narrows: approval.narrows,
    RequestedBy: approval.requestedBy,
    RequestedAt: new Date(approval.requestedAtMs).toISOString(),
    State: isOver ? 'expired' : approval.state,
    ...(approval.decidedBy === undefined ? {} : { DecidedBy: approval.decidedBy }),
    ...(approval.notBeforeMs === undefined ? {} : { NotBefore: new Date(approval.notBeforeMs).toISOString() }),
    EndsAt: new Date(endMs(approval)).toISOString(),
  };
}
