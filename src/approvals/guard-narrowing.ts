/**
 * Holds back a change that makes the record smaller until it is approved and its delay is over.
 *
 * The caller is refused with the id of an approval; once that is granted, the caller sends the same call again, and it is carried
 * out once. Nothing is carried out later on its own: who asked is there, and the checks of the call are made anew.
 * Source: reliability.md P17.
 */
import { ApiError } from '../api/api-error.ts';
import type { ApprovalChange, Guard, Narrowing } from '../api/operation.ts';
import { type Catalog, CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import { type Approval, approvalChange, approvalKey, isOpen, PENDING_MAX, personOf } from './approval.ts';

/** What the operator asks for. Absent settings of the server: every change is free. */
export interface ApprovalRules {
  /** Persons that a change needs, its caller among them. */
  readonly persons: 1 | 2;
  /** Between the approval (or the first call, where one person suffices) and the earliest time it may be carried out. */
  readonly delayMs: number;
}

export interface ApprovalDeps {
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'commit'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly rules: ApprovalRules | undefined;
  readonly sha256: Sha256;
}

export function guardNarrowing(deps: ApprovalDeps): Guard {
  const { catalog, clock, rules } = deps;
  return async (narrowing) => {
    if (rules === undefined) return { kind: 'free' };
    const nowMs = clock.nowMs();
    const asked = newApproval(deps.sha256, narrowing, rules, nowMs);
    const key = approvalKey(asked.account, asked.id);
    const known = await catalog.get<Approval>(key);
    const approval = known !== undefined && isOpen(known.value, nowMs) ? known.value : asked;
    if (known !== undefined && approval.state === 'approved' && nowMs >= approval.notBeforeMs!) return granted(deps, known);
    const error = refusal(narrowing, approval);
    return approval === asked ? { kind: 'refused', error, asked: await ask(deps, approval, known) } : { kind: 'refused', error };
  };
}

function newApproval(sha256: Sha256, { call, record, narrows }: Narrowing, rules: ApprovalRules, nowMs: number): Approval {
  const { eventSource, eventName, requestParameters } = record;
  const what = JSON.stringify([call.account, call.region, call.principal.arn, eventSource, eventName, requestParameters, narrows]);
  return {
    id: `apr-${toHex(sha256(utf8(what))).slice(0, 32)}`,
    account: call.account,
    region: call.region,
    eventSource,
    eventName,
    requestParameters,
    narrows,
    requestedBy: call.principal.arn,
    requestedByPerson: personOf(call.principal),
    requestedAtMs: nowMs,
    ...(rules.persons === 1 ? { state: 'approved', decidedAtMs: nowMs, notBeforeMs: nowMs + rules.delayMs } : { state: 'pending' }),
  };
}

/** @throws ApiError ThrottlingException */
async function ask(
  { catalog, clock }: ApprovalDeps,
  approval: Approval,
  before: CatalogDocument<Approval> | undefined,
): Promise<ApprovalChange> {
  const nowMs = clock.nowMs();
  const all = await catalog.list<Approval>(['approval', approval.account]);
  const over = all.filter(({ value }) => !isOpen(value, nowMs) && value.id !== approval.id);
  if (all.length - over.length >= PENDING_MAX)
    throw new ApiError('ThrottlingException', `${PENDING_MAX} changes of this account wait for approval; decide some of them first`);
  const key = approvalKey(approval.account, approval.id);
  // What is over has its record in the journal. A thousand at a time are kept for who looks at the list.
  const forgotten = over
    .slice(0, Math.max(0, over.length - 1_000))
    .map((each) => ({ key: each.key, value: undefined, expected: each.version }));
  return {
    changes: [approvalChange(before?.value, approval)],
    save: async () => {
      try {
        await catalog.commit([{ key, value: approval, expected: before?.version ?? 0 }, ...forgotten]);
      } catch (error) {
        // The same call came twice at once: one of them asked.
        if (!(error instanceof CatalogConflict)) throw error;
      }
    },
  };
}

function granted({ catalog, clock }: ApprovalDeps, known: CatalogDocument<Approval>): Awaited<ReturnType<Guard>> {
  const { key, value, version } = known;
  const used: Approval = { ...value, state: 'used' };
  return {
    kind: 'granted',
    additionalEventData: { approvalId: value.id, ...(value.decidedBy === undefined ? {} : { approvedBy: value.decidedBy }) },
    use: {
      changes: [approvalChange(value, used)],
      save: async () => {
        try {
          await catalog.commit([{ key, value: used, expected: version }]);
        } catch (error) {
          if (!(error instanceof CatalogConflict)) throw error;
          throw new ApiError('ConflictException', `the approval ${value.id} was used or changed by another call meanwhile`, {
            status: 409,
          });
        }
      },
    },
    giveBack: () =>
      isOpen(value, clock.nowMs())
        ? { changes: [approvalChange(used, value)], save: () => catalog.commit([{ key, value, expected: version + 1 }]) }
        : undefined,
  };
}

function refusal({ narrows, record }: Narrowing, approval: Approval): ApiError {
  const then = 'Then send this very call again.';
  const next =
    approval.state === 'approved'
      ? `It may be carried out from ${new Date(approval.notBeforeMs!).toISOString()}. ${then}`
      : `Another person must approve it: snowtrail approvals approve ${approval.id}. ${then}`;
  const code = record.eventSource === 'cloudtrail.amazonaws.com' ? 'OperationNotPermittedException' : deniedCode(record.eventSource);
  return new ApiError(code, `${record.eventName} was not carried out, for ${narrows}. ${next}`, {
    status: code === 'OperationNotPermittedException' ? 400 : 403,
  });
}

function deniedCode(eventSource: string): string {
  return eventSource === 's3.amazonaws.com' ? 'AccessDenied' : 'AccessDeniedException';
}
