/**
 * `GetEventConfiguration`: how the data events of a trail are aggregated. Nothing is set where the list is empty.
 * Source: cloudtrail.md §4.4.
 */
import type { Operation } from '../api/operation.ts';
import type { OperationDeps } from './change-trail.ts';
import {
  type ConfigurationOutput,
  type ConfigurationTarget,
  configurationAccess,
  configurationOutput,
  requireTrailName,
} from './event-configuration.ts';
import { findTrail } from './find-trail.ts';

export function getEventConfiguration(deps: Pick<OperationDeps, 'catalog'>): Operation<ConfigurationTarget, ConfigurationOutput> {
  return {
    name: 'GetEventConfiguration',
    isReadOnly: true,
    access: (call, input) => configurationAccess(deps.catalog, call, 'cloudtrail:GetEventConfiguration', input),
    decide: async (call, input) => ({
      output: configurationOutput((await findTrail(deps.catalog, call, requireTrailName(call, input))).value),
    }),
  };
}
