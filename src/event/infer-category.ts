/**
 * The category of a record, also of one that does not state it.
 *
 * Records before version 1.07 carry no `eventCategory`. The order of evidence: the category itself, then
 * `managementEvent`, then the event type, then what is known of the API, then management.
 * Source: cloudtrail.md §1.4, §6 "Category of a record that doesn't state it"; the service guides' tables of data events.
 */
import { booleanMember, textMember } from './members.ts';
import type { EventCategory, JsonObject } from './types.ts';

const CATEGORIES: ReadonlySet<string> = new Set<EventCategory>([
  'Management',
  'Data',
  'NetworkActivity',
  'Insight',
  'Aggregated',
  'ConfigurationItem',
  'Evidence',
  'ActivityAuditLog',
]);

/** Event types that belong to one category. `AwsVpceEvents` is the spelling of one table in the guide. */
const CATEGORY_OF_TYPE: ReadonlyMap<string, EventCategory> = new Map([
  ['AwsCloudTrailInsight', 'Insight'],
  ['AwsVpceEvent', 'NetworkActivity'],
  ['AwsVpceEvents', 'NetworkActivity'],
  ['AwsAggregatedEvent', 'Aggregated'],
  ['AwsConfigurationItem', 'ConfigurationItem'],
  ['AwsAuditManagerEvidence', 'Evidence'],
  ['ActivityLog', 'ActivityAuditLog'],
]);

/** APIs that are data events, by event source. Only sources that wrote data events before `eventCategory` existed. */
const DATA_APIS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    's3.amazonaws.com':
      'AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject DeleteObjectTagging DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent HeadBucket HeadObject ListMultipartUploads ListObjectVersions ListObjects ListObjectsV2 ListParts PostObject PutObject PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging RestoreObject SelectObjectContent UploadPart UploadPartCopy WriteGetObjectResponse',
    'lambda.amazonaws.com': 'Invoke InvokeAsync InvokeExecution InvokeWithResponseStream',
    'dynamodb.amazonaws.com':
      'BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction GetItem GetRecords GetShardIterator PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem',
    'ebs.amazonaws.com': 'CompleteSnapshot GetSnapshotBlock ListChangedBlocks ListSnapshotBlocks PutSnapshotBlock StartSnapshot',
    'managedblockchain.amazonaws.com': 'GET POST',
    's3-outposts.amazonaws.com':
      'AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject DeleteObjectTagging DeleteObjects GetObject GetObjectTagging HeadBucket HeadObject ListMultipartUploads ListObjects ListParts PutObject PutObjectTagging UploadPart',
    'sns.amazonaws.com': 'Publish PublishBatch',
    'sqs.amazonaws.com':
      'ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch ReceiveMessage SendMessage SendMessageBatch',
    'rdsdata.amazonaws.com': 'BatchExecuteStatement BeginTransaction CommitTransaction ExecuteSql ExecuteStatement RollbackTransaction',
    'cloudtrail-data.amazonaws.com': 'PutAuditEvents',
    'sagemaker.amazonaws.com': 'BatchGetMetrics BatchPutMetrics DeleteRecord GetRecord InvokeEndpoint InvokeEndpointAsync PutRecord',
  }).map(([source, names]) => [source, new Set(names.split(' '))]),
);

/** The category that the record states, or the one that follows from what it says. Untrusted input; never fails. */
export function inferCategory(record: JsonObject): EventCategory {
  const stated = textMember(record, 'eventCategory');
  if (stated !== undefined && CATEGORIES.has(stated)) return stated as EventCategory;

  const ofType = CATEGORY_OF_TYPE.get(textMember(record, 'eventType') ?? '');
  const isManagement = booleanMember(record, 'managementEvent');
  if (isManagement !== undefined) return isManagement ? 'Management' : (ofType ?? 'Data');
  if (ofType !== undefined) return ofType;

  const names = DATA_APIS.get(textMember(record, 'eventSource') ?? '');
  return names?.has(textMember(record, 'eventName') ?? '') ? 'Data' : 'Management';
}
