/**
 * CloudTrail's `LookupEvents`: management events (or Insights events) of the caller's account and Region, 90 days.
 *
 * One attribute or none, matched exactly; newest first; pages bound to their request. A second attribute is refused:
 * the service is said to ignore it in silence, and an answer that is wider than asked for misleads. So does one that lacks
 * damaged entries: its shape has no place to say so, and it is refused with what to do instead (P8).
 *
 * Source: cloudtrail.md §6; reliability.md A13, A55, A66; CloudTrail API Reference, LookupEvents.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { EpochMs, JsonObject } from '../event/types.ts';
import type { HistoryAttribute } from '../store/history-index.ts';
import { findEvents } from './find-events.ts';
import type { FoundEvent } from './found-events.ts';
import type { HistoryDeps } from './history-deps.ts';
import { HISTORY_MS } from './index-events.ts';
import { type PagePlace, readPlace, writePlace } from './page-place.ts';
import { historyDamaged } from './unreadable.ts';

export interface LookupEventsInput {
  readonly LookupAttributes?: readonly { readonly AttributeKey?: string; readonly AttributeValue?: string }[];
  readonly StartTime?: Date;
  readonly EndTime?: Date;
  readonly EventCategory?: string;
  readonly MaxResults?: number;
  readonly NextToken?: string;
}

/** Members that an event doesn't have are left out. */
export interface LookedUpEvent {
  readonly EventId: string;
  readonly EventName?: string;
  readonly ReadOnly?: 'true' | 'false';
  readonly AccessKeyId?: string;
  readonly EventTime: Date;
  readonly EventSource?: string;
  readonly Username?: string;
  readonly Resources: readonly { readonly ResourceType?: string; readonly ResourceName: string }[];
  /** The record's bytes as text. */
  readonly CloudTrailEvent: string;
}

export interface LookupEventsOutput {
  readonly Events: readonly LookedUpEvent[];
  readonly NextToken?: string;
}

/** The attributes that LookupEvents knows (cloudtrail.md §6). */
export const LOOKUP_ATTRIBUTES = [
  'EventId',
  'EventName',
  'ReadOnly',
  'Username',
  'ResourceType',
  'ResourceName',
  'EventSource',
  'AccessKeyId',
] as const satisfies readonly HistoryAttribute[];
export type LookupAttribute = (typeof LOOKUP_ATTRIBUTES)[number];
const ATTRIBUTES: ReadonlySet<string> = new Set(LOOKUP_ATTRIBUTES);
const VALUE_LENGTH_MAX = 2_000;
const RESULTS_MAX = 50;

export function lookupEvents(deps: HistoryDeps): Operation<LookupEventsInput, LookupEventsOutput> {
  return {
    name: 'LookupEvents',
    isReadOnly: true,
    decide: async (call, input) => {
      const attribute = readAttribute(input);
      const category = readCategory(input);
      const limit = readMaxResults(input);
      const { fromMs, toMs } = readWindow(input, deps.clock.nowMs());
      const request = { operation: 'cloudtrail:LookupEvents', parameters: parametersOf(input) };
      const place = await readToken(deps, call, request, input.NextToken);
      const sequenceMax = place?.sequenceMax ?? deps.index.coveredTo();
      const page = await findEvents(deps, {
        scopes: [{ account: call.account, region: call.region, category }],
        alternatives: [attribute === undefined ? [] : [attribute]],
        fromMs,
        toMs,
        sequenceMax,
        ...(place && { after: place.after }),
        limit,
        matches: ({ entry, event }) => attribute === undefined || hasAttribute({ entry, event }, attribute.attribute, attribute.value),
      });
      if (page.unreadable.length > 0) {
        throw historyDamaged(
          page.unreadable,
          'an event of this look-up may be among them. `snowtrail events` answers with the rest and names them; a later `StartTime` ' +
            'leaves them out; an administrator puts the segment back from a backup: see `snowtrail doctor`',
        );
      }
      const NextToken = page.next && (await deps.tokens.seal(call, request, writePlace({ after: page.next, sequenceMax })));
      return { output: { Events: page.events.map(lookedUp), ...(NextToken !== undefined && { NextToken }) } };
    },
  };
}

/** Whether the event itself has the value: the index may have been misled by a hash, or by a name without its version. */
function hasAttribute({ entry, event }: FoundEvent, attribute: LookupAttribute, value: string): boolean {
  switch (attribute) {
    case 'EventId':
      return entry.id === value;
    case 'EventName':
      return event.eventName === value;
    case 'ReadOnly':
      return event.isReadOnly !== undefined && String(event.isReadOnly) === value;
    case 'Username':
      return event.username === value;
    case 'EventSource':
      return event.eventSource === value;
    case 'AccessKeyId':
      return event.accessKeyId === value;
    case 'ResourceName':
      return event.resources.some((resource) => resource.name === value);
    case 'ResourceType':
      return event.resources.some((resource) => resource.type === value);
  }
}

function readAttribute(input: LookupEventsInput): { readonly attribute: LookupAttribute; readonly value: string } | undefined {
  const attributes = input.LookupAttributes ?? [];
  if (attributes.length > 1) {
    throw new ApiError('InvalidLookupAttributesException', `At most one lookup attribute is allowed, but ${attributes.length} were given.`);
  }
  const [attribute] = attributes;
  if (attribute === undefined) return undefined;
  const { AttributeKey: key = '', AttributeValue: value = '' } = attribute;
  if (!ATTRIBUTES.has(key)) throw new ApiError('InvalidLookupAttributesException', `Unknown lookup attribute key: ${key}`);
  // The service counts these four characters twice.
  const length = value.length + (value.match(/[_ ,\n]/g)?.length ?? 0);
  if (length < 1 || length > VALUE_LENGTH_MAX) {
    throw new ApiError(
      'InvalidLookupAttributesException',
      `The value of a lookup attribute has 1 to ${VALUE_LENGTH_MAX} characters, not ${length}.`,
    );
  }
  return { attribute: key as LookupAttribute, value };
}

function readCategory(input: LookupEventsInput): 'management' | 'insight' {
  if (input.EventCategory === undefined) return 'management';
  if (input.EventCategory === 'insight') return 'insight';
  throw new ApiError('InvalidEventCategoryException', `The event category must be insight, not ${input.EventCategory}.`);
}

function readMaxResults(input: LookupEventsInput): number {
  const results = input.MaxResults ?? RESULTS_MAX;
  if (Number.isInteger(results) && results >= 1 && results <= RESULTS_MAX) return results;
  throw new ApiError('InvalidMaxResultsException', `MaxResults must be from 1 to ${RESULTS_MAX}, not ${results}.`);
}

/** Both bounds are inclusive. Nothing older than 90 days is looked up, whatever is asked for. */
function readWindow(input: LookupEventsInput, nowMs: EpochMs): { readonly fromMs: EpochMs; readonly toMs: EpochMs } {
  const fromMs = input.StartTime?.getTime();
  const toMs = input.EndTime?.getTime();
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) {
    throw new ApiError('InvalidTimeRangeException', 'The start time must not be after the end time.');
  }
  return { fromMs: Math.max(Math.floor(fromMs ?? 0), nowMs - HISTORY_MS), toMs: Math.floor(toMs ?? Number.MAX_SAFE_INTEGER) };
}

/** What a token is bound to. A member that a client adds without meaning changes nothing. */
function parametersOf(input: LookupEventsInput): JsonObject {
  return {
    LookupAttributes: input.LookupAttributes?.map(({ AttributeKey, AttributeValue }) => [AttributeKey ?? null, AttributeValue ?? null]),
    StartTime: input.StartTime?.getTime(),
    EndTime: input.EndTime?.getTime(),
    EventCategory: input.EventCategory,
    MaxResults: input.MaxResults,
  };
}

/** @throws ApiError `InvalidNextTokenException` */
async function readToken(
  deps: Pick<HistoryDeps, 'tokens'>,
  call: Call,
  request: { readonly operation: string; readonly parameters: JsonObject },
  token: string | undefined,
): Promise<PagePlace | undefined> {
  if (token === undefined) return undefined;
  const place = await deps.tokens.open(call, request, token);
  if (place !== undefined) return readPlace(place);
  throw new ApiError('InvalidNextTokenException', 'The NextToken is not valid, or is used with other parameters than it was given for.');
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function lookedUp({ entry, event }: FoundEvent): LookedUpEvent {
  return {
    EventId: entry.id,
    ...(event.eventName !== '' && { EventName: event.eventName }),
    ...(event.isReadOnly !== undefined && { ReadOnly: event.isReadOnly ? 'true' : 'false' }),
    ...(event.accessKeyId !== undefined && { AccessKeyId: event.accessKeyId }),
    EventTime: new Date(event.eventTimeMs),
    ...(event.eventSource !== '' && { EventSource: event.eventSource }),
    ...(event.username !== undefined && { Username: event.username }),
    Resources: event.resources.map(({ type, name }) => ({ ...(type !== undefined && { ResourceType: type }), ResourceName: name })),
    CloudTrailEvent: utf8.decode(entry.bytes),
  };
}
