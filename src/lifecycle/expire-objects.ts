/**
 * Carries out the lifecycle rules of the server's buckets.
 *
 * What is due is recorded first, as an event of the bucket's owner, and then deleted: so the record tells who took an object away.
 * Beside the event, which its like could be submitted, there is a fact that only this task makes (`tlog/expiry.ts`): by it
 * `snowtrail verify` tells what expired from what was deleted.
 * What changed meanwhile stays; what Object Lock protects stays, for the store refuses it whoever asks. Time is the server's clock,
 * held against its own running, so that a clock that is set ahead expires nothing.
 * Source: S3 User Guide, "Expiring objects"; the operations `S3.EXPIRE.OBJECT` and `S3.CREATE.DELETEMARKER` of its access logs.
 */
import type { AccountId, EventResource, JsonObject, Region } from '../event/types.ts';
import type { Clock } from '../store/clock.ts';
import { findFacts } from '../store/find-expiries.ts';
import type { Journal, NewFact } from '../store/journal.ts';
import { type DueVersion, findDue } from '../store/lifecycle.ts';
import type { LockTime } from '../store/object-lock.ts';
import { type Bucket, type ObjectInfo, type Objects, ObjectsError } from '../store/objects.ts';
import { type Expiry, encodeExpiry, expiryId } from '../tlog/expiry.ts';
import { HASH_BYTES, type Sha256 } from '../tlog/hash.ts';
import { fromBase64, toHex, utf8 } from '../tlog/text.ts';

/** A start has work of its own. */
const FIRST_MS = 15 * 60_000;
/** Rules count in days. */
const INTERVAL_MS = 3_600_000;
const PAGE_LIMIT = 1_000;
/** Recorded in one go, before the first of them is deleted. */
const BATCH_MAX = 100;

/** One object that is about to go, for the record. */
export interface Expiration {
  readonly account: AccountId;
  readonly region: Region;
  readonly details: JsonObject;
  readonly resources: readonly (EventResource & { readonly account?: AccountId })[];
}

export interface ExpireDeps {
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Says what has come due: a clock that is set ahead expires nothing. */
  readonly lockTime: LockTime;
  readonly objects: Pick<Objects, 'listBuckets' | 'listVersions' | 'delete'>;
  readonly journal: Pick<Journal, 'append' | 'find'>;
  readonly sha256: Sha256;
  /** Accounts that may have buckets. */
  readonly accounts: () => readonly AccountId[];
  /** Returns once all of them are durable. */
  readonly record: (expirations: readonly Expiration[]) => Promise<void>;
  /** Told what could not be done; it is tried again. */
  readonly report: (bucket: string, error: unknown) => void;
}

/** Looks at all buckets each hour until `signal` aborts. Never throws. */
export async function expireObjects(deps: ExpireDeps, signal: AbortSignal): Promise<void> {
  for (let waitMs = FIRST_MS; ; waitMs = INTERVAL_MS) {
    await deps.clock.sleep(waitMs, signal);
    for (const account of deps.accounts()) {
      const buckets = await deps.objects.listBuckets(account).catch((error: unknown) => {
        deps.report(`(all of ${account})`, error);
        return [];
      });
      for (const bucket of buckets)
        if (!signal.aborted && bucket.lifecycle !== undefined)
          await expireBucket(deps, bucket, signal).catch((error: unknown) => deps.report(bucket.name, error));
    }
    if (signal.aborted) return;
  }
}

async function expireBucket(deps: ExpireDeps, bucket: Bucket, signal: AbortSignal): Promise<void> {
  let batch: DueVersion[] = [];
  const flush = async () => {
    const due = batch;
    batch = [];
    if (due.length === 0) return;
    await deps.record(due.map((each) => expirationOf(bucket, each)));
    await appendFacts(deps, bucket, due);
    for (const each of due) await carryOut(deps, bucket, each);
  };
  for await (const each of findDue(allVersions(deps.objects, bucket, signal), bucket.lifecycle!, deps.lockTime)) {
    batch.push(each);
    if (batch.length >= BATCH_MAX) await flush();
  }
  await flush();
}

/** @throws JournalFull, JournalFailed */
async function appendFacts({ clock, journal, sha256 }: ExpireDeps, bucket: Bucket, due: readonly DueVersion[]): Promise<void> {
  const { owner, region } = bucket;
  const counts = new Map<string, number>();
  const facts: NewFact[] = [];
  for (const { info, rule, kind } of due) {
    // Nothing of a reader's goes with a delete marker.
    if (info.isDeleteMarker) continue;
    const { key, versionId, checksums } = info;
    const operation = kind === 'remove' ? 'remove' : placesMarker(bucket, info) ? 'hide' : 'expire';
    const sha256Hex = hexOfChecksum(checksums?.['SHA256']);
    const expiry: Expiry = { bucket: bucket.name, key, versionId, sha256: sha256Hex, operation, rule: rule.id };
    const count = counts.get(key) ?? (await findFacts({ journal, sha256 }, owner!, expiry)).length;
    counts.set(key, count + 1);
    facts.push({
      kind: 'fact',
      factKind: 'expiry',
      factId: expiryId(sha256, expiry, count + 1),
      account: owner!,
      region,
      receivedAtMs: clock.nowMs(),
      bytes: utf8(encodeExpiry(expiry)),
    });
  }
  if (facts.length > 0) await journal.append(facts);
}

/** Of a whole object; the checksum of one that came in parts is another. */
function hexOfChecksum(base64: string | undefined): string | null {
  const bytes = base64 === undefined ? undefined : fromBase64(base64);
  return bytes?.length === HASH_BYTES ? toHex(bytes) : null;
}

/** Whether a deletion without a version id leaves the version there, behind a delete marker. */
function placesMarker({ versioning }: Bucket, { versionId }: ObjectInfo): boolean {
  return versioning === 'Enabled' || (versioning === 'Suspended' && versionId !== null);
}

async function carryOut({ objects, report }: ExpireDeps, { name }: Bucket, { info, kind }: DueVersion): Promise<void> {
  const versionId = kind === 'expire' ? undefined : (info.versionId ?? 'null');
  // A delete marker has no newest version to be looked at.
  const condition = info.isDeleteMarker ? {} : { ifModifiedAtMs: info.modifiedAtMs };
  try {
    await objects.delete(name, info.key, versionId, condition);
  } catch (error) {
    // Put again, or locked, since it was looked at: it stays.
    const isExpected = error instanceof ObjectsError && ['PreconditionFailed', 'AccessDenied', 'NoSuchBucket'].includes(error.reason);
    if (!isExpected) report(name, error);
  }
}

async function* allVersions(objects: ExpireDeps['objects'], { name }: Bucket, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
  for (let from: Parameters<Objects['listVersions']>[1] = { limit: PAGE_LIMIT }; !signal.aborted; ) {
    const { versions, next } = await objects.listVersions(name, from);
    yield* versions;
    if (next === undefined) return;
    from = { limit: PAGE_LIMIT, after: next.key, afterVersionId: next.versionId };
  }
}

function expirationOf({ name, owner, region, versioning }: Bucket, { info, rule, kind }: DueVersion): Expiration {
  const operation = kind === 'expire' && versioning !== 'Off' ? 'S3.CREATE.DELETEMARKER' : 'S3.EXPIRE.OBJECT';
  const bucketArn = `arn:aws:s3:::${name}`;
  return {
    account: owner!,
    region,
    details: {
      operation,
      reason: 'Lifecycle Expiration',
      bucketName: name,
      key: info.key,
      ...(info.versionId !== null && { versionId: info.versionId }),
      ...(info.isDeleteMarker ? { isDeleteMarker: true } : { sizeBytes: info.sizeBytes, eTag: info.etag }),
      ruleId: rule.id,
    },
    resources: [
      { type: 'AWS::S3::Object', name: `${bucketArn}/${info.key}` },
      { type: 'AWS::S3::Bucket', name: bucketArn, account: owner! },
    ],
  };
}
