/**
 * `DescribeTrails`: the trails of a Region, shadows included by default; or those that are named.
 *
 * The one operation with lower-camel members. `aws cloudtrail validate-logs` calls it without arguments and needs the
 * shadows. A name that nothing has is left out silently; a malformed one is refused.
 * Source: cloudtrail.md §7.5, §3.6.
 */
import type { Operation } from '../api/operation.ts';
import type { OperationDeps } from './change-trail.ts';
import { isSeenIn, matchTrail, seenTrails } from './find-trail.ts';
import { type Trail, type TrailOutput, trailOutput } from './trail.ts';
import { parseTrailReference } from './trail-name.ts';

interface DescribeTrailsInput {
  readonly trailNameList?: readonly string[];
  readonly includeShadowTrails?: boolean;
}

export function describeTrails(
  deps: Pick<OperationDeps, 'catalog'>,
): Operation<DescribeTrailsInput, { readonly trailList: readonly TrailOutput[] }> {
  return {
    name: 'DescribeTrails',
    isReadOnly: true,
    decide: async (call, { trailNameList = [], includeShadowTrails = true }) => {
      const references = trailNameList.map(parseTrailReference);
      const trails = await seenTrails(deps.catalog, call.account);
      const chosen =
        references.length === 0
          ? trails.filter(({ value }) => isSeenIn(value, call.region))
          : trails.filter((trail) => references.some((reference) => matchTrail(trails, reference, call) === trail));
      // A trail that is named by its ARN is no shadow for being homed elsewhere, unless it is one here.
      // A trail of the organization is a shadow in every member.
      const isShadow = (trail: Trail) =>
        trail.account !== call.account || (trail.homeRegion !== call.region && isSeenIn(trail, call.region));
      const shown = chosen.filter(({ value }) => includeShadowTrails || !isShadow(value));
      return { output: { trailList: shown.map(({ value }) => trailOutput(value)) } };
    },
  };
}
