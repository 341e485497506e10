/**
 * Snowtrail's own `CheckTrail`: whether a trail may deliver where it is to deliver, as CreateTrail would find it now.
 *
 * One check for each place. A check that finds something gives the service's code with what is missing; for a bucket of the
 * server also the policy that would do. A check of a bucket whose policy cannot be read puts the probe object again.
 * Source: features.md EN3, BP2, BP6.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { Bucket } from '../store/objects.ts';
import { correctedPolicy } from './bucket-policy.ts';
import type { OperationDeps } from './change-trail.ts';
import { requireWritableBucket } from './check-bucket.ts';
import { findOwnTrail } from './find-trail.ts';
import { requireLogGroup } from './logs/check-log-group.ts';
import { receiptKey } from './make-receipt.ts';
import { requireTopic } from './notices/check-topic.ts';
import { newestPut, readDelivery } from './read-delivery.ts';
import { type Trail, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** One place that a trail delivers to. */
export interface TrailCheckOutput {
  /** What it is: `bucket`, `object lock`, `topic`, `log group`. */
  readonly Check: string;
  readonly Resource: string;
  /** What holds; absent with `Problem`. */
  readonly Holds?: string;
  /** The service's code and what is missing. */
  readonly Problem?: string;
  /** The bucket's policy with what is missing, as JSON. */
  readonly CorrectedPolicy?: string;
}

const SENT = 'takes what the trail sends';

type CheckDeps = Pick<OperationDeps, 'catalog' | 'objects' | 'topics' | 'logGroups'>;

export function checkTrail(
  deps: CheckDeps,
): Operation<{ readonly Name?: string }, { readonly TrailARN: string; readonly Checks: readonly TrailCheckOutput[] }> {
  return {
    name: 'CheckTrail',
    isReadOnly: true,
    access: (call, { Name }) => trailAccess(deps.catalog, call, { action: 'snowtrail:CheckTrail', nameOrArn: Name }),
    decide: async (call, { Name = '' }) => {
      const { value: trail } = await findOwnTrail(deps.catalog, call, Name);
      return { output: { TrailARN: trailArn(trail), Checks: await examine(deps, trail) } };
    },
  };
}

async function examine(deps: CheckDeps, trail: Trail): Promise<readonly TrailCheckOutput[]> {
  const { objects, topics, logGroups } = deps;
  const { s3BucketName, snsTopicArn, cloudWatchLogs } = trail;
  const bucket = await objects.getBucket(s3BucketName);
  const delivery = await readDelivery(deps.catalog, trail);
  const arn = `arn:aws:s3:::${s3BucketName}`;
  const ofBucket = await check('bucket', arn, async () => {
    await requireWritableBucket(objects, trail, delivery.state?.receipts.number ?? 0);
    return bucket?.owner === undefined || bucket.owner === trail.account
      ? 'takes what the trail writes'
      : `takes what the trail writes, for its owner ${bucket.owner}`;
  });
  const corrected = ofBucket.Problem === undefined || bucket?.owner === undefined ? undefined : correctedPolicy(bucket, trail);
  return [
    { ...ofBucket, ...(corrected !== undefined && { CorrectedPolicy: corrected }) },
    ...(bucket === undefined ? [] : [{ Check: 'object lock', Resource: arn, Holds: await lockOf(deps, trail, bucket) }]),
    ...(snsTopicArn === undefined
      ? []
      : [
          await check('topic', snsTopicArn, async () => {
            await requireTopic(topics, trail);
            return SENT;
          }),
        ]),
    ...(cloudWatchLogs === undefined
      ? []
      : [
          await check('log group', cloudWatchLogs.logGroupArn, async () => {
            await requireLogGroup(logGroups, trail);
            return SENT;
          }),
        ]),
  ];
}

async function check(Check: string, Resource: string, look: () => Promise<string>): Promise<TrailCheckOutput> {
  try {
    return { Check, Resource, Holds: await look() };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { Check, Resource, Problem: `${error.code}: ${error.message.replace(/ The corrected policy: .*$/s, '')}` };
  }
}

/** How long what is delivered cannot be deleted, and whether that shows at the newest receipt. */
async function lockOf({ objects, catalog }: CheckDeps, trail: Trail, { objectLock }: Bucket): Promise<string> {
  if (objectLock === undefined) return 'off: what is delivered can be deleted by who may delete in the bucket';
  const { default: retention } = objectLock;
  if (retention === undefined) return 'on, without a default retention: what is delivered can be deleted';
  const { mode, days, years } = retention;
  const period = days === undefined ? `${years} years` : `${days} days`;
  const newest = newestPut(await readDelivery(catalog, trail));
  const isPut = newest !== undefined && newest.number > 0 && newest.target.bucket === trail.s3BucketName;
  const found = isPut
    ? await objects.head(newest.target.bucket, receiptKey(trail, newest.target, newest.number)).catch(() => undefined)
    : undefined;
  const { retention: held } = found ?? {};
  const shown =
    found === undefined
      ? ''
      : held === undefined
        ? '; the newest receipt has no retention'
        : `; the newest receipt until ${new Date(held.untilMs).toISOString()}`;
  return `${mode} for ${period}${shown}`;
}
