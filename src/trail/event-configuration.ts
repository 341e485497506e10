/**
 * What `PutEventConfiguration` and `GetEventConfiguration` share: which trail or event data store a call means, and the answer.
 *
 * There are no event data stores yet: whatever a well-formed name of one says, there is none of it.
 * Source: cloudtrail.md §4.4.
 */
import type { AggregationTemplate } from '../aggregate/templates.ts';
import type { AccessRequest } from '../api/access.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import { readUuidResource } from '../api/resource-rule.ts';
import type { OperationDeps } from './change-trail.ts';
import { type Trail, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** Whose configuration it is: exactly one of them. */
export interface ConfigurationTarget {
  readonly TrailName?: string;
  readonly EventDataStore?: string;
}

/** In the wire's words; one of them at most. */
export interface AggregationConfiguration {
  readonly EventCategory: 'Data';
  readonly Templates: readonly AggregationTemplate[];
}

/** The answer of both operations for a trail. */
export interface ConfigurationOutput {
  readonly TrailARN: string;
  readonly AggregationConfigurations: readonly AggregationConfiguration[];
}

export function configurationOutput(trail: Trail): ConfigurationOutput {
  const { aggregationTemplates } = trail;
  const of = aggregationTemplates === undefined ? [] : [{ EventCategory: 'Data' as const, Templates: aggregationTemplates }];
  return { TrailARN: trailArn(trail), AggregationConfigurations: of };
}

/**
 * What the caller must be allowed on the trail or the store. A call that names both or neither is refused after that.
 * @throws ApiError as the name that is given is malformed
 */
export async function configurationAccess(
  catalog: Pick<OperationDeps['catalog'], 'get' | 'list'>,
  call: Call,
  action: string,
  { TrailName, EventDataStore }: ConfigurationTarget,
): Promise<readonly AccessRequest[]> {
  if (TrailName !== undefined) return trailAccess(catalog, call, { action, nameOrArn: TrailName });
  const resource =
    EventDataStore === undefined ? `arn:aws:cloudtrail:${call.region}:${call.account}:trail/*` : storeArn(call, EventDataStore);
  return [{ action, resource }];
}

/**
 * The name of the trail that a call means.
 * @throws ApiError InvalidParameterCombinationException, EventDataStoreARNInvalidException, EventDataStoreNotFoundException
 */
export function requireTrailName(call: Call, { TrailName, EventDataStore }: ConfigurationTarget): string {
  if ((TrailName === undefined) === (EventDataStore === undefined))
    throw new ApiError('InvalidParameterCombinationException', 'Specify either TrailName or EventDataStore, and not both.');
  if (TrailName !== undefined) return TrailName;
  throw new ApiError('EventDataStoreNotFoundException', `The event data store ${storeArn(call, EventDataStore!)} does not exist.`);
}

function storeArn(call: Call, text: string): string {
  return readUuidResource('eventdatastore', text, call, 'EventDataStoreARNInvalidException');
}
