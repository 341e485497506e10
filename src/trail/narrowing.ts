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
    before.s3KeyPrefix !== after.s3KeyPrefix && `delivers below ${placeOf(after)} instead of ${placeOf(before)}`,
    before.isMultiRegionTrail && !after.isMultiRegionTrail && `delivers its home Region ${after.homeRegion} alone`,
    before.includeGlobalServiceEvents && !after.includeGlobalServiceEvents && 'delivers no events of global services',
    isReplaced(before.cloudWatchLogs?.logGroupArn, after.cloudWatchLogs?.logGroupArn) &&
      `delivers to ${after.cloudWatchLogs?.logGroupArn ?? 'no log group'}`,
    isReplaced(before.snsTopicArn, after.snsTopicArn) && `tells ${after.snsTopicArn ?? 'no topic'} of its deliveries`,
    before.organizationId !== undefined && after.organizationId !== before.organizationId && 'delivers for its own account alone',
    (before.recursiveLogging ?? true) && !(after.recursiveLogging ?? true) && 'delivers nothing of what deliveries themselves cause',
    isReplaced(before.kmsKeyId, after.kmsKeyId) && `encrypts its files with ${after.kmsKeyId ?? 'no key'}`,
    before.logFileValidationEnabled && !after.logFileValidationEnabled && 'writes no digests',
  ].filter((loss) => loss !== false);
  return losses.length === 0 ? {} : { narrows: `the trail ${trailArn(before)} ${losses.join(', ')}` };
}

function isReplaced(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && before !== after;
}

function placeOf({ s3KeyPrefix }: Trail): string {
  return s3KeyPrefix === undefined ? 'no prefix' : `the prefix ${s3KeyPrefix}`;
}
