/**
 * What of the record an update of a trail makes smaller: what another person may have to approve (A20).
 *
 * A trail that does not log delivers nothing that could get smaller; its place and what proves it count all the same.
 */
import { type Trail, trailArn } from './trail.ts';

/** As a member of a decision; empty when nothing gets smaller. */
export function narrowingOf(before: Trail, after: Trail): { readonly narrows?: string } {
  const losses = [
    before.s3BucketName !== after.s3BucketName && `delivers to the bucket ${after.s3BucketName} instead of ${before.s3BucketName}`,
    before.isMultiRegionTrail && !after.isMultiRegionTrail && `delivers its home Region ${after.homeRegion} alone`,
    before.includeGlobalServiceEvents && !after.includeGlobalServiceEvents && 'delivers no events of global services',
    before.cloudWatchLogs !== undefined && after.cloudWatchLogs === undefined && 'delivers to no log group',
    before.snsTopicArn !== undefined && after.snsTopicArn === undefined && 'tells no topic of its deliveries',
    before.organizationId !== undefined && after.organizationId !== before.organizationId && 'delivers for its own account alone',
    (before.recursiveLogging ?? true) && !(after.recursiveLogging ?? true) && 'delivers nothing of what deliveries themselves cause',
    before.kmsKeyId !== undefined && after.kmsKeyId === undefined && 'encrypts its files with no key',
    before.logFileValidationEnabled && !after.logFileValidationEnabled && 'writes no digests',
  ].filter((loss) => loss !== false);
  return losses.length === 0 ? {} : { narrows: `the trail ${trailArn(before)} ${losses.join(', ')}` };
}
