/**
 * Object Lock: what protects a version, and who may take that away. The stores ask here, so that no way into them, not
 * even the server's own, goes past it.
 *
 * COMPLIANCE is never shortened, loosened or removed before its time. GOVERNANCE is, or made COMPLIANCE, by who may bypass it. A legal hold
 * has no time. A protected version is not deleted; a delete marker may be placed before it, for that deletes nothing.
 *
 * Retention ends by `LockTime`, so that setting the clock does not end it: not ahead, until the server starts anew, and
 * not back.
 * Source: S3 User Guide, "Locking objects with Object Lock".
 */
import type { EpochMs } from '../event/types.ts';
import type { Clock } from './clock.ts';
import {
  type Bucket,
  type DefaultRetention,
  type ObjectInfo,
  ObjectsError,
  type ProtectionChange,
  type PutOptions,
  type Retention,
} from './objects.ts';
import { requireUnchanged } from './objects-rules.ts';

const DAY_MS = 24 * 3_600_000;

/** The two times of locks. They are one while nobody sets the clock. */
export interface LockTime {
  /** The latest time that it may be: a retention that begins now is counted from it. */
  latestMs(): EpochMs;
  /** The earliest time that it may be: a retention is over when even this is behind its end. */
  earliestMs(): EpochMs;
}

/**
 * What the clock showed when the store was opened, and runs on by the monotonic clock, is held against what it shows.
 * A machine that sleeps makes the earliest time late: locks then hold longer, until the next start.
 */
export function createLockTime(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): LockTime {
  const openedAtMs = clock.nowMs() - clock.monotonicMs();
  const runOnMs = () => Math.floor(openedAtMs + clock.monotonicMs());
  return {
    latestMs: () => Math.max(clock.nowMs(), runOnMs()),
    earliestMs: () => Math.min(clock.nowMs(), runOnMs()),
  };
}

/** What of an object protects it. */
export type Protection = Pick<ObjectInfo, 'retention' | 'legalHold'>;

/** A version is protected: nothing was changed. */
class ObjectLocked extends ObjectsError {
  override readonly name = 'ObjectLocked';
  constructor() {
    super('AccessDenied', 'Access Denied because object protected by object lock.');
  }
}

/**
 * What protects a new version: what its put asks for, else the bucket's default.
 * @throws ObjectsError InvalidRequest, InvalidArgument
 */
export function protectionOfNew({ objectLock }: Pick<Bucket, 'objectLock'>, options: PutOptions, time: LockTime): Protection {
  const { retention: wanted, legalHold } = options;
  if (objectLock === undefined) {
    if (wanted !== undefined || legalHold) throw missingConfiguration();
    return {};
  }
  if (wanted !== undefined) requireFuture(wanted, time);
  const byDefault = objectLock.default && { mode: objectLock.default.mode, untilMs: endOf(objectLock.default, time.latestMs()) };
  const retention = wanted ?? byDefault;
  return { ...(retention && { retention }), ...(legalHold !== undefined && { legalHold }) };
}

/**
 * What protects a version after the change.
 * @throws ObjectLocked, ObjectsError InvalidRequest | InvalidArgument, ChangedMeanwhile
 */
export function changedProtection(
  { objectLock }: Pick<Bucket, 'objectLock'>,
  before: Protection,
  change: ProtectionChange,
  time: LockTime,
): Protection {
  if (objectLock === undefined) throw missingConfiguration();
  requireUnchanged(before, change.expected, change);
  const { legalHold = before.legalHold } = change;
  const retention = change.retention === undefined ? before.retention : (change.retention ?? undefined);
  if (change.retention) requireFuture(change.retention, time);
  const { retention: held } = before;
  if (change.retention !== undefined && held !== undefined && isRunning(held, time)) {
    const isShorter = retention === undefined || retention.untilMs < held.untilMs;
    const isOther = retention?.mode !== held.mode;
    const mayBypass = held.mode === 'GOVERNANCE' && change.bypassGovernance === true;
    if ((isShorter || isOther) && !mayBypass) throw new ObjectLocked();
  }
  return { ...(retention && { retention }), ...(legalHold !== undefined && { legalHold }) };
}

/** @throws ObjectLocked when the version may not be deleted. */
export function requireDeletable({ retention, legalHold }: Protection, bypassGovernance: boolean, time: LockTime): void {
  if (legalHold) throw new ObjectLocked();
  if (retention === undefined || !isRunning(retention, time)) return;
  if (retention.mode === 'COMPLIANCE' || !bypassGovernance) throw new ObjectLocked();
}

/** Whether nobody may delete the version now without bypassing something. */
export function isProtected({ retention, legalHold }: Protection, time: LockTime): boolean {
  return legalHold === true || (retention !== undefined && isRunning(retention, time));
}

function isRunning({ untilMs }: Retention, time: LockTime): boolean {
  return untilMs > time.earliestMs();
}

/** Years are those of the calendar. */
function endOf(period: DefaultRetention, fromMs: EpochMs): EpochMs {
  if (period.days !== undefined) return fromMs + period.days * DAY_MS;
  const end = new Date(fromMs);
  end.setUTCFullYear(end.getUTCFullYear() + period.years!);
  return end.getTime();
}

function requireFuture({ untilMs }: Retention, time: LockTime): void {
  if (untilMs <= time.latestMs()) throw new ObjectsError('InvalidArgument', 'The retain until date must be in the future!');
}

function missingConfiguration(): ObjectsError {
  return new ObjectsError('InvalidRequest', 'Bucket is missing Object Lock Configuration');
}
