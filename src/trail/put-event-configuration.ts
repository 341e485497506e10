/**
 * `PutEventConfiguration`: by which templates the data events of a trail are aggregated. The list given replaces the one before; an
 * empty one ends it.
 *
 * A trail keeps its configuration when its selectors choose no data events any more: there is nothing to count until they do again
 * (docs/decisions/0022-aggregated-events.md).
 * Source: cloudtrail.md §4.4.
 */
import { type AggregationTemplate, TEMPLATES } from '../aggregate/templates.ts';
import { ApiError } from '../api/api-error.ts';
import { type Operation, REPEATS_MS } from '../api/operation.ts';
import { selectsCategory } from '../selector/normalize.ts';
import { changeTrail, type OperationDeps, trailResources } from './change-trail.ts';
import {
  type AggregationConfiguration,
  type ConfigurationOutput,
  type ConfigurationTarget,
  configurationAccess,
  configurationOutput,
  requireTrailName,
} from './event-configuration.ts';
import { findTrailAtHome } from './find-trail.ts';
import { type Trail, trailArn } from './trail.ts';

export interface ConfigurationInput extends ConfigurationTarget {
  /** Of event data stores alone, as are context keys. */
  readonly MaxEventSize?: 'Standard' | 'Large';
  readonly ContextKeySelectors?: readonly { readonly Type: string; readonly Equals: readonly string[] }[];
  /** Of trails alone. */
  readonly AggregationConfigurations?: readonly AggregationConfiguration[];
}

export function putEventConfiguration(deps: OperationDeps): Operation<ConfigurationInput, ConfigurationOutput> {
  return {
    name: 'PutEventConfiguration',
    isReadOnly: false,
    access: (call, input) => configurationAccess(deps.catalog, call, 'cloudtrail:PutEventConfiguration', input),
    refusesReplay: { afterMs: REPEATS_MS },
    decide: async (call, input) => {
      requireMembersOfTarget(input);
      const before = await findTrailAtHome(deps.catalog, call, requireTrailName(call, input));
      const after = withTemplates(before.value, templatesOf(input));
      requireDataEvents(after);
      const decided = { output: configurationOutput(after), resources: trailResources(after) };
      const takesNoMore = TEMPLATES.filter((template) => isTakenAway(template, before.value, after));
      if (JSON.stringify(before.value.aggregationTemplates) === JSON.stringify(after.aggregationTemplates)) return decided;
      return {
        ...decided,
        ...(takesNoMore.length > 0 && {
          narrows: `the trail ${trailArn(after)} aggregates data events no more by ${takesNoMore.join(', ')}`,
        }),
        apply: () =>
          changeTrail(deps, {
            ...{ call, kind: 'update', event: 'PutEventConfiguration', before, after },
            takesNoMore: takesNoMore.map((template) => `aggregated data events of the template ${template}`),
          }),
      };
    },
  };
}

/**
 * What a trail and an event data store have is not the same.
 * @throws ApiError InvalidParameterCombinationException, InvalidParameterException
 */
function requireMembersOfTarget(input: ConfigurationInput): void {
  const { TrailName, MaxEventSize, ContextKeySelectors, AggregationConfigurations } = input;
  const refuse = (message: string) => new ApiError('InvalidParameterCombinationException', message);
  if (TrailName !== undefined) {
    if (MaxEventSize !== undefined || ContextKeySelectors !== undefined)
      throw refuse('MaxEventSize and ContextKeySelectors are of event data stores: they cannot be given with TrailName.');
    if (AggregationConfigurations === undefined) throw refuse('AggregationConfigurations must be given with TrailName.');
    return;
  }
  if (AggregationConfigurations !== undefined)
    throw refuse('AggregationConfigurations are of trails: they cannot be given with EventDataStore.');
  if (MaxEventSize === undefined && ContextKeySelectors === undefined)
    throw refuse('MaxEventSize or ContextKeySelectors must be given with EventDataStore.');
  const types = (ContextKeySelectors ?? []).map(({ Type }) => Type);
  if (new Set(types).size < types.length)
    throw new ApiError('InvalidParameterException', `There is more than one context key selector of the type ${types[0]}.`);
  if (types.length > 0 && MaxEventSize === 'Standard') throw refuse('MaxEventSize must be Large where there are context key selectors.');
}

/** Each once, in the order given; none for an empty list. */
function templatesOf({ AggregationConfigurations }: ConfigurationInput): readonly AggregationTemplate[] {
  return [...new Set((AggregationConfigurations ?? []).flatMap(({ Templates }) => Templates))];
}

function withTemplates(trail: Trail, templates: readonly AggregationTemplate[]): Trail {
  const { aggregationTemplates: _, ...rest } = trail;
  return templates.length === 0 ? rest : { ...rest, aggregationTemplates: templates };
}

/** @throws ApiError InvalidParameterException */
function requireDataEvents(trail: Trail): void {
  if (trail.aggregationTemplates === undefined || selectsCategory(trail, 'Data')) return;
  throw new ApiError(
    'InvalidParameterException',
    `The trail ${trailArn(trail)} logs no data events: choose them with PutEventSelectors before they are aggregated.`,
  );
}

function isTakenAway(template: AggregationTemplate, before: Trail, after: Trail): boolean {
  return (before.aggregationTemplates ?? []).includes(template) && !(after.aggregationTemplates ?? []).includes(template);
}
