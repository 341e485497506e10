/**
 * What selectors would have kept of events that are there: counted by account and event, with volume and price.
 *
 * Pure but for the engine that it asks. Prices are the service's list prices as they are known (US Regions, USD for 100,000 events):
 * the first copy of management events is free, further copies 2.00; data and network events 0.10. They are there to compare
 * selectors, not to foresee a bill.
 * Source: cloudtrail.md §12.4.
 */
import type { EventView } from '../api/event-view.ts';
import type { AccountId, EventCategory, JsonObject, Region } from '../event/types.ts';
import { compileSelectors } from '../selector/compile-selectors.ts';
import { SelectableRecord } from '../selector/selectable-record.ts';
import type { Selectors } from '../selector/selectors.ts';

/** What is kept of something now, and what the tested selectors would keep. */
export interface Kept {
  readonly now: number;
  readonly after: number;
}

/** One event name of one account. */
export interface TestedEvent {
  readonly account: string;
  readonly eventSource: string;
  readonly eventName: string;
  readonly category: string;
  /** Events of the trail's scope, whether kept or not. */
  readonly events: number;
  readonly kept: Kept;
  /** Of the records as they were received, in bytes. */
  readonly bytes: Kept;
}

/** All of them together. */
export interface TestTotals {
  readonly events: number;
  readonly kept: Kept;
  readonly bytes: Kept;
  /** USD, list price of the service, management events priced as a further copy. */
  readonly cost: Kept;
}

const CATEGORIES: ReadonlyMap<string, EventCategory> = new Map([
  ['management', 'Management'],
  ['data', 'Data'],
  ['network', 'NetworkActivity'],
]);
/** USD for one event. */
const PRICES: ReadonlyMap<string, number> = new Map([
  ['management', 2 / 100_000],
  ['data', 0.1 / 100_000],
  ['network', 0.1 / 100_000],
]);

type Counts = { events: number; now: number; after: number; bytesNow: number; bytesThen: number };

export class SelectorTest {
  readonly #now: ReturnType<typeof compileSelectors>;
  readonly #after: ReturnType<typeof compileSelectors>;
  readonly #counts = new Map<string, { readonly view: EventView; readonly counts: Counts }>();

  /** @param now Selectors of the trail. @param after Those that are tested, as `readSelectors` took them. */
  constructor(now: Selectors, after: Selectors) {
    this.#now = compileSelectors(now);
    this.#after = compileSelectors(after);
  }

  /** Counts one event of the trail's scope; Insights are no trail's by selectors and count for nothing. */
  add(view: EventView): void {
    const category = CATEGORIES.get(view.Category);
    if (category === undefined) return;
    const brief = {
      category,
      eventName: view.EventName,
      eventSource: view.EventSource,
      eventTimeMs: 0,
      ...(view.ReadOnly === undefined ? {} : { isReadOnly: view.ReadOnly }),
    };
    const place = { account: view.AccountId as AccountId, region: view.Region as Region };
    const record = new SelectableRecord(brief, place, () => JSON.parse(view.Record) as JsonObject);
    const { counts } = this.#of(view);
    const sizeBytes = new TextEncoder().encode(view.Record).length;
    counts.events += 1;
    if (this.#now(record)) {
      counts.now += 1;
      counts.bytesNow += sizeBytes;
    }
    if (this.#after(record)) {
      counts.after += 1;
      counts.bytesThen += sizeBytes;
    }
  }

  /** By what changes most, then by name. */
  events(): readonly TestedEvent[] {
    return [...this.#counts.values()]
      .map(({ view, counts }) => ({
        account: view.AccountId,
        eventSource: view.EventSource,
        eventName: view.EventName,
        category: view.Category,
        events: counts.events,
        kept: { now: counts.now, after: counts.after },
        bytes: { now: counts.bytesNow, after: counts.bytesThen },
      }))
      .sort((one, other) => change(other) - change(one) || other.events - one.events || (nameOf(one) < nameOf(other) ? -1 : 1));
  }

  totals(): TestTotals {
    const all = this.events();
    const sum = (of: (event: TestedEvent) => number) => all.reduce((total, event) => total + of(event), 0);
    const price = ({ category }: TestedEvent) => PRICES.get(category)!;
    return {
      events: sum(({ events }) => events),
      kept: { now: sum(({ kept }) => kept.now), after: sum(({ kept }) => kept.after) },
      bytes: { now: sum(({ bytes }) => bytes.now), after: sum(({ bytes }) => bytes.after) },
      cost: { now: sum((event) => event.kept.now * price(event)), after: sum((event) => event.kept.after * price(event)) },
    };
  }

  #of(view: EventView) {
    const key = JSON.stringify([view.AccountId, view.Category, view.EventSource, view.EventName]);
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    // The record is not kept: there may be very many names.
    const made = { view: { ...view, Record: '' }, counts: { events: 0, now: 0, after: 0, bytesNow: 0, bytesThen: 0 } };
    this.#counts.set(key, made);
    return made;
  }
}

function change({ kept }: TestedEvent): number {
  return Math.abs(kept.after - kept.now);
}

function nameOf({ account, eventSource, eventName }: TestedEvent): string {
  return `${account} ${eventSource} ${eventName}`;
}
