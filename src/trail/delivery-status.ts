/**
 * What GetTrailStatus shows of a trail's deliveries, after each try. Pure.
 *
 * Source: cloudtrail.md §7.5.
 */
import type { EpochMs } from '../event/types.ts';
import type { TrailState } from './trail-state.ts';

/** Of log files and receipts, and of digests. */
type DeliveryStatus = Pick<TrailState, 'delivery' | 'digest'>;

/** A batch of log files is in the bucket. */
export function batchPut({ digest }: DeliveryStatus, nowMs: EpochMs): DeliveryStatus {
  return { delivery: { succeededAtMs: nowMs, attemptedAtMs: nowMs }, digest };
}

/** A digest is in the bucket. What held up log files does so no more. */
export function digestPut({ delivery }: DeliveryStatus, nowMs: EpochMs): DeliveryStatus {
  const { error: _, ...rest } = delivery;
  return { delivery: rest, digest: { succeededAtMs: nowMs, attemptedAtMs: nowMs } };
}

/** A receipt that names no object is in the bucket. The failure is over; only a batch counts as a delivery. */
export function markPut({ delivery, digest }: DeliveryStatus, nowMs: EpochMs): DeliveryStatus {
  const { error: _, ...rest } = delivery;
  return { delivery: { ...rest, attemptedAtMs: nowMs }, digest };
}

/**
 * A try failed. A digest that cannot be put holds up the log files that wait behind it: both show it.
 * @param failure.reason S3's code; absent for what is not shown, such as a time-out: then an earlier one stays.
 */
export function putFailed(
  { delivery, digest }: DeliveryStatus,
  failure: { readonly reason: string | undefined; readonly isDigest: boolean; readonly isHoldingUp: boolean; readonly nowMs: EpochMs },
): DeliveryStatus {
  const { reason, isDigest, isHoldingUp, nowMs } = failure;
  const shown = reason === undefined ? {} : { error: reason };
  const attempt = { attemptedAtMs: nowMs, ...shown };
  if (!isDigest) return { delivery: { ...delivery, ...attempt }, digest };
  return { delivery: isHoldingUp ? { ...delivery, ...shown } : delivery, digest: { ...digest, ...attempt } };
}
