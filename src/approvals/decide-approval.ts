/**
 * `ApproveChange` and `RejectChange`: another person than the one who asks is for the change, or against it.
 *
 * Who asked may reject the own change and never approve it, with whatever key or session. An approved change can still be
 * rejected until it is carried out.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation, Principal } from '../api/operation.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import { type Approval, type ApprovalOutput, approvalChange, approvalKey, approvalOutput, isOpen, personOf } from './approval.ts';
import type { ApprovalDeps } from './guard-narrowing.ts';

interface DecideInput {
  readonly ApprovalId?: unknown;
  /** Of another account, for administrators. */
  readonly Account?: unknown;
}

export function decideApproval(
  deps: ApprovalDeps,
  { name, state }: { readonly name: 'ApproveChange' | 'RejectChange'; readonly state: 'approved' | 'rejected' },
): Operation<DecideInput, { readonly Approval: ApprovalOutput }> {
  return {
    name,
    isReadOnly: false,
    decide: async (call, input) => {
      const known = await findApproval(deps, call, input);
      const nowMs = deps.clock.nowMs();
      if (!isOpen(known.value, nowMs) || (state === 'approved' && known.value.state === 'approved')) throw refusedState(known.value, nowMs);
      if (state === 'approved') requireOther(known.value, call.principal);
      const after: Approval = {
        ...known.value,
        state,
        decidedBy: call.principal.arn,
        decidedAtMs: nowMs,
        ...(state === 'approved' ? { notBeforeMs: nowMs + (deps.rules?.delayMs ?? 0) } : {}),
      };
      const output = { Approval: approvalOutput(after, nowMs) };
      return {
        output,
        changes: [approvalChange(known.value, after)],
        responseElements: { approvalId: after.id, eventName: after.eventName, requestedBy: after.requestedBy, narrows: after.narrows },
        apply: async () => {
          try {
            await deps.catalog.commit([{ key: known.key, value: after, expected: known.version }]);
          } catch (error) {
            if (!(error instanceof CatalogConflict)) throw error;
            throw new ApiError('ConflictException', `${after.id} was decided by another call meanwhile`, { status: 409 });
          }
        },
      };
    },
  };
}

async function findApproval({ catalog }: ApprovalDeps, call: Call, input: DecideInput): Promise<CatalogDocument<Approval>> {
  const { ApprovalId: id, Account: account = call.account } = input;
  if (typeof id !== 'string' || !/^apr-[0-9a-f]{32}$/.test(id))
    throw new ApiError('ValidationException', 'ApprovalId must be `apr-` and 32 hexadecimal digits; see `snowtrail approvals list`');
  const isReachable = account === call.account || call.principal.isAdministrator;
  const found =
    isReachable && typeof account === 'string' && /^\d{12}$/.test(account)
      ? await catalog.get<Approval>(approvalKey(account as Approval['account'], id))
      : undefined;
  if (found === undefined)
    throw new ApiError('ApprovalNotFoundException', `there is no approval \`${id}\`; see \`snowtrail approvals list\``, { status: 404 });
  return found;
}

/** @throws ApiError AccessDeniedException when the caller is who asked. */
function requireOther(approval: Approval, principal: Principal): void {
  if (personOf(principal) !== approval.requestedByPerson) return;
  const message = `${principal.arn} is who asked for this change, and cannot approve it; another person must`;
  throw new ApiError('AccessDeniedException', message, { status: 403 });
}

function refusedState(approval: Approval, nowMs: number): ApiError {
  const { State } = approvalOutput(approval, nowMs);
  return new ApiError('ConflictException', `${approval.id} is ${State} already`, { status: 409 });
}
