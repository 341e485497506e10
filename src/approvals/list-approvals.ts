/**
 * `ListApprovals`: changes of the caller's account that wait or were decided; for administrators those of all accounts, if asked for.
 */
import type { Operation } from '../api/operation.ts';
import { type Approval, type ApprovalOutput, approvalOutput } from './approval.ts';
import type { ApprovalDeps } from './guard-narrowing.ts';

/** `AllAccounts` is for administrators; to others it is the own account. Oldest first. */
export function listApprovals({
  catalog,
  clock,
}: ApprovalDeps): Operation<{ readonly AllAccounts?: unknown }, { readonly Approvals: readonly ApprovalOutput[] }> {
  return {
    name: 'ListApprovals',
    isReadOnly: true,
    decide: async (call, { AllAccounts }) => {
      const isAll = AllAccounts === true && call.principal.isAdministrator;
      const found = await catalog.list<Approval>(isAll ? ['approval'] : ['approval', call.account]);
      const inOrder = found.map(({ value }) => value).sort((one, other) => one.requestedAtMs - other.requestedAtMs);
      return { output: { Approvals: inOrder.map((approval) => approvalOutput(approval, clock.nowMs())) } };
    },
  };
}
