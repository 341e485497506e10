/**
 * `ListTrails`: all trails of the account and of its organization, over all Regions. Five a Region come on one page, so there is no token.
 * Source: cloudtrail.md §7.5.
 */
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { OperationDeps } from './change-trail.ts';
import { seenTrails } from './find-trail.ts';
import { trailArn } from './trail.ts';

interface ListTrailsOutput {
  readonly Trails: readonly { readonly TrailARN: string; readonly Name: string; readonly HomeRegion: string }[];
}

export function listTrails(deps: Pick<OperationDeps, 'catalog'>): Operation<{ readonly NextToken?: string }, ListTrailsOutput> {
  return {
    name: 'ListTrails',
    isReadOnly: true,
    decide: async (call, input) => {
      // ListTrails declares no exception for tokens.
      if ((input.NextToken ?? '') !== '')
        throw new ApiError('UnsupportedOperationException', 'NextToken is not valid: all trails are on the first page.');
      const trails = await seenTrails(deps.catalog, call.account);
      return {
        output: { Trails: trails.map(({ value }) => ({ TrailARN: trailArn(value), Name: value.name, HomeRegion: value.homeRegion })) },
      };
    },
  };
}
