/**
 * `StartLogging`: events that are accepted after it are delivered. On a trail that is logging it changes nothing.
 * Source: cloudtrail.md §7.4.
 */
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { findTrailAtHome } from './find-trail.ts';
import { trailAccess } from './trail-access.ts';

export function startLogging(deps: OperationDeps): Operation<{ readonly Name?: string }, object> {
  return {
    name: 'StartLogging',
    isReadOnly: false,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:StartLogging', nameOrArn: input.Name }),
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const before = await findTrailAtHome(deps.catalog, call, input.Name ?? '');
      const resources = trailResources(before.value);
      if (before.value.isLogging) return { output: {}, resources, responseElements: null };
      const after = { ...before.value, isLogging: true, startLoggingAtMs: call.receivedAtMs };
      return {
        output: {},
        resources,
        responseElements: null,
        apply: () => changeTrail(deps, { call, kind: 'start', event: 'StartLogging', before, after }),
      };
    },
  };
}
