/**
 * `UpdateTrail`: an absent member stays as it is, an empty text takes what can be absent away. Takes effect without a stop.
 *
 * Changing from one Region to all, or back, sets IncludeGlobalServiceEvents accordingly unless the call gives it.
 * Source: cloudtrail.md §7.3.
 */
import { ApiError } from '../api/api-error.ts';
import { type Call, type Operation, REPEATS_MS } from '../api/operation.ts';
import type { BucketName } from '../event/types.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { putProbe, requireBucketName, requirePrefix, requireWritableBucket } from './check-bucket.ts';
import { withTrailKey } from './check-key.ts';
import { requireFreeName, requireGlobalEvents, requirePlace } from './check-trail.ts';
import type { CreateTrailInput } from './create-trail.ts';
import { findTrailAtHome, seenTrails } from './find-trail.ts';
import { cloudWatchLogsOf, passRoleAccess, requireLogGroup } from './logs/check-log-group.ts';
import { narrowingOf } from './narrowing.ts';
import { requireTopic, snsTopicOf } from './notices/check-topic.ts';
import { requireOrganization } from './require-organization.ts';
import { settingsOutput, type Trail, type TrailSettingsOutput, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';
import { stateKey, type TrailState } from './trail-state.ts';

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
      const draft = await ofOrganization(deps.catalog, call, { before: before.value, after: changed(before.value, input), input });
      const requirePlaceAndName = async () => {
        if (draft.organizationId !== undefined && before.value.organizationId === undefined) await requireOrganization(deps.catalog, call);
        // Members are not asked: the trail of an organization appears in each, beyond its quota and beside a trail of its own of that name.
        if (!draft.isMultiRegionTrail || before.value.isMultiRegionTrail) return;
        const trails = (await seenTrails(deps.catalog, draft.account)).map(({ value }) => value);
        const others = trails.filter((other) => trailArn(other) !== trailArn(draft));
        requirePlace(draft, others);
        requireFreeName(draft, others);
      };
      await requirePlaceAndName();
      const dependsOnOthers =
        draft.isMultiRegionTrail !== before.value.isMultiRegionTrail || draft.organizationId !== before.value.organizationId;
      const isOtherFolder = draft.organizationId !== before.value.organizationId;
      const isMoved = input.S3BucketName !== undefined || input.S3KeyPrefix !== undefined || isOtherFolder;
      if (isMoved) {
        requireBucketName(draft.s3BucketName);
        requirePrefix(draft.s3KeyPrefix ?? '');
        const state = await deps.catalog.get<TrailState>(stateKey(draft));
        await requireWritableBucket(deps.objects, draft, state?.value.receipts.number ?? 0);
      }
      if (input.SnsTopicName !== undefined) await requireTopic(deps.topics, draft);
      const after = isMoved || input.KmsKeyId !== undefined ? await withTrailKey(deps, draft, input.KmsKeyId) : draft;
      if (input.CloudWatchLogsLogGroupArn !== undefined || input.CloudWatchLogsRoleArn !== undefined)
        await requireLogGroup(deps.logGroups, after);
      requireGlobalEvents(after);
      return {
        output: settingsOutput(after),
        resources: trailResources(after),
        ...narrowingOf(before.value, after),
        apply: async () => {
          if (isMoved) await putProbe(deps.objects, after);
          const change = { call, kind: 'update', event: 'UpdateTrail', before, after } as const;
          await changeTrail(deps, dependsOnOthers ? { ...change, recheck: requirePlaceAndName } : change);
        },
      };
    },
  };
}

function changed(trail: Trail, input: CreateTrailInput): Trail {
  const { s3KeyPrefix, recursiveLogging: recursiveBefore, cloudWatchLogs: _, snsTopicArn: __, ...rest } = trail;
  const prefix = input.S3KeyPrefix ?? s3KeyPrefix ?? '';
  const isMultiRegionTrail = input.IsMultiRegionTrail ?? trail.isMultiRegionTrail;
  const becomesMultiRegion = isMultiRegionTrail && !trail.isMultiRegionTrail;
  const isRecursive = input.RecursiveLogging ?? recursiveBefore ?? true;
  return {
    ...rest,
    s3BucketName: (input.S3BucketName ?? trail.s3BucketName) as BucketName,
    ...(prefix === '' ? {} : { s3KeyPrefix: prefix }),
    ...(isRecursive ? {} : { recursiveLogging: false }),
    // A trail that becomes one of all Regions includes them; one that becomes one of its Region again keeps them until told otherwise.
    includeGlobalServiceEvents: input.IncludeGlobalServiceEvents ?? (trail.includeGlobalServiceEvents || becomesMultiRegion),
    isMultiRegionTrail,
    ...snsTopicOf(input, trail, trail),
    ...cloudWatchLogsOf(input, trail),
    logFileValidationEnabled: input.EnableLogFileValidation ?? trail.logFileValidationEnabled,
  };
}

/** The trail as it becomes where the call makes it one of the organization, or of its account alone again. */
async function ofOrganization(
  catalog: OperationDeps['catalog'],
  call: Call,
  { before, after, input }: { readonly before: Trail; readonly after: Trail; readonly input: CreateTrailInput },
): Promise<Trail> {
  const isNow = before.organizationId !== undefined;
  if ((input.IsOrganizationTrail ?? isNow) === isNow) return after;
  if (call.account !== before.account)
    throw new ApiError(
      'NotOrganizationMasterAccountException',
      'Only the management account of the organization can change IsOrganizationTrail.',
    );
  const { organizationId: _, ...ofAccount } = after;
  if (isNow) return ofAccount;
  const { id, management } = await requireOrganization(catalog, call);
  if (management !== before.account)
    throw new ApiError(
      'NotOrganizationMasterAccountException',
      'Only a trail of the management account can become one of the organization.',
    );
  return { ...ofAccount, organizationId: id, organizationIds: [...new Set([...(before.organizationIds ?? []), id])] };
}
