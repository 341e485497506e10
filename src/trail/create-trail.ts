/**
 * `CreateTrail`. The trail does not log until StartLogging.
 *
 * Order of the checks: name, members that are not built, quota, name taken, bucket, topic, log group and role, combination (cloudtrail.md §7.2).
 */
import type { Call, Operation } from '../api/operation.ts';
import type { BucketName } from '../event/types.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { putProbe, requireBucketName, requirePrefix, requireWritableBucket } from './check-bucket.ts';
import { requireFreeName, requireGlobalEvents, requirePlace } from './check-trail.ts';
import { listTrails } from './find-trail.ts';
import { cloudWatchLogsOf, type LogGroupMembers, passRoleAccess, requireLogGroup } from './logs/check-log-group.ts';
import { requireTopic, snsTopicOf, type TopicMembers } from './notices/check-topic.ts';
import { settingsOutput, type Trail, type TrailSettingsOutput, trailArn } from './trail.ts';
import { requireTrailName } from './trail-name.ts';
import { stateKey, type TrailState } from './trail-state.ts';
import { refuseUnsupportedMembers, type UnsupportedMembers } from './unsupported-members.ts';

/** Members of the request, in the wire's words. */
export interface CreateTrailInput extends UnsupportedMembers, TopicMembers, LogGroupMembers {
  readonly Name?: string;
  readonly S3BucketName?: string;
  readonly S3KeyPrefix?: string;
  readonly IncludeGlobalServiceEvents?: boolean;
  readonly IsMultiRegionTrail?: boolean;
  readonly EnableLogFileValidation?: boolean;
}

export function createTrail(deps: OperationDeps): Operation<CreateTrailInput, TrailSettingsOutput> {
  return {
    name: 'CreateTrail',
    isReadOnly: false,
    access: (call, input) => {
      const name = input.Name ?? '';
      requireTrailName(name);
      const resource = trailArn({ account: call.account, homeRegion: call.region, name });
      return [{ action: 'cloudtrail:CreateTrail', resource }, ...passRoleAccess(input)];
    },
    decide: async (call, input) => {
      requireTrailName(input.Name ?? '');
      refuseUnsupportedMembers(input);
      const trail = newTrail(call, input);
      const requirePlaceAndName = async () => {
        const others = (await listTrails(deps.catalog, call.account)).map(({ value }) => value);
        requirePlace(trail, others);
        requireFreeName(trail, others);
      };
      await requirePlaceAndName();
      requireBucketName(trail.s3BucketName);
      requirePrefix(input.S3KeyPrefix ?? '');
      const state = await deps.catalog.get<TrailState>(stateKey(trail));
      await requireWritableBucket(deps.objects, trail, state?.value.receipts.number ?? 0);
      await requireTopic(deps.topics, trail);
      await requireLogGroup(deps.logGroups, trail);
      requireGlobalEvents(trail);
      return {
        output: settingsOutput(trail),
        resources: trailResources(trail),
        apply: async () => {
          await putProbe(deps.objects, trail);
          await changeTrail(deps, { call, kind: 'create', event: 'CreateTrail', after: trail, recheck: requirePlaceAndName });
        },
      };
    },
  };
}

function newTrail(call: Call, input: CreateTrailInput): Trail {
  const prefix = input.S3KeyPrefix ?? '';
  return {
    account: call.account,
    homeRegion: call.region,
    name: input.Name!,
    s3BucketName: (input.S3BucketName ?? '') as BucketName,
    ...(prefix === '' ? {} : { s3KeyPrefix: prefix }),
    includeGlobalServiceEvents: input.IncludeGlobalServiceEvents ?? true,
    isMultiRegionTrail: input.IsMultiRegionTrail ?? false,
    logFileValidationEnabled: input.EnableLogFileValidation ?? false,
    ...snsTopicOf(input, { account: call.account, homeRegion: call.region }),
    ...cloudWatchLogsOf(input),
    isLogging: false,
    createdAtMs: call.receivedAtMs,
  };
}
