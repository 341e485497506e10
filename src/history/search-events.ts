/**
 * Snowtrail's searches over event history: `SearchEvents`, `WhoTouched`, `ExportEvents`.
 *
 * Several filters at once, over every account and Region that the caller may see. They differ in what they require and
 * in the order: an export is by event time, then by sequence, oldest first, so that two runs give the same bytes.
 *
 * Source: features.md RC2, RC5, EV1, EV12; experience.md §6.
 */
import { ApiError } from '../api/api-error.ts';
import type { EventView } from '../api/event-view.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { filterParameters, matchesFilter, readFilter, scopesOf, termsOf } from './event-filter.ts';
import { viewEvent } from './event-view.ts';
import { findEvents } from './find-events.ts';
import type { HistoryDeps } from './history-deps.ts';
import { HISTORY_MS } from './index-events.ts';
import { type PagePlace, readPlace, writePlace } from './page-place.ts';
import { readCount, readSequence, readText, readWord } from './read-input.ts';
import { type UnreadableView, viewUnreadable } from './unreadable.ts';

/** One page. */
export interface SearchOutput {
  readonly Events: readonly EventView[];
  /** Give it with the same parameters for the next page; absent on the last one. */
  readonly NextToken?: string;
  /** Newest sequence that the search saw; give it as `ToSequence` to see exactly the same again. */
  readonly ToSequence: string;
  /** Damaged entries that may belong to the search, and that no page has; absent when all can be read. */
  readonly Unreadable?: readonly UnreadableView[];
}

const PAGE_MAX = 1_000;

interface SearchKind {
  readonly name: string;
  readonly resultsDefault: number;
  /** Fixed; `undefined` where the input's `Order` decides. */
  readonly order?: 'oldest';
  readonly isResourceRequired?: boolean;
}

/** Newest first, or oldest first with `Order`. Input: the members of a filter, `Order`, `MaxResults`, `NextToken`, `ToSequence`. */
export function searchEvents(deps: HistoryDeps): Operation<JsonObject, SearchOutput> {
  return search(deps, { name: 'SearchEvents', resultsDefault: 50 });
}

/** The events that name a resource, in any of its forms. Input as for `SearchEvents`; `Resource` is required. */
export function whoTouched(deps: HistoryDeps): Operation<JsonObject, SearchOutput> {
  return search(deps, { name: 'WhoTouched', resultsDefault: 50, isResourceRequired: true });
}

/** By event time, then sequence, oldest first. Input as for `SearchEvents`. */
export function exportEvents(deps: HistoryDeps): Operation<JsonObject, SearchOutput> {
  return search(deps, { name: 'ExportEvents', resultsDefault: PAGE_MAX, order: 'oldest' });
}

function search(deps: HistoryDeps, kind: SearchKind): Operation<JsonObject, SearchOutput> {
  return {
    name: kind.name,
    isReadOnly: true,
    decide: async (call, input) => {
      const filter = readFilter(call, input);
      if (kind.isResourceRequired && filter.resource === undefined) {
        throw new ApiError('ValidationException', '`Resource` is missing; expected an ARN, a name, or `s3://bucket/key`');
      }
      const order = kind.order ?? readWord(input, 'Order', ['newest', 'oldest']) ?? 'newest';
      const limit = readCount(input, 'MaxResults', { min: 1, max: PAGE_MAX, fallback: kind.resultsDefault });
      const { request, place } = await readToken(deps, call, kind.name, input);
      const sequenceMax = place?.sequenceMax ?? readSequence(input, 'ToSequence') ?? deps.index.coveredTo();
      const page = await findEvents(deps, {
        scopes: scopesOf(call, filter, deps.index.scopes()),
        alternatives: termsOf(filter),
        fromMs: Math.max(filter.fromMs ?? 0, deps.clock.nowMs() - HISTORY_MS),
        toMs: filter.toMs ?? Number.MAX_SAFE_INTEGER,
        sequenceMax,
        ...(place && { after: place.after }),
        order,
        limit,
        matches: (found) => matchesFilter(filter, found),
      });
      const NextToken = page.next && (await deps.tokens.seal(call, request, writePlace({ after: page.next, sequenceMax })));
      return {
        output: {
          Events: page.events.map(viewEvent),
          ...(NextToken !== undefined && { NextToken }),
          ToSequence: String(sequenceMax),
          ...viewUnreadable(page.unreadable),
        },
      };
    },
  };
}

/** @throws ApiError `InvalidNextTokenException` */
async function readToken(deps: Pick<HistoryDeps, 'tokens'>, call: Call, operation: string, input: JsonObject) {
  const { Order, MaxResults, ToSequence } = input;
  const request = { operation: `snowtrail:${operation}`, parameters: { ...filterParameters(input), Order, MaxResults, ToSequence } };
  const token = readText(input, 'NextToken');
  let place: PagePlace | undefined;
  if (token !== undefined) {
    const text = await deps.tokens.open(call, request, token);
    if (text === undefined) {
      throw new ApiError('InvalidNextTokenException', '`NextToken` is not valid, or was given for another request; begin again without it');
    }
    place = readPlace(text);
  }
  return { request, place };
}
