/**
 * `PutEventSelectors`: the list given replaces all selectors of the trail, and setting one kind erases the other.
 *
 * What the trail takes no more is on record before it takes effect, in the change's `configuration` fact (reliability.md A21).
 * Source: cloudtrail.md §4.1.
 */
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { lostCoverage } from '../selector/lost-coverage.ts';
import { readSelectors, type SelectorsInput } from '../selector/read-selectors.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import { findTrailAtHome } from './find-trail.ts';
import { type SelectorsOutput, selectorsOutput } from './get-event-selectors.ts';
import { trailArn } from './trail.ts';
import { trailAccess } from './trail-access.ts';

/** Sentences that a person who approves the change is shown. */
const NARROWS_SHOWN_MAX = 3;

export function putEventSelectors(deps: OperationDeps): Operation<SelectorsInput & { readonly TrailName?: string }, SelectorsOutput> {
  return {
    name: 'PutEventSelectors',
    isReadOnly: false,
    access: (call, input) => trailAccess(deps.catalog, call, { action: 'cloudtrail:PutEventSelectors', nameOrArn: input.TrailName }),
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      const before = await findTrailAtHome(deps.catalog, call, input.TrailName ?? '');
      const { eventSelectors: _basic, advancedEventSelectors: _advanced, ...rest } = before.value;
      const selectors = readSelectors(input);
      const after = { ...rest, ...selectors };
      const takesNoMore = lostCoverage(before.value, selectors);
      return {
        output: selectorsOutput(after),
        resources: trailResources(after),
        ...(takesNoMore.length === 0 ? {} : { narrows: `the trail ${trailArn(after)} takes no more: ${clause(takesNoMore)}` }),
        apply: () => changeTrail(deps, { call, kind: 'update', event: 'PutEventSelectors', before, after, takesNoMore }),
      };
    },
  };
}

/** The first of them, for a person who decides; the fact has all. */
function clause(takesNoMore: readonly string[]): string {
  const rest = takesNoMore.length - NARROWS_SHOWN_MAX;
  return [...takesNoMore.slice(0, NARROWS_SHOWN_MAX), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
