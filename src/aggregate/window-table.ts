/**
 * Counts data events by template, account, Region, service, five-minute window and value.
 *
 * Values are chosen by whoever makes calls, so what the table holds is measured: `isFull` says when it is to be emptied, whatever the
 * time is, and a group that would make too long a record goes on as another one. So nothing is ever left out; there are more records
 * of one window then, and their counts add up.
 *
 * Source: cloudtrail.md §1.9.
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import { cutValue, DIMENSIONS, type Dimension, type EventValues } from './dimensions.ts';
import { type AggregationTemplate, PRIMARY_DIMENSION } from './templates.ts';

/** Length of a window; windows begin at whole multiples of it since 1970. */
export const WINDOW_MS = 300_000;

/** The size of a table that is full, about: in bytes of JSON. One more event was added then. */
const TABLE_BYTES_MAX = 2 * 1024 * 1024;
/** Most account and Region pairs: each is a file. */
const PLACES_MAX = 400;
/** The size of a group that is not added to any more, so that its record stays below 256 KB (cloudtrail.md §1.5). */
const GROUP_BYTES_MAX = 200 * 1024;
/** What a record needs beside its values, and a value beside its text. */
const RECORD_BYTES = 900;
const VALUE_BYTES = 40;

/** An event to be counted. */
export interface CountedEvent {
  readonly account: AccountId;
  readonly region: Region;
  readonly eventSource: string;
  readonly values: EventValues;
  /** The time that it counts at, which decides its window. */
  readonly atMs: EpochMs;
  /** When its group may be taken: the end of a window. */
  readonly closesMs: EpochMs;
  readonly sequence: bigint;
}

/** The events of one aggregated event. */
export interface WindowGroup {
  readonly template: AggregationTemplate;
  readonly account: AccountId;
  readonly region: Region;
  readonly eventSource: string;
  readonly windowMs: EpochMs;
  readonly closesMs: EpochMs;
  /** The value of the primary dimension, and how many events have it. */
  readonly primary: string;
  readonly count: number;
  /** By each other dimension: how many of the events have each value. */
  readonly details: ReadonlyMap<Dimension, ReadonlyMap<string, number>>;
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
  readonly oldestMs: EpochMs;
  readonly newestMs: EpochMs;
}

interface OpenGroup extends WindowGroup {
  count: number;
  readonly details: Map<Dimension, Map<string, number>>;
  lastSequence: bigint;
  oldestMs: EpochMs;
  newestMs: EpochMs;
  sizeBytes: number;
}

export class WindowTable {
  readonly #templates: readonly AggregationTemplate[];
  /** Those that are added to. */
  readonly #open = new Map<string, OpenGroup>();
  /** Those that were long enough. */
  readonly #closed: OpenGroup[] = [];
  readonly #places = new Set<string>();
  #sizeBytes = 0;

  constructor(templates: readonly AggregationTemplate[]) {
    this.#templates = templates;
  }

  /** Sequences must ascend. */
  add(event: CountedEvent): void {
    this.#places.add(`${event.account}/${event.region}`);
    for (const template of this.#templates)
      for (const primary of event.values[PRIMARY_DIMENSION[template]]) this.#addTo(this.#group(template, primary, event), event);
  }

  /** True when it is to be emptied before anything else is added. */
  get isFull(): boolean {
    return this.#sizeBytes >= TABLE_BYTES_MAX || this.#places.size >= PLACES_MAX;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#closed.length === 0;
  }

  /** The groups that close by then, each with the events of one value; in an order that follows from their contents. */
  groups(closedToMs: EpochMs): readonly WindowGroup[] {
    const groups = [...this.#closed, ...this.#open.values()].filter(({ closesMs }) => closesMs <= closedToMs);
    const nameOf = (group: WindowGroup) => JSON.stringify([group.windowMs, group.template, group.eventSource, group.primary]);
    return groups
      .map((group) => ({ group, name: nameOf(group) }))
      .sort((one, other) =>
        one.name < other.name ? -1 : one.name > other.name ? 1 : Number(one.group.firstSequence - other.group.firstSequence),
      )
      .map(({ group }) => group);
  }

  #group(template: AggregationTemplate, primary: string, event: CountedEvent): OpenGroup {
    const { account, region, atMs, closesMs } = event;
    const eventSource = cutValue(event.eventSource);
    const windowMs = windowOf(atMs);
    const key = JSON.stringify([template, account, region, windowMs, closesMs, eventSource, primary]);
    const known = this.#open.get(key);
    if (known !== undefined && known.sizeBytes < GROUP_BYTES_MAX) return known;
    if (known !== undefined) this.#closed.push(known);
    const span = { firstSequence: event.sequence, lastSequence: event.sequence, oldestMs: atMs, newestMs: atMs };
    const sizeBytes = RECORD_BYTES + sizeOf(primary) + sizeOf(eventSource);
    const head = { template, account, region, eventSource, windowMs, closesMs, primary };
    const group: OpenGroup = { ...head, ...span, count: 0, details: new Map(), sizeBytes };
    this.#open.set(key, group);
    this.#sizeBytes += sizeBytes;
    return group;
  }

  #addTo(group: OpenGroup, { values, atMs, sequence }: CountedEvent): void {
    group.count++;
    group.lastSequence = sequence;
    group.oldestMs = Math.min(group.oldestMs, atMs);
    group.newestMs = Math.max(group.newestMs, atMs);
    for (const dimension of DIMENSIONS) {
      if (dimension === PRIMARY_DIMENSION[group.template]) continue;
      for (const value of values[dimension]) {
        const counts = group.details.get(dimension) ?? new Map<string, number>();
        group.details.set(dimension, counts);
        const count = counts.get(value) ?? 0;
        counts.set(value, count + 1);
        if (count > 0) continue;
        group.sizeBytes += sizeOf(value);
        this.#sizeBytes += sizeOf(value);
      }
    }
  }
}

/** The start of the window that a time lies in. */
export function windowOf(timeMs: EpochMs): EpochMs {
  return Math.floor(timeMs / WINDOW_MS) * WINDOW_MS;
}

/** A unit of UTF-16 is three bytes of UTF-8 at most. */
function sizeOf(value: string): number {
  return VALUE_BYTES + 3 * value.length;
}
