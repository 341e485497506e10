/**
 * What a trail is: its settings as the catalog keeps them, its ARN, its place, and how clients see it.
 *
 * The document holds what callers decided. How far delivery is stands in `trail-state.ts`, which delivery alone writes,
 * so that a caller and a delivery never fight for one document.
 * Source: CloudTrail API Reference, "Trail"; cloudtrail.md §7.
 */
import type { AggregationTemplate } from '../aggregate/templates.ts';
import type { AccountId, BucketName, EpochMs, Region } from '../event/types.ts';
import type { AdvancedEventSelector, EventSelector, Selectors } from '../selector/selectors.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { LogTarget } from '../store/log-groups.ts';

/** Most trails that may be seen in a Region; multi-Region trails count in every Region (cloudtrail.md §7.8). */
export const TRAILS_PER_REGION_MAX = 5;

/** A trail by what never changes of it. */
export interface TrailId {
  readonly account: AccountId;
  readonly homeRegion: Region;
  readonly name: string;
}

/** A trail as it is kept, at `trailKey`. */
export interface Trail extends TrailId {
  readonly s3BucketName: BucketName;
  /** Without the slash that comes after it; absent when there is none. */
  readonly s3KeyPrefix?: string;
  readonly includeGlobalServiceEvents: boolean;
  readonly isMultiRegionTrail: boolean;
  readonly logFileValidationEnabled: boolean;
  /** Full ARN of the KMS key that log files and digests are encrypted with; absent when they are not. */
  readonly kmsKeyId?: string;
  /** Told of each delivery; absent when nobody is. */
  readonly snsTopicArn?: string;
  /** Where each event that the trail selects goes as well; absent when nowhere. */
  readonly cloudWatchLogs?: LogTarget;
  /** Of a trail of the whole organization, whose management account owns it. Absent: a trail of its account alone. */
  readonly organizationId?: string;
  /** Every organization that it was a trail of, the present one among them: files of each lie in its folder. Absent: none. */
  readonly organizationIds?: readonly string[];
  readonly isLogging: boolean;
  readonly createdAtMs: EpochMs;
  /** Of the last StartLogging and StopLogging; absent before the first. */
  readonly startLoggingAtMs?: EpochMs;
  readonly stopLoggingAtMs?: EpochMs;
  /** As PutEventSelectors took them, of one kind; neither before the first. */
  readonly eventSelectors?: readonly EventSelector[];
  readonly advancedEventSelectors?: readonly AdvancedEventSelector[];
  /** False: what CloudTrail's own deliveries cause is left out. Absent means true. */
  readonly recursiveLogging?: boolean;
  /** How its data events are aggregated, besides; absent when they are not. At least one, each once. */
  readonly aggregationTemplates?: readonly AggregationTemplate[];
}

/** Which of the events of its account and Regions a trail takes, and what it makes of them; empty for the default. */
export type TrailSelection = Selectors & Pick<Trail, 'recursiveLogging' | 'aggregationTemplates'>;

export function selectionOf({ eventSelectors, advancedEventSelectors, recursiveLogging, aggregationTemplates }: Trail): TrailSelection {
  return {
    ...(eventSelectors === undefined ? {} : { eventSelectors }),
    ...(advancedEventSelectors === undefined ? {} : { advancedEventSelectors }),
    ...(recursiveLogging === undefined ? {} : { recursiveLogging }),
    ...(aggregationTemplates === undefined ? {} : { aggregationTemplates }),
  };
}

/** Which events a trail takes. Saved with each batch, so that a repeat after a crash takes the same ones. */
export interface TrailScope {
  readonly account: AccountId;
  readonly homeRegion: Region;
  readonly isMultiRegionTrail: boolean;
  readonly includeGlobalServiceEvents: boolean;
  readonly selection: TrailSelection;
  /** Of a trail of an organization: the accounts whose events it takes. Absent: its own alone. */
  readonly members?: ReadonlySet<AccountId>;
}

export function trailArn({ account, homeRegion, name }: TrailId): string {
  return `arn:aws:cloudtrail:${homeRegion}:${account}:trail/${name}`;
}

/** Where a trail's settings lie in the catalog. */
export function trailKey({ account, homeRegion, name }: TrailId): CatalogKey {
  return ['trail', account, homeRegion, name];
}

/** The trail's follower, in metrics and accounting. */
export function followerName({ account, homeRegion, name }: TrailId): string {
  return `trail/${account}/${homeRegion}/${name}`;
}

/** `[prefix/]AWSLogs/<account>/`: all that the trail writes for an account lies below; the key of the probe object too. */
export function accountFolder(prefix: string | undefined, account: AccountId): string {
  return `${prefix === undefined || prefix === '' ? '' : `${prefix}/`}AWSLogs/${account}/`;
}

/** `[prefix/]AWSLogs/<organization id>/`: below it, each account of an organization trail has its folder. */
export function organizationFolder(prefix: string | undefined, organizationId: string): string {
  return `${prefix === undefined || prefix === '' ? '' : `${prefix}/`}AWSLogs/${organizationId}/`;
}

/**
 * Which events a trail takes, by its settings.
 * @param settings.members As in `DeliverySettings`; a set of them is kept with the list, which is asked of every event.
 */
export function trailScope(
  { account, homeRegion }: Pick<TrailId, 'account' | 'homeRegion'>,
  settings: Pick<TrailScope, 'isMultiRegionTrail' | 'includeGlobalServiceEvents' | 'selection'> & {
    readonly members?: readonly AccountId[];
  },
): TrailScope {
  const { isMultiRegionTrail, includeGlobalServiceEvents, selection, members } = settings;
  return {
    ...{ account, homeRegion, isMultiRegionTrail, includeGlobalServiceEvents, selection },
    ...(members === undefined ? {} : { members: setOf(members) }),
  };
}

const SETS = new WeakMap<readonly AccountId[], ReadonlySet<AccountId>>();

function setOf(members: readonly AccountId[]): ReadonlySet<AccountId> {
  const known = SETS.get(members) ?? new Set(members);
  SETS.set(members, known);
  return known;
}

/** The folder of an account's log files and digests, of a trail of the account or of its organization. */
export function filesFolder(
  { prefix, organizationId }: { readonly prefix: string | null; readonly organizationId?: string | undefined },
  account: AccountId,
): string {
  if (organizationId === undefined) return accountFolder(prefix ?? undefined, account);
  return `${organizationFolder(prefix ?? undefined, organizationId)}${account}/`;
}

/** Whether a trail takes events of the account. */
export function takesAccount({ account, members }: Pick<TrailScope, 'account' | 'members'>, of: AccountId): boolean {
  return members === undefined ? of === account : members.has(of);
}

/**
 * Where receipts and public keys lie, with a slash at the end. It tells trails that share a bucket apart.
 * Those of an organization's trail lie in the folder of the management account, so that they stay where they are when a trail becomes one, or ceases to be.
 */
export function evidenceFolder(trail: TrailId, prefix: string | undefined): string {
  return `${accountFolder(prefix, trail.account)}CloudTrail-Evidence/${trail.homeRegion}/${trail.name}/`;
}

/** Members that create and update answers share, in the wire's words. Absent texts are left out, not null. */
export interface TrailSettingsOutput {
  readonly Name: string;
  readonly S3BucketName: string;
  readonly S3KeyPrefix?: string;
  readonly KmsKeyId?: string;
  readonly SnsTopicName?: string;
  readonly SnsTopicARN?: string;
  readonly IncludeGlobalServiceEvents: boolean;
  readonly IsMultiRegionTrail: boolean;
  readonly TrailARN: string;
  readonly LogFileValidationEnabled: boolean;
  readonly CloudWatchLogsLogGroupArn?: string;
  readonly CloudWatchLogsRoleArn?: string;
  readonly IsOrganizationTrail: boolean;
  readonly RecursiveLogging: boolean;
}

/** The answer of CreateTrail and UpdateTrail. */
export function settingsOutput(trail: Trail): TrailSettingsOutput {
  return {
    Name: trail.name,
    S3BucketName: trail.s3BucketName,
    ...(trail.s3KeyPrefix === undefined ? {} : { S3KeyPrefix: trail.s3KeyPrefix }),
    // The name is out of use, and is still told.
    ...(trail.kmsKeyId === undefined ? {} : { KmsKeyId: trail.kmsKeyId }),
    ...(trail.snsTopicArn === undefined ? {} : { SnsTopicName: trail.snsTopicArn.split(':').at(-1)!, SnsTopicARN: trail.snsTopicArn }),
    IncludeGlobalServiceEvents: trail.includeGlobalServiceEvents,
    IsMultiRegionTrail: trail.isMultiRegionTrail,
    TrailARN: trailArn(trail),
    LogFileValidationEnabled: trail.logFileValidationEnabled,
    ...(trail.cloudWatchLogs === undefined
      ? {}
      : { CloudWatchLogsLogGroupArn: trail.cloudWatchLogs.logGroupArn, CloudWatchLogsRoleArn: trail.cloudWatchLogs.roleArn }),
    IsOrganizationTrail: trail.organizationId !== undefined,
    RecursiveLogging: trail.recursiveLogging ?? true,
  };
}

export interface TrailOutput extends TrailSettingsOutput {
  readonly HomeRegion: string;
  readonly HasCustomEventSelectors: boolean;
  readonly HasInsightSelectors: boolean;
}

/** A trail as GetTrail and DescribeTrails show it. */
export function trailOutput(trail: Trail): TrailOutput {
  const { homeRegion, eventSelectors, advancedEventSelectors } = trail;
  const HasCustomEventSelectors = eventSelectors !== undefined || advancedEventSelectors !== undefined;
  return { ...settingsOutput(trail), HomeRegion: homeRegion, HasCustomEventSelectors, HasInsightSelectors: false };
}
