/**
 * The order of every authenticated call: decide, ask for an approval where one is needed, record, apply, answer.
 *
 * The record of the call is durable before the call takes effect; a mutating call whose record cannot be made durable
 * is refused and changes nothing (F37). Refused calls are recorded with their error. When a change turns out to be
 * impossible after it was recorded, a second record with the same request id says so.
 */
import { ApiError } from '../api/api-error.ts';
import type { CallRecord } from '../api/call-record.ts';
import type { ApprovalChange } from '../api/operation.ts';
import type { HttpPorts } from './ports.ts';

/** What a call decided, as far as the order matters. */
export interface Decided<Answer> {
  /** The record of its success. */
  readonly record: CallRecord;
  /** See `Decision.narrows`. */
  readonly narrows?: string | undefined;
  /** Carries out what was decided and gives the answer. For reads there is nothing to carry out. */
  readonly apply: () => Promise<Answer> | Answer;
  /** Gives back what the decision holds when it is not carried out, such as a staged body. */
  readonly discard?: () => Promise<void>;
}

/** Who decides whether a call is allowed, who records it, and where to say that it went wrong. */
export type Recording = Pick<HttpPorts, 'authorize' | 'guard' | 'recordCall' | 'report'>;

/**
 * @param decide Checks the call; throws `ApiError` when it is refused.
 * @param recordOfRefusal The record of the call when it is refused.
 * @throws ApiError of the refusal, after it was recorded.
 */
export async function runCall<Answer>(
  recording: Recording,
  decide: () => Promise<Decided<Answer>>,
  recordOfRefusal: (error: unknown) => CallRecord,
): Promise<Answer> {
  const { recordCall, report } = recording;
  const refuse = async (error: unknown, approval?: ApprovalChange): Promise<never> => {
    const record = recordOfRefusal(error);
    const isRecorded = await recordRefusal(recording, approval === undefined ? record : { ...record, changes: approval.changes });
    if (isRecorded) await approval?.save();
    throw error;
  };

  let decided: Decided<Answer>;
  try {
    decided = await decide();
  } catch (error) {
    return refuse(error);
  }
  const { discard } = decided;
  let verdict: Awaited<ReturnType<typeof guarded<Answer>>>;
  try {
    verdict = await guarded(recording, decided);
  } catch (error) {
    await discard?.();
    return refuse(error);
  }
  if (verdict.kind === 'refused') {
    await discard?.();
    return refuse(verdict.error, verdict.asked);
  }
  const { record, apply, giveBack } = verdict;
  try {
    await recordCall(record);
  } catch (error) {
    const { requestId } = record.call;
    if (!record.isReadOnly || record.isRecordRequired === true) {
      report({ kind: 'internal', requestId, error });
      await discard?.();
      throw new ApiError('ServiceUnavailable', 'The record of this call could not be made durable, so it was not carried out. Try again.', {
        status: 503,
        cause: error,
      });
    }
    report({ kind: 'read-not-recorded', requestId, eventName: record.eventName, error });
  }
  try {
    return await apply();
  } catch (error) {
    await discard?.();
    return refuse(error, giveBack?.());
  }
}

/** What was decided, as it may be carried out: a narrowing only with its approval, which is used up by it. */
async function guarded<Answer>({ guard }: Recording, { record, narrows, apply }: Decided<Answer>) {
  if (narrows === undefined) return { kind: 'allowed' as const, record, apply, giveBack: undefined };
  const verdict = await guard({ call: record.call, record, narrows });
  if (verdict.kind === 'refused') return verdict;
  if (verdict.kind === 'free') return { kind: 'allowed' as const, record, apply, giveBack: undefined };
  const { use, giveBack } = verdict;
  const additionalEventData = { ...record.additionalEventData, ...verdict.additionalEventData };
  let isUsed = false;
  return {
    kind: 'allowed' as const,
    record: { ...record, additionalEventData, changes: [...(record.changes ?? []), ...use.changes] },
    apply: async () => {
      await use.save();
      isUsed = true;
      return apply();
    },
    /** Absent when another call used the approval first. */
    giveBack: () => (isUsed ? giveBack() : undefined),
  };
}

/**
 * Records a call that was refused. A record that cannot be made durable is reported: the call is refused all the same.
 * @returns whether it is durable.
 */
export async function recordRefusal(
  { recordCall, report }: Pick<Recording, 'recordCall' | 'report'>,
  record: CallRecord,
): Promise<boolean> {
  try {
    await recordCall(record);
    return true;
  } catch (error) {
    report({ kind: 'refusal-not-recorded', requestId: record.call.requestId, eventName: record.eventName, error });
    return false;
  }
}
