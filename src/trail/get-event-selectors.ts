/**
 * `GetEventSelectors`: the selectors in force, of the kind that was set; the default as an advanced list, as the service shows it.
 * Source: cloudtrail.md §4.1.
 */
import type { Operation } from '../api/operation.ts';
import { type AdvancedEventSelector, DEFAULT_SELECTORS, type EventSelector } from '../selector/selectors.ts';
import type { OperationDeps } from './change-trail.ts';
import { findTrail } from './find-trail.ts';
import { type Trail, trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** The answer of both operations, in the wire's words. */
export interface SelectorsOutput {
  readonly TrailARN: string;
  readonly EventSelectors?: readonly EventSelector[];
  readonly AdvancedEventSelectors?: readonly AdvancedEventSelector[];
}

export function selectorsOutput(trail: Trail): SelectorsOutput {
  const { eventSelectors, advancedEventSelectors = DEFAULT_SELECTORS } = trail;
  const TrailARN = trailArn(trail);
  return eventSelectors === undefined
    ? { TrailARN, AdvancedEventSelectors: advancedEventSelectors }
    : { TrailARN, EventSelectors: eventSelectors };
}

export function getEventSelectors(deps: Pick<OperationDeps, 'catalog'>): Operation<{ readonly TrailName?: string }, SelectorsOutput> {
  return {
    name: 'GetEventSelectors',
    isReadOnly: true,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:GetEventSelectors', nameOrArn: input.TrailName }),
    decide: async (call, input) => ({ output: selectorsOutput((await findTrail(deps.catalog, call, input.TrailName ?? '')).value) }),
  };
}
