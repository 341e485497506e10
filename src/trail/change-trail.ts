/**
 * Carries a change of a trail out, once the record of the call is durable.
 *
 * Order: look again whether the decision still holds → append the `configuration` fact → save settings and queue the
 * change for delivery in one commit. A crash after the fact leaves a fact without effect, never an effect without a
 * fact. Changes of one process have an order (`change-turns.ts`); the catalog's versions catch everything else.
 */
import { ApiError } from '../api/api-error.ts';
import type { ConfigurationChange } from '../api/configuration-change.ts';
import type { Call } from '../api/operation.ts';
import type { Tag } from '../api/tags.ts';
import type { AccountId } from '../event/types.ts';
import { appendConfiguration } from '../store/append-configuration.ts';
import { CatalogConflict, type CatalogDocument } from '../store/catalog.ts';
import { membersOf } from '../store/organization.ts';
import type { ChangeTurns } from './change-turns.ts';
import { queueLogsChange } from './logs/logs-state.ts';
import { selectionOf, type Trail, type TrailId, trailArn, trailKey } from './trail.ts';
import type { TrailDeps } from './trail-deps.ts';
import { changeKey, type DeliverySettings, type TrailChange } from './trail-state.ts';
import { type TagDocument, tagChange, tagKey } from './trail-tags.ts';

/** What operations need. */
export interface OperationDeps
  extends Pick<
    TrailDeps,
    | 'catalog'
    | 'journal'
    | 'objects'
    | 'sha256'
    | 'digestIntervalMs'
    | 'foreignBuckets'
    | 'trailKeys'
    | 'logGroups'
    | 'topics'
    | 'proveEntry'
  > {
  /** In which order changes are carried out. */
  readonly turns: ChangeTurns;
  /** Tells the trail's follower that there is a change. */
  readonly wake: (trail: TrailId) => void;
  /** Keeps the trails' followers from what comes into the journal from now on, until the function that it returns is called; see `held-journal.ts`. */
  readonly hold: (trails: readonly TrailId[]) => () => void;
}

export interface ChangeRequest {
  readonly call: Call;
  readonly kind: TrailChange['kind'];
  /** Name of the call. */
  readonly event: string;
  /** The trail as the decision saw it; absent for a new one. */
  readonly before?: CatalogDocument<Trail>;
  /** Absent when it is deleted. */
  readonly after?: Trail;
  /** What the trail takes no more, one sentence each; for the fact. */
  readonly takesNoMore?: readonly string[];
  /** Of a trail that is made. */
  readonly tags?: readonly Tag[];
  /** Throws when what was decided, by looking at other trails as well, does not hold any more. */
  readonly recheck?: () => Promise<void>;
}

/** @throws ApiError ConflictException when another change came first. */
export async function changeTrail(deps: OperationDeps, request: ChangeRequest): Promise<void> {
  const { before, after } = request;
  const trail = (after ?? before?.value)!;
  const carryOut = async () => {
    await request.recheck?.();
    const current = await deps.catalog.get<Trail>(trailKey(trail));
    if (current?.version !== before?.version) throw conflict(trail);
    const settings = await deliverySettings(deps.catalog, trail);
    const release = deps.hold([trail]);
    try {
      const place = { resource: trailArn(trail), account: trail.account, region: trail.homeRegion };
      const settingsChange = { ...place, before: before?.value, after, takesNoMore: request.takesNoMore };
      const sequence = await appendConfiguration(deps, request, settingsChange, ...(await changesOfTags(deps, place, request)));
      const change = changeOf(request, { sequence, settings });
      await deps.catalog.commit([
        { key: trailKey(trail), value: after, expected: before?.version ?? 0 },
        { key: changeKey(trail, change.sequence), value: change, expected: 0 },
        ...(before === undefined || after === undefined ? [tagChange(trail, request.tags ?? [])] : []),
        ...queueLogsChange({ before: before?.value, after, sequence: change.sequence }, change.settings),
      ]);
    } catch (error) {
      if (error instanceof CatalogConflict) throw conflict(trail);
      throw error;
    } finally {
      release();
    }
  };
  await (request.recheck === undefined ? deps.turns.ofTrail(trail, carryOut) : deps.turns.alone(carryOut));
  deps.wake(trail);
}

/** The tags come and go with the trail. */
async function changesOfTags(
  { catalog }: Pick<OperationDeps, 'catalog'>,
  place: Pick<ConfigurationChange, 'resource' | 'account' | 'region'>,
  { before, after, tags = [] }: ChangeRequest,
): Promise<readonly ConfigurationChange[]> {
  if (before === undefined) return tags.length === 0 ? [] : [{ ...place, part: 'tags', after: { tags } }];
  const had = after === undefined ? await catalog.get<TagDocument>(tagKey(before.value)) : undefined;
  return had === undefined ? [] : [{ ...place, part: 'tags', before: had.value }];
}

function conflict(trail: Trail): ApiError {
  return new ApiError('ConflictException', `The trail ${trailArn(trail)} is being changed by another call; try again.`);
}

/** The change as it waits for delivery to come to it. */
export function changeOf(
  { call, kind, event }: Pick<ChangeRequest, 'call' | 'kind' | 'event'>,
  { sequence, settings }: { readonly sequence: bigint; readonly settings: DeliverySettings },
): TrailChange {
  return { kind, sequence: `${sequence}`, atMs: call.receivedAtMs, event, principal: call.principal.arn, settings };
}

/** @param members Of an organization's trail: as they are to be; absent: as they are now. */
export async function deliverySettings(
  catalog: Pick<OperationDeps['catalog'], 'list'>,
  trail: Trail,
  members?: readonly AccountId[],
): Promise<DeliverySettings> {
  const { organizationId } = trail;
  const base = {
    isMultiRegionTrail: trail.isMultiRegionTrail,
    includeGlobalServiceEvents: trail.includeGlobalServiceEvents,
    selection: selectionOf(trail),
    validates: trail.logFileValidationEnabled,
    ...(trail.kmsKeyId === undefined ? {} : { kmsKeyArn: trail.kmsKeyId }),
  };
  const place = { bucket: trail.s3BucketName, prefix: trail.s3KeyPrefix ?? null };
  if (organizationId === undefined) return { ...base, target: place };
  return { ...base, target: { ...place, organizationId }, members: members ?? (await membersOf(catalog, organizationId)) };
}

/** What the call's own event names as touched. */
export function trailResources(trail: Trail) {
  return [
    { type: 'AWS::CloudTrail::Trail', name: trailArn(trail), account: trail.account },
    { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${trail.s3BucketName}` },
  ];
}
