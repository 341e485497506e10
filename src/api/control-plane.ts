/**
 * All operations of CloudTrail and CloudTrail Data: IAM action, access level, and which resource a call works on.
 *
 * Shapes, constraints and errors of each are in the generated model; this is what the model does not say. An operation that is
 * built has its own `access`, which agrees with its row; one that is not is refused as `UnsupportedOperationException`, after its
 * input was found to be well formed and its caller to be allowed (`notBuiltOperation`).
 *
 * Source: Service Authorization Reference, "AWS CloudTrail" and "AWS CloudTrail Data"; cloudtrail.md §14.
 */
import type { AccessRequest } from './access.ts';
import { unsupported } from './api-error.ts';
import { operationModel } from './model.ts';
import type { Call, Operation } from './operation.ts';
import { type ReadResource, type ResourceRule, readResources } from './resource-rule.ts';

/** Of IAM: what policies of managed names such as `ReadOnlyAccess` go by. */
export type AccessLevel = 'List' | 'Read' | 'Tagging' | 'Write';

export interface OperationRow {
  readonly accessLevel: AccessLevel;
  readonly resource: ResourceRule;
  /** Where it is not the operation's own name. */
  readonly action?: string;
}

const STORE: ResourceRule = ['eventdatastore', 'EventDataStore'];
const NAMED_TRAIL: ResourceRule = ['trail', 'Name'];
const TRAIL_OR_STORE: ResourceRule = ['trail', 'TrailName', 'eventdatastore', 'EventDataStore'];
const CHANNEL: ResourceRule = ['channel', 'Channel'];
const DASHBOARD: ResourceRule = ['dashboard', 'DashboardId'];
const RESOURCE: ResourceRule = ['arn', 'ResourceArn'];

/** By wire name. A `Map`, so that `constructor` and `__proto__` are just unknown names (A62). */
export const CONTROL_PLANE: ReadonlyMap<string, OperationRow> = new Map<string, OperationRow>([
  ['AddTags', { accessLevel: 'Tagging', resource: ['arn', 'ResourceId'] }],
  ['CancelQuery', { accessLevel: 'Write', resource: STORE }],
  ['CreateChannel', { accessLevel: 'Write', resource: ['channel'] }],
  ['CreateDashboard', { accessLevel: 'Write', resource: ['dashboard', 'Name'] }],
  ['CreateEventDataStore', { accessLevel: 'Write', resource: ['eventdatastore'] }],
  ['CreateTrail', { accessLevel: 'Write', resource: NAMED_TRAIL }],
  ['DeleteChannel', { accessLevel: 'Write', resource: CHANNEL }],
  ['DeleteDashboard', { accessLevel: 'Write', resource: DASHBOARD }],
  ['DeleteEventDataStore', { accessLevel: 'Write', resource: STORE }],
  ['DeleteResourcePolicy', { accessLevel: 'Write', resource: RESOURCE }],
  ['DeleteTrail', { accessLevel: 'Write', resource: NAMED_TRAIL }],
  ['DeregisterOrganizationDelegatedAdmin', { accessLevel: 'Write', resource: '*' }],
  ['DescribeQuery', { accessLevel: 'Read', resource: STORE }],
  ['DescribeTrails', { accessLevel: 'Read', resource: '*' }],
  ['DisableFederation', { accessLevel: 'Write', resource: STORE }],
  ['EnableFederation', { accessLevel: 'Write', resource: STORE }],
  ['GenerateQuery', { accessLevel: 'Write', resource: ['eventdatastore', 'EventDataStores'] }],
  ['GetChannel', { accessLevel: 'Read', resource: CHANNEL }],
  ['GetDashboard', { accessLevel: 'Read', resource: DASHBOARD }],
  ['GetEventConfiguration', { accessLevel: 'Read', resource: TRAIL_OR_STORE }],
  ['GetEventDataStore', { accessLevel: 'Read', resource: STORE }],
  ['GetEventSelectors', { accessLevel: 'Read', resource: ['trail', 'TrailName'] }],
  ['GetImport', { accessLevel: 'Read', resource: '*' }],
  ['GetInsightSelectors', { accessLevel: 'Read', resource: TRAIL_OR_STORE }],
  ['GetQueryResults', { accessLevel: 'Read', resource: STORE }],
  ['GetResourcePolicy', { accessLevel: 'Read', resource: RESOURCE }],
  ['GetTrail', { accessLevel: 'Read', resource: NAMED_TRAIL }],
  ['GetTrailStatus', { accessLevel: 'Read', resource: NAMED_TRAIL }],
  ['ListChannels', { accessLevel: 'List', resource: '*' }],
  ['ListDashboards', { accessLevel: 'List', resource: '*' }],
  ['ListEventDataStores', { accessLevel: 'List', resource: '*' }],
  ['ListImportFailures', { accessLevel: 'Read', resource: '*' }],
  ['ListImports', { accessLevel: 'List', resource: '*' }],
  ['ListInsightsData', { accessLevel: 'List', resource: ['arn', 'InsightSource'] }],
  // Without an action of its own: whoever may look events up may count them.
  ['ListInsightsMetricData', { accessLevel: 'Read', resource: '*', action: 'LookupEvents' }],
  ['ListPublicKeys', { accessLevel: 'Read', resource: '*' }],
  ['ListQueries', { accessLevel: 'List', resource: STORE }],
  ['ListTags', { accessLevel: 'Read', resource: ['arn', 'ResourceIdList'] }],
  ['ListTrails', { accessLevel: 'List', resource: '*' }],
  ['LookupEvents', { accessLevel: 'Read', resource: '*' }],
  ['PutAuditEvents', { accessLevel: 'Write', resource: ['channel', 'channelArn'] }],
  ['PutEventConfiguration', { accessLevel: 'Write', resource: TRAIL_OR_STORE }],
  ['PutEventSelectors', { accessLevel: 'Write', resource: ['trail', 'TrailName'] }],
  ['PutInsightSelectors', { accessLevel: 'Write', resource: TRAIL_OR_STORE }],
  ['PutResourcePolicy', { accessLevel: 'Write', resource: RESOURCE }],
  ['RegisterOrganizationDelegatedAdmin', { accessLevel: 'Write', resource: '*' }],
  ['RemoveTags', { accessLevel: 'Tagging', resource: ['arn', 'ResourceId'] }],
  ['RestoreEventDataStore', { accessLevel: 'Write', resource: STORE }],
  ['SearchSampleQueries', { accessLevel: 'Read', resource: '*' }],
  ['StartDashboardRefresh', { accessLevel: 'Write', resource: DASHBOARD }],
  ['StartEventDataStoreIngestion', { accessLevel: 'Write', resource: STORE }],
  ['StartImport', { accessLevel: 'Write', resource: '*' }],
  ['StartLogging', { accessLevel: 'Write', resource: NAMED_TRAIL }],
  ['StartQuery', { accessLevel: 'Write', resource: ['eventdatastore'] }],
  ['StopEventDataStoreIngestion', { accessLevel: 'Write', resource: STORE }],
  ['StopImport', { accessLevel: 'Write', resource: '*' }],
  ['StopLogging', { accessLevel: 'Write', resource: NAMED_TRAIL }],
  ['UpdateChannel', { accessLevel: 'Write', resource: CHANNEL }],
  ['UpdateDashboard', { accessLevel: 'Write', resource: DASHBOARD }],
  ['UpdateEventDataStore', { accessLevel: 'Write', resource: STORE }],
  ['UpdateTrail', { accessLevel: 'Write', resource: NAMED_TRAIL }],
]);

/** Whether an operation changes nothing. */
export function isReadOnly({ accessLevel }: OperationRow): boolean {
  return accessLevel === 'List' || accessLevel === 'Read';
}

/** What a call must be allowed, as the row says; what it names need not exist. @throws ApiError when it names nothing that could. */
function rowAccess(name: string, call: Call, input: object, readResource: ReadResource): readonly AccessRequest[] {
  const row = CONTROL_PLANE.get(name)!;
  const action = `${operationModel(name)!.service}:${row.action ?? name}`;
  return readResources(row.resource, call, input, readResource).map((resource) => ({ action, resource }));
}

/** All operations of a service: those that are built, and for every other one its refusal. */
export function completeTable(
  service: 'cloudtrail' | 'cloudtrail-data',
  built: readonly Operation[],
  readResource: ReadResource,
): readonly Operation[] {
  const names = new Set(built.map(({ name }) => name));
  const missing = [...CONTROL_PLANE.keys()].filter((name) => operationModel(name)!.service === service && !names.has(name));
  return [...built, ...missing.map((name) => notBuiltOperation(name, readResource) as Operation)];
}

function notBuiltOperation(name: string, readResource: ReadResource): Operation<object> {
  return {
    name,
    isReadOnly: isReadOnly(CONTROL_PLANE.get(name)!),
    access: (call, input) => rowAccess(name, call, input, readResource),
    decide: async () => {
      throw unsupported(name);
    },
  };
}
