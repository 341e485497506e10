/**
 * `CreateTrail`. The trail does not log until StartLogging.
 *
 * Order of the checks: name, members that are not built, tags, organization, quota, name taken, combination,
 * bucket, topic, log group and role (cloudtrail.md §7.2; the combination before the bucket, as the service does).
 */
import type { Call, Operation } from '../api/operation.ts';
import { addTags, requestTagContext, requireTags, type Tag } from '../api/tags.ts';
import type { BucketName } from '../event/types.ts';
import { type Organization, organizationOf } from '../store/organization.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { putProbe, requireBucketName, requirePrefix, requireWritableBucket } from './check-bucket.ts';
import { withTrailKey } from './check-key.ts';
import { requireFreeName, requireGlobalEvents, requirePlace } from './check-trail.ts';
import { seenTrails } from './find-trail.ts';
import { cloudWatchLogsOf, type LogGroupMembers, passRoleAccess, requireLogGroup } from './logs/check-log-group.ts';
import { requireTopic, snsTopicOf, type TopicMembers } from './notices/check-topic.ts';
import { requireOrganization } from './require-organization.ts';
import { settingsOutput, type Trail, type TrailSettingsOutput, trailArn } from './trail.ts';
import { requireTrailName } from './trail-name.ts';
import { stateKey, type TrailState } from './trail-state.ts';

/** Members of the request, in the wire's words. */
export interface CreateTrailInput extends TopicMembers, LogGroupMembers {
  readonly Name?: string;
  readonly S3BucketName?: string;
  readonly S3KeyPrefix?: string;
  readonly KmsKeyId?: string;
  readonly IncludeGlobalServiceEvents?: boolean;
  readonly IsMultiRegionTrail?: boolean;
  readonly EnableLogFileValidation?: boolean;
  readonly IsOrganizationTrail?: boolean;
  readonly RecursiveLogging?: boolean;
  /** Of CreateTrail alone. */
  readonly TagsList?: readonly Tag[];
}

export function createTrail(deps: OperationDeps): Operation<CreateTrailInput, TrailSettingsOutput> {
  return {
    name: 'CreateTrail',
    isReadOnly: false,
    access: async (call, input) => {
      const name = input.Name ?? '';
      requireTrailName(name);
      const organization = input.IsOrganizationTrail === true ? await organizationOf(deps.catalog, call.account) : undefined;
      const account = organization?.organization.management ?? call.account;
      const resource = trailArn({ account, homeRegion: call.region, name });
      const { TagsList = [] } = input;
      const context = requestTagContext(TagsList);
      return [
        { action: 'cloudtrail:CreateTrail', resource, context },
        // As the service: tags need their own permission.
        ...(TagsList.length === 0 ? [] : [{ action: 'cloudtrail:AddTags', resource, context }]),
        ...passRoleAccess(input),
      ];
    },
    decide: async (call, input) => {
      requireTrailName(input.Name ?? '');
      requireTags(input.TagsList ?? []);
      const tags = addTags([], input.TagsList ?? []);
      const organization = input.IsOrganizationTrail === true ? await requireOrganization(deps.catalog, call) : undefined;
      const draft = newTrail(call, input, organization);
      const requirePlaceAndName = async () => {
        if (organization !== undefined) await requireOrganization(deps.catalog, call);
        const others = (await seenTrails(deps.catalog, draft.account)).map(({ value }) => value);
        requirePlace(draft, others);
        requireFreeName(draft, others);
      };
      await requirePlaceAndName();
      requireGlobalEvents(draft);
      requireBucketName(draft.s3BucketName);
      requirePrefix(input.S3KeyPrefix ?? '');
      const state = await deps.catalog.get<TrailState>(stateKey(draft));
      await requireWritableBucket(deps.objects, draft, state?.value.receipts.number ?? 0);
      await requireTopic(deps.topics, draft);
      const trail = await withTrailKey(deps, draft, input.KmsKeyId);
      await requireLogGroup(deps.logGroups, trail);
      return {
        output: settingsOutput(trail),
        resources: trailResources(trail),
        apply: async () => {
          await putProbe(deps.objects, trail);
          await changeTrail(deps, { call, kind: 'create', event: 'CreateTrail', after: trail, tags, recheck: requirePlaceAndName });
        },
      };
    },
  };
}

function newTrail(call: Call, input: CreateTrailInput, organization: Organization | undefined): Trail {
  const prefix = input.S3KeyPrefix ?? '';
  return {
    account: organization?.management ?? call.account,
    homeRegion: call.region,
    name: input.Name!,
    s3BucketName: (input.S3BucketName ?? '') as BucketName,
    ...(prefix === '' ? {} : { s3KeyPrefix: prefix }),
    includeGlobalServiceEvents: input.IncludeGlobalServiceEvents ?? true,
    isMultiRegionTrail: input.IsMultiRegionTrail ?? false,
    logFileValidationEnabled: input.EnableLogFileValidation ?? false,
    ...snsTopicOf(input, { account: call.account, homeRegion: call.region }),
    ...cloudWatchLogsOf(input),
    ...(organization === undefined ? {} : { organizationId: organization.id, organizationIds: [organization.id] }),
    ...(input.RecursiveLogging === false ? { recursiveLogging: false } : {}),
    isLogging: false,
    createdAtMs: call.receivedAtMs,
  };
}
