/**
 * The filter of searches: read from untrusted input, turned into terms for the index, and compared with an event.
 *
 * All members given must hold. Relies on `history-row.ts` for how an event is indexed: every condition here that has a
 * term there is found by it, and each is compared with the event again.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { AccountId, EpochMs, JsonObject } from '../event/types.ts';
import { isAccountId } from '../event/values.ts';
import type { HistoryScope, HistoryTerm } from '../store/history-index.ts';
import type { FoundEvent } from './found-events.ts';
import { ANY_ERROR, historyTime, scopeCategory, unversionedName } from './history-row.ts';
import { readFlag, readText, readTexts, readTime } from './read-input.ts';
import { type ResourceForm, resourceForms } from './resource-forms.ts';

const CATEGORIES: readonly HistoryScope['category'][] = ['management', 'data', 'network', 'insight'];

export interface EventFilter {
  /** Both inclusive. Absent: as far as history goes. */
  readonly fromMs?: EpochMs;
  readonly toMs?: EpochMs;
  /** `undefined`: every account that the caller may see. */
  readonly accounts?: ReadonlySet<string>;
  readonly regions?: ReadonlySet<string>;
  readonly categories?: ReadonlySet<string>;
  readonly eventId?: string;
  /** With or without the API version at its end. */
  readonly name?: string;
  readonly source?: string;
  readonly user?: string;
  readonly accessKeyId?: string;
  readonly ip?: string;
  /** An error code, or `*` for any. */
  readonly error?: string;
  /** True: only calls that changed something (`readOnly` is false); false: only those that did not. */
  readonly isWrite?: boolean;
  readonly resource?: readonly ResourceForm[];
}

/** The members that make up a filter, for those who bind a token to them. */
const FILTER_MEMBERS = [
  'From',
  'To',
  'AccountIds',
  'Regions',
  'Categories',
  'EventId',
  'Name',
  'Source',
  'User',
  'AccessKeyId',
  'Ip',
  'Error',
  'Write',
  'Resource',
] as const;

/**
 * Reads a filter.
 * @throws ApiError `ValidationException`; `AccessDeniedException` for an account that the caller may not see.
 */
export function readFilter(call: Call, input: JsonObject): EventFilter {
  const fromMs = readTime(input, 'From');
  const toMs = readTime(input, 'To');
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) {
    throw new ApiError('ValidationException', '`From` is later than `To`; expected the earlier time in `From`');
  }
  const accounts = readTexts(input, 'AccountIds');
  for (const account of accounts ?? []) requireVisible(call, account);
  const regions = readTexts(input, 'Regions');
  const categories = readTexts(input, 'Categories');
  const unknown = categories?.find((category) => !CATEGORIES.includes(category as HistoryScope['category']));
  if (unknown !== undefined) {
    throw new ApiError(
      'ValidationException',
      `category \`${unknown}\` is unknown; expected ${CATEGORIES.map((known) => `\`${known}\``).join(', ')}`,
    );
  }
  const resource = readText(input, 'Resource');
  return withoutAbsent({
    fromMs,
    toMs,
    accounts: accounts && new Set(accounts),
    regions: regions && new Set(regions),
    categories: categories && new Set(categories),
    eventId: readText(input, 'EventId'),
    name: readText(input, 'Name'),
    source: readText(input, 'Source'),
    user: readText(input, 'User'),
    accessKeyId: readText(input, 'AccessKeyId'),
    ip: readText(input, 'Ip'),
    error: readText(input, 'Error'),
    isWrite: readFlag(input, 'Write'),
    resource: resource === undefined ? undefined : resourceForms(resource),
  });
}

/** The input members of a filter, for binding a token to them. */
export function filterParameters(input: JsonObject): JsonObject {
  return Object.fromEntries(FILTER_MEMBERS.filter((name) => Object.hasOwn(input, name)).map((name) => [name, input[name]]));
}

/** Whether the caller may see an account's events: its own, or all for an administrator. */
export function maySee(call: Call, account: AccountId): boolean {
  return call.principal.isAdministrator || account === call.account;
}

/** @throws ApiError `AccessDeniedException`, the same for accounts that do not exist. */
export function requireVisible(call: Call, account: string): asserts account is AccountId {
  if (!isAccountId(account)) throw new ApiError('ValidationException', `\`${account}\` is not an account id; expected 12 digits`);
  if (maySee(call, account)) return;
  throw new ApiError('AccessDeniedException', `account \`${account}\` is not yours; only the administrators' account sees others`, {
    status: 403,
  });
}

/** The scopes that the filter leaves of those that the caller may see. */
export function scopesOf(call: Call, filter: EventFilter, scopes: readonly HistoryScope[]): readonly HistoryScope[] {
  return scopes.filter((scope) => maySee(call, scope.account) && isInScope(filter, scope));
}

/** The terms to ask the index for: all of one of the lists. */
export function termsOf(filter: EventFilter): readonly (readonly HistoryTerm[])[] {
  const terms: HistoryTerm[] = [];
  const add = (attribute: HistoryTerm['attribute'], value: string | undefined): void => {
    if (value !== undefined) terms.push({ attribute, value });
  };
  add('EventId', filter.eventId);
  add('EventName', filter.name);
  add('EventSource', filter.source);
  add('Username', filter.user);
  add('AccessKeyId', filter.accessKeyId);
  add('SourceIpAddress', filter.ip);
  add('ErrorCode', filter.error);
  if (filter.isWrite !== undefined) add('ReadOnly', String(!filter.isWrite));
  const forms = filter.resource ?? [{ names: [] }];
  return forms.map(({ names }) => [...terms, ...names.map((value): HistoryTerm => ({ attribute: 'ResourceName', value }))]);
}

/** Whether an event is what the filter asks for, time and scope included. */
export function matchesFilter(filter: EventFilter, { entry, event }: FoundEvent): boolean {
  const timeMs = historyTime(entry, event);
  const { name, error } = filter;
  return (
    isInScope(filter, { account: entry.account, region: entry.region, category: scopeCategory(event.category) }) &&
    timeMs >= (filter.fromMs ?? Number.NEGATIVE_INFINITY) &&
    timeMs <= (filter.toMs ?? Number.POSITIVE_INFINITY) &&
    isAskedFor(filter.eventId, entry.id) &&
    (name === undefined || event.eventName === name || unversionedName(event.eventName) === name) &&
    isAskedFor(filter.source, event.eventSource) &&
    isAskedFor(filter.user, event.username) &&
    isAskedFor(filter.accessKeyId, event.accessKeyId) &&
    isAskedFor(filter.ip, event.sourceIpAddress) &&
    (error === ANY_ERROR ? event.errorCode !== undefined : isAskedFor(error, event.errorCode)) &&
    (filter.isWrite === undefined || event.isReadOnly === !filter.isWrite) &&
    (filter.resource === undefined || filter.resource.some((form) => hasForm(form, { entry, event })))
  );
}

function isInScope(filter: EventFilter, scope: HistoryScope): boolean {
  return (
    (filter.accounts?.has(scope.account) ?? true) &&
    (filter.regions?.has(scope.region) ?? true) &&
    (filter.categories?.has(scope.category) ?? true)
  );
}

function isAskedFor(wanted: string | undefined, value: string | undefined): boolean {
  return wanted === undefined || wanted === value;
}

function hasForm(form: ResourceForm, { entry, event }: FoundEvent): boolean {
  if (form.account !== undefined && form.account !== entry.account) return false;
  return form.names.every((name) => event.resources.some((resource) => resource.name === name));
}

/** The same object without members that are `undefined`. */
function withoutAbsent(filter: { readonly [Name in keyof EventFilter]: EventFilter[Name] | undefined }): EventFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as EventFilter;
}
