/**
 * All operations of event history, by service.
 */
import type { Operation } from '../api/operation.ts';
import { FoundEvents } from './found-events.ts';
import { getEvent } from './get-event.ts';
import type { HistoryStores } from './history-deps.ts';
import { lookupEvents } from './lookup-events.ts';
import { exportEvents, searchEvents, whoTouched } from './search-events.ts';
import { tailEvents } from './tail-events.ts';

/** Makes the operations over the given stores. */
export function historyOperations(stores: HistoryStores): {
  readonly cloudtrail: readonly Operation[];
  readonly snowtrail: readonly Operation[];
} {
  const deps = { ...stores, events: new FoundEvents(stores.journal, stores) };
  return {
    cloudtrail: [lookupEvents(deps)] as readonly Operation[],
    snowtrail: [searchEvents(deps), whoTouched(deps), exportEvents(deps), getEvent(deps), tailEvents(deps)] as readonly Operation[],
  };
}
