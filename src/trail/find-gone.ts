/**
 * Looks at a glance whether a trail's evidence is still in this server's own store: its bucket, and the newest receipt in it.
 *
 * So that a folder of buckets that was lost while the server was down is told at once, and not by the next delivery or the next look
 * at every object (`scrub-bucket.ts`). A foreign bucket is not asked: what it does not answer holds up nobody here.
 */
import type { BucketName, EpochMs, ObjectKey } from '../event/types.ts';
import { type FindExpiriesDeps, hasExpired } from '../store/find-expiries.ts';
import type { Journal } from '../store/journal.ts';
import type { Objects } from '../store/objects.ts';
import { toHex } from '../tlog/text.ts';
import { receiptKey } from './make-receipt.ts';
import { type Delivery, newestPut } from './read-delivery.ts';
import { receiptFact } from './receipt-fact.ts';
import { followerName, type Trail } from './trail.ts';

/** What is not where the trail put it. */
export interface GoneEvidence {
  /** Name of the trail's follower. */
  readonly trail: string;
  readonly outcome: 'bucket-gone' | 'newest-receipt-gone';
  readonly bucket: BucketName;
  /** Of the newest receipt that was put. */
  readonly key: ObjectKey;
  readonly number: number;
  /** When the newest receipt was made: all was there then. */
  readonly thereAtMs: EpochMs;
}

export interface FindGoneDeps extends FindExpiriesDeps {
  readonly journal: Pick<Journal, 'find' | 'fetch'>;
  readonly objects: Pick<Objects, 'getBucket' | 'head'>;
}

/**
 * @returns `undefined` when both are there, the receipt expired by a rule of the bucket, nothing was put yet, the trail was moved since,
 *   or the store does not say.
 */
export async function findGone(deps: FindGoneDeps, trail: Trail, delivery: Delivery): Promise<GoneEvidence | undefined> {
  const { objects, foreignBuckets } = deps;
  const newest = newestPut(delivery);
  if (delivery.state === undefined || newest === undefined || newest.number < 1 || foreignBuckets?.has(newest.target.bucket))
    return undefined;
  const { number, target } = newest;
  const { createdAtMs: thereAtMs } = delivery.state.receipts;
  if (target.bucket !== trail.s3BucketName || target.prefix !== (trail.s3KeyPrefix ?? null)) return undefined;
  const key = receiptKey(trail, target, number);
  const gone = (outcome: GoneEvidence['outcome']): GoneEvidence => ({
    trail: followerName(trail),
    outcome,
    bucket: target.bucket,
    key,
    number,
    thereAtMs,
  });
  try {
    if ((await objects.getBucket(target.bucket)) === undefined) return gone('bucket-gone');
    if ((await objects.head(target.bucket, key)) !== undefined) return undefined;
    const receipt = await receiptFact(deps, trail, number);
    const sha256 = receipt && toHex(deps.sha256(receipt.bytes));
    if (sha256 !== undefined && (await hasExpired(deps, { bucket: target.bucket, key, sha256 }))) return undefined;
    return gone('newest-receipt-gone');
  } catch {
    // Damaged, or the device does not read: the look at every object tells of it, and so does the next delivery.
    return undefined;
  }
}
