/**
 * `DeleteTrail`: the trail is gone at once; what was accepted until then is still delivered. Objects stay.
 * Source: cloudtrail.md §7.4, §3.4.
 */
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { findTrailAtHome } from './find-trail.ts';
import { trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

export function deleteTrail(deps: OperationDeps): Operation<{ readonly Name?: string }, object> {
  return {
    name: 'DeleteTrail',
    isReadOnly: false,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:DeleteTrail', nameOrArn: input.Name }),
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const before = await findTrailAtHome(deps.catalog, call, input.Name ?? '');
      return {
        output: {},
        resources: trailResources(before.value),
        responseElements: null,
        narrows: `the trail ${trailArn(before.value)} is deleted`,
        apply: () => changeTrail(deps, { call, kind: 'delete', event: 'DeleteTrail', before }),
      };
    },
  };
}
