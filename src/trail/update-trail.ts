/**
 * `UpdateTrail`: an absent member stays as it is, an empty text takes what can be absent away. Takes effect without a stop.
 *
 * Changing from one Region to all, or back, sets IncludeGlobalServiceEvents accordingly unless the call gives it.
 * Source: cloudtrail.md §7.3.
 */
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import type { BucketName } from '../event/types.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { putProbe, requireBucketName, requirePrefix, requireWritableBucket } from './check-bucket.ts';
import { requireFreeName, requireGlobalEvents, requirePlace } from './check-trail.ts';
import type { CreateTrailInput } from './create-trail.ts';
import { findTrailAtHome, listTrails } from './find-trail.ts';
import { cloudWatchLogsOf, passRoleAccess, requireLogGroup } from './logs/check-log-group.ts';
import { narrowingOf } from './narrowing.ts';
import { requireTopic, snsTopicOf } from './notices/check-topic.ts';
import { settingsOutput, type Trail, type TrailSettingsOutput, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';
import { stateKey, type TrailState } from './trail-state.ts';
import { refuseUnsupportedMembers } from './unsupported-members.ts';

export function updateTrail(deps: OperationDeps): Operation<CreateTrailInput, TrailSettingsOutput> {
  return {
    name: 'UpdateTrail',
    isReadOnly: false,
    access: async (call, input) => [
      ...(await trailAccess(deps.catalog, call, { action: 'cloudtrail:UpdateTrail', nameOrArn: input.Name })),
      ...passRoleAccess(input),
    ],
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const before = await findTrailAtHome(deps.catalog, call, input.Name ?? '');
      refuseUnsupportedMembers(input);
      const after = changed(before.value, input);
      const requirePlaceAndName = async () => {
        if (!after.isMultiRegionTrail || before.value.isMultiRegionTrail) return;
        const trails = (await listTrails(deps.catalog, call.account)).map(({ value }) => value);
        const others = trails.filter((other) => trailArn(other) !== trailArn(after));
        requirePlace(after, others);
        requireFreeName(after, others);
      };
      await requirePlaceAndName();
      const isMoved = input.S3BucketName !== undefined || input.S3KeyPrefix !== undefined;
      if (isMoved) {
        requireBucketName(after.s3BucketName);
        requirePrefix(after.s3KeyPrefix ?? '');
        const state = await deps.catalog.get<TrailState>(stateKey(after));
        await requireWritableBucket(deps.objects, after, state?.value.receipts.number ?? 0);
      }
      if (input.SnsTopicName !== undefined) await requireTopic(deps.topics, after);
      if (input.CloudWatchLogsLogGroupArn !== undefined || input.CloudWatchLogsRoleArn !== undefined)
        await requireLogGroup(deps.logGroups, after);
      requireGlobalEvents(after);
      return {
        output: settingsOutput(after),
        resources: trailResources(after),
        ...narrowingOf(before.value, after),
        apply: async () => {
          if (isMoved) await putProbe(deps.objects, after);
          await changeTrail(deps, { call, kind: 'update', event: 'UpdateTrail', before, after, recheck: requirePlaceAndName });
        },
      };
    },
  };
}

function changed(trail: Trail, input: CreateTrailInput): Trail {
  const { s3KeyPrefix, cloudWatchLogs: _, snsTopicArn: __, ...rest } = trail;
  const prefix = input.S3KeyPrefix ?? s3KeyPrefix ?? '';
  const isMultiRegionTrail = input.IsMultiRegionTrail ?? trail.isMultiRegionTrail;
  const globalByDefault = isMultiRegionTrail === trail.isMultiRegionTrail ? trail.includeGlobalServiceEvents : isMultiRegionTrail;
  return {
    ...rest,
    s3BucketName: (input.S3BucketName ?? trail.s3BucketName) as BucketName,
    ...(prefix === '' ? {} : { s3KeyPrefix: prefix }),
    includeGlobalServiceEvents: input.IncludeGlobalServiceEvents ?? globalByDefault,
    isMultiRegionTrail,
    ...snsTopicOf(input, trail, trail),
    ...cloudWatchLogsOf(input, trail),
    logFileValidationEnabled: input.EnableLogFileValidation ?? trail.logFileValidationEnabled,
  };
}
