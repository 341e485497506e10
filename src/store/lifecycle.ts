/**
 * Lifecycle rules of a bucket, and what is due by them.
 *
 * A day is over at the first midnight (UTC) after it: an object that may live for one day lives for more than one. What Object
 * Lock protects is not due, whatever a rule says, and neither is a delete marker before it: it waits until the lock ends.
 * Source: S3 User Guide, "Lifecycle configuration elements", "Expiring objects".
 */
import type { EpochMs } from '../event/types.ts';
import { isProtected, type LockTime } from './object-lock.ts';
import type { LifecycleFilter, LifecycleRule, ObjectInfo } from './objects.ts';

const DAY_MS = 24 * 3_600_000;

/** What is to be done with a version. */
export interface DueVersion {
  readonly info: ObjectInfo;
  readonly rule: LifecycleRule;
  /** `expire`: as a deletion without a version id. `remove`: this version for good. */
  readonly kind: 'expire' | 'remove';
}

/**
 * Goes through the versions of a bucket, by key, newest first within a key, and gives those that are due.
 * Versions that come while it is at work may be passed over until the next time.
 */
export async function* findDue(
  versions: AsyncIterable<ObjectInfo>,
  rules: readonly LifecycleRule[],
  time: LockTime,
): AsyncGenerator<DueVersion> {
  const active = rules.filter(({ isEnabled }) => isEnabled);
  const nowMs = time.earliestMs();
  let newer: ObjectInfo | undefined;
  let noncurrent = 0;
  let lonelyMarker: ObjectInfo | undefined;
  for await (const info of versions) {
    const isOfSameKey = newer?.key === info.key;
    if (!isOfSameKey && lonelyMarker !== undefined) yield* dueMarker(lonelyMarker, active, nowMs);
    lonelyMarker = info.isLatest && info.isDeleteMarker ? info : undefined;
    noncurrent = isOfSameKey ? noncurrent + 1 : 0;
    const rule = isProtected(info, time)
      ? undefined
      : info.isLatest
        ? active.find((each) => isExpired(each, info, nowMs))
        : isOfSameKey
          ? active.find((each) => isNoncurrentExpired(each, info, { sinceMs: newer!.modifiedAtMs, newerCount: noncurrent - 1, nowMs }))
          : undefined;
    if (rule !== undefined) yield { info, rule, kind: info.isLatest ? 'expire' : 'remove' };
    newer = info;
  }
  if (lonelyMarker !== undefined) yield* dueMarker(lonelyMarker, active, nowMs);
}

/** A delete marker before nothing. */
function* dueMarker(info: ObjectInfo, rules: readonly LifecycleRule[], nowMs: EpochMs): Generator<DueVersion> {
  const rule = rules.find(({ filter, expiration }) => {
    if (expiration === undefined || !matches(filter, info)) return false;
    if (expiration.kind === 'delete-marker') return true;
    // A marker that is old enough itself goes as well.
    return expiration.kind === 'days' && endOfDays(info.modifiedAtMs, expiration.days) <= nowMs;
  });
  if (rule !== undefined) yield { info, rule, kind: 'remove' };
}

function isExpired({ filter, expiration }: LifecycleRule, info: ObjectInfo, nowMs: EpochMs): boolean {
  if (expiration === undefined || info.isDeleteMarker || !matches(filter, info)) return false;
  if (expiration.kind === 'days') return endOfDays(info.modifiedAtMs, expiration.days) <= nowMs;
  return expiration.kind === 'date' && expiration.atMs <= nowMs;
}

/** @param sinceMs When it was replaced. @param newerCount How many that are not current are newer. */
function isNoncurrentExpired(
  { filter, noncurrentExpiration }: LifecycleRule,
  info: ObjectInfo,
  { sinceMs, newerCount, nowMs }: { readonly sinceMs: EpochMs; readonly newerCount: number; readonly nowMs: EpochMs },
): boolean {
  if (noncurrentExpiration === undefined || !matches(filter, info)) return false;
  const { days, keptCount = 0 } = noncurrentExpiration;
  return newerCount >= keptCount && endOfDays(sinceMs, days) <= nowMs;
}

function matches({ prefix = '', sizeGreaterThan, sizeLessThan }: LifecycleFilter, { key, sizeBytes }: ObjectInfo): boolean {
  const isSized = sizeGreaterThan === undefined || sizeBytes > sizeGreaterThan;
  return key.startsWith(prefix) && isSized && (sizeLessThan === undefined || sizeBytes < sizeLessThan);
}

/** Whether an upload in parts that began then is to be aborted. */
export function isUploadOver(
  rules: readonly LifecycleRule[] | undefined,
  upload: { readonly key: string; readonly initiatedAtMs: EpochMs },
  nowMs: EpochMs,
): boolean {
  return (rules ?? []).some(
    ({ isEnabled, filter, abortDays }) =>
      isEnabled &&
      abortDays !== undefined &&
      upload.key.startsWith(filter.prefix ?? '') &&
      endOfDays(upload.initiatedAtMs, abortDays) <= nowMs,
  );
}

/** The first midnight at which that many days are over. */
function endOfDays(fromMs: EpochMs, days: number): EpochMs {
  return Math.ceil((fromMs + days * DAY_MS) / DAY_MS) * DAY_MS;
}
