/**
 * All operations on approvals (service `snowtrail`).
 */
import type { Operation } from '../api/operation.ts';
import { decideApproval } from './decide-approval.ts';
import type { ApprovalDeps } from './guard-narrowing.ts';
import { listApprovals } from './list-approvals.ts';

export function approvalOperations(deps: ApprovalDeps): readonly Operation[] {
  return [
    listApprovals(deps),
    decideApproval(deps, { name: 'ApproveChange', state: 'approved' }),
    decideApproval(deps, { name: 'RejectChange', state: 'rejected' }),
  ] as readonly Operation[];
}
