/**
 * `StopLogging`: events up to and including this call are delivered, a last digest follows, then nothing. The journal, the
 * history and the evidence tree go on. On a trail that is not logging it changes nothing.
 * Source: cloudtrail.md §7.4, §3.4; reliability.md P17, A19.
 */
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { findTrailAtHome } from './find-trail.ts';
import { trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

export function stopLogging(deps: OperationDeps): Operation<{ readonly Name?: string }, object> {
  return {
    name: 'StopLogging',
    isReadOnly: false,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:StopLogging', nameOrArn: input.Name }),
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const before = await findTrailAtHome(deps.catalog, call, input.Name ?? '');
      const resources = trailResources(before.value);
      if (!before.value.isLogging) return { output: {}, resources, responseElements: null };
      const after = { ...before.value, isLogging: false, stopLoggingAtMs: call.receivedAtMs };
      return {
        output: {},
        resources,
        responseElements: null,
        narrows: `the trail ${trailArn(before.value)} stops delivering`,
        apply: () => changeTrail(deps, { call, kind: 'stop', event: 'StopLogging', before, after }),
      };
    },
  };
}
