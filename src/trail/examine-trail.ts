/**
 * Snowtrail's own `CheckTrail`: whether a trail may deliver where it is to deliver, as CreateTrail would find it now.
 *
 * One check for each place. A check that finds something gives the service's code with what is missing, and the policy that would do
 * where one is known: of the bucket, the key, the topic, or the role of the log group. A check of a bucket whose policy cannot be read puts the probe object again.
 * Source: features.md EN3, BP2, BP6.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import { type Bucket, ObjectsError } from '../store/objects.ts';
import type { OperationDeps } from './change-trail.ts';
import { requireWritableBucket } from './check-bucket.ts';
import { sealOptions, withTrailKey } from './check-key.ts';
import { CORRECTED, splitCorrected } from './corrected-policy.ts';
import { findOwnTrail } from './find-trail.ts';
import { requireLogGroup, rolePolicy } from './logs/check-log-group.ts';
import { type LogsState, logsStateKey } from './logs/logs-state.ts';
import { receiptKey } from './make-receipt.ts';
import { requireTopic } from './notices/check-topic.ts';
import { type NoticeStatus, noticeStatusKey } from './notices/notice.ts';
import { newestPut, readDelivery } from './read-delivery.ts';
import { accountFolder, type Trail, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** One place that a trail delivers to. */
export interface TrailCheckOutput {
  /** What it is: `bucket`, `object lock`, `key`, `topic`, `log group`. */
  readonly Check: string;
  readonly Resource: string;
  /** What holds; absent with `Problem`. */
  readonly Holds?: string;
  /** The service's code and what is missing. */
  readonly Problem?: string;
  /** The policy with what is missing, as JSON: of the resource, or of a log group's role. */
  readonly CorrectedPolicy?: string;
}

const SENT = 'takes what the trail sends';

type CheckDeps = Pick<OperationDeps, 'catalog' | 'objects' | 'topics' | 'logGroups' | 'trailKeys' | 'foreignBuckets'>;

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
  const { objects, topics, logGroups, catalog } = deps;
  const { s3BucketName, snsTopicArn, cloudWatchLogs, kmsKeyId } = trail;
  const bucket = await objects.getBucket(s3BucketName);
  const delivery = await readDelivery(catalog, trail);
  const arn = `arn:aws:s3:::${s3BucketName}`;
  const checks = [
    await check('bucket', arn, async () => {
      await requireWritableBucket(objects, trail, delivery.state?.receipts.number ?? 0);
      return bucket?.owner === undefined || bucket.owner === trail.account
        ? 'takes what the trail writes'
        : `takes what the trail writes, for its owner ${bucket.owner}`;
    }),
  ];
  if (bucket !== undefined) checks.push({ Check: 'object lock', Resource: arn, Holds: await lockOf(deps, trail, bucket) });
  if (kmsKeyId !== undefined)
    checks.push(
      await check('key', kmsKeyId, async () => {
        await withTrailKey(deps, trail, undefined);
        const isForeign = deps.foreignBuckets?.has(s3BucketName) === true;
        return isForeign ? 'is asked by the S3 of the bucket at each put' : 'encrypts what the trail writes';
      }),
    );
  else if (bucket?.encryption?.algorithm === 'aws:kms' && deps.foreignBuckets?.has(s3BucketName) !== true)
    checks.push(await check('key', bucket.encryption.keyId ?? 'alias/aws/s3', () => askDefaultKey(deps, trail, bucket)));
  if (snsTopicArn !== undefined)
    checks.push(
      await check('topic', snsTopicArn, async () => {
        await requireTopic(topics, trail);
        const status = (await catalog.get<NoticeStatus>(noticeStatusKey(trail)))?.value;
        requireSent(status?.error, 'The last message to the topic failed');
        return SENT;
      }),
    );
  if (cloudWatchLogs !== undefined)
    checks.push(
      await check('log group', cloudWatchLogs.logGroupArn, async () => {
        await requireLogGroup(logGroups, trail);
        const { error } = (await catalog.get<LogsState>(logsStateKey(trail)))?.value ?? {};
        // A role may make log streams and not write to them: only a delivery shows it.
        const isDenied = error?.startsWith('AccessDenied') === true;
        requireSent(error, 'The last delivery to the log group failed', isDenied ? rolePolicy(trail, cloudWatchLogs) : undefined);
        return SENT;
      }),
    );
  return checks;
}

/** Has a data key made as for a delivery. @throws ApiError with the code that a delivery would show */
async function askDefaultKey(deps: CheckDeps, trail: Trail, bucket: Bucket): Promise<string> {
  const key = accountFolder(trail.s3KeyPrefix, trail.account);
  try {
    await sealOptions(deps, trail, { keyArn: undefined, bucket }, { bucket: bucket.name, key });
  } catch (error) {
    if (error instanceof ObjectsError) throw new ApiError(error.reason, error.message, { cause: error });
    throw error;
  }
  return 'encrypts what the trail writes, as the default of its bucket';
}

/** @throws ApiError with the code of the last try, when it failed */
function requireSent(code: string | undefined, what: string, policy?: string): void {
  if (code !== undefined) throw new ApiError(code, `${what}.${policy === undefined ? '' : `${CORRECTED}${policy}`}`);
}

async function check(Check: string, Resource: string, look: () => Promise<string>): Promise<TrailCheckOutput> {
  try {
    return { Check, Resource, Holds: await look() };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { said, policy } = splitCorrected(error.message);
    return { Check, Resource, Problem: `${error.code}: ${said}`, ...(policy === undefined ? {} : { CorrectedPolicy: policy }) };
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
