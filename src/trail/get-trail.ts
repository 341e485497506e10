/**
 * `GetTrail`: one trail, by name or ARN, seen from any Region that it is in.
 * Source: cloudtrail.md §7.5.
 */
import type { Operation } from '../api/operation.ts';
import type { OperationDeps } from './change-trail.ts';
import { findTrail } from './find-trail.ts';
import { type TrailOutput, trailOutput } from './trail.ts';
import { trailAccess } from './trail-access.ts';

export function getTrail(deps: Pick<OperationDeps, 'catalog'>): Operation<{ readonly Name?: string }, { readonly Trail: TrailOutput }> {
  return {
    name: 'GetTrail',
    isReadOnly: true,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:GetTrail', nameOrArn: input.Name }),
    decide: async (call, input) => ({ output: { Trail: trailOutput((await findTrail(deps.catalog, call, input.Name ?? '')).value) } }),
  };
}
