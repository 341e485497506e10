/**
 * One run of a trail's aggregation: which data events it counts, and up to where it goes.
 *
 * An event counts in the five-minute window of its time, and a window is closed a while after it has ended, so that what comes a
 * little late is in the same record. So entries that a run has looked at may be left to the next one, whose window goes on: they are
 * looked at again. What comes after its window was closed is counted then, in a record of its own that says so.
 *
 * INVARIANT: each event is counted by exactly one run. A run counts, of the entries up to its end, those that close by its time and that
 * no run before it has counted: `AggregationPoint` says which those are. All follows from the point and the journal alone, so a run
 * that was announced is made again after a crash.
 * Specified in docs/formats/aggregation.md; cloudtrail.md §1.9, §4.4.
 */
import { readDimensions } from '../aggregate/dimensions.ts';
import { WINDOW_MS, type WindowGroup, WindowTable, windowOf } from '../aggregate/window-table.ts';
import { EVENT_TIME_AHEAD_MAX_MS, EVENT_TIME_MIN_MS } from '../event/limits.ts';
import type { EpochMs, JsonObject } from '../event/types.ts';
import { SelectableRecord } from '../selector/selectable-record.ts';
import type { JournalEntry } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { eventSelector, type SelectEvent } from './select-event.ts';
import type { TrailScope } from './trail.ts';
import type { AggregationPoint } from './trail-state.ts';

const utf8 = new TextDecoder();

/** What a run comes to. */
export interface AggregationResult {
  /** Empty when there was no data event to count. */
  readonly groups: readonly WindowGroup[];
  /** Where the next run begins. */
  readonly next: AggregationPoint;
}

export class AggregationRun {
  readonly point: AggregationPoint;
  readonly #to: bigint;
  readonly #graceMs: number;
  readonly #select: SelectEvent;
  readonly #table: WindowTable;
  /** The last entry that was looked at. */
  #at: bigint;
  /** When the first event came that no run before has dealt with. It decides which windows this one closes. */
  #firstMs: EpochMs | undefined;
  /** The entry before the first one that is left to the next run. */
  #leftAfter: bigint | undefined;
  #isOver = false;

  /** @param graceMs How long after a window's end its events are waited for. */
  constructor(point: AggregationPoint, scope: TrailScope, { sha256, graceMs }: { readonly sha256: Sha256; readonly graceMs: number }) {
    this.point = point;
    this.#to = BigInt(point.to);
    this.#at = BigInt(point.from);
    this.#graceMs = graceMs;
    this.#select = eventSelector(scope, sha256);
    this.#table = new WindowTable(scope.selection.aggregationTemplates ?? []);
  }

  get at(): bigint {
    return this.#at;
  }

  /** True when the entries after `at` are for the next run. */
  get isOver(): boolean {
    return this.#isOver || this.#isFull;
  }

  /** True when nothing was counted or left. */
  get isEmpty(): boolean {
    return this.#table.isEmpty;
  }

  /** Whether its time has come, where no entry says so: what it closes has ended a while ago, or the clock was set back. */
  isDue(nowMs: EpochMs): boolean {
    if (this.#firstMs === undefined || this.#at < this.#to) return false;
    return nowMs >= this.#dueMs(this.#firstMs) || nowMs < windowOf(this.#firstMs);
  }

  /** Takes the next entry; false when it is for the next run. */
  take(entry: JournalEntry): boolean {
    const { kind, sequence, receivedAtMs } = entry;
    if (this.isOver) return false;
    if (kind === 'event') {
      const wasSeen = sequence <= this.#to;
      if (!wasSeen && this.#firstMs !== undefined && receivedAtMs >= this.#dueMs(this.#firstMs)) {
        this.#isOver = true;
        return false;
      }
      if (!wasSeen) this.#firstMs ??= receivedAtMs;
      this.#count(entry, wasSeen);
    }
    this.#at = sequence;
    return true;
  }

  /** @param isLast Counts everything up to `at`, whether its window has ended or not: something else begins after it. */
  result(isLast: boolean): AggregationResult {
    const to = `${this.#at}`;
    const { closedToMs } = this.point;
    if (isLast || this.#isFull) return { groups: this.#table.groups(Number.POSITIVE_INFINITY), next: { from: to, to, closedToMs } };
    const nextClosedToMs = this.#closesToMs();
    return {
      groups: this.#table.groups(nextClosedToMs),
      next: { from: `${this.#leftAfter ?? this.#at}`, to, closedToMs: nextClosedToMs },
    };
  }

  #count(entry: JournalEntry, wasSeen: boolean): void {
    const event = this.#select(entry);
    if (event?.category !== 'Data') return;
    const { account, region, sequence, receivedAtMs } = entry;
    const isOdd = event.eventTimeMs > receivedAtMs + EVENT_TIME_AHEAD_MAX_MS || event.eventTimeMs < EVENT_TIME_MIN_MS;
    const atMs = isOdd ? receivedAtMs : event.eventTimeMs;
    const closesMs = Math.min(windowOf(atMs), windowOf(receivedAtMs)) + WINDOW_MS;
    if (wasSeen && closesMs <= this.point.closedToMs) return;
    this.#firstMs ??= receivedAtMs;
    if (closesMs > this.#closesToMs()) this.#leftAfter ??= sequence - 1n;
    const record = JSON.parse(utf8.decode(entry.bytes)) as JsonObject;
    const arns = new SelectableRecord(event, entry, () => record).resources().map(({ arn }) => arn);
    const { eventSource } = event;
    this.#table.add({ account, region, eventSource, values: readDimensions(record, arns), atMs, closesMs, sequence });
  }

  /** What is looked at again had room in the run before, and is never cut. */
  get #isFull(): boolean {
    return this.#at >= this.#to && this.#table.isFull;
  }

  #closesToMs(): EpochMs {
    return Math.max(this.point.closedToMs, windowOf(this.#firstMs!) + WINDOW_MS);
  }

  #dueMs(firstMs: EpochMs): EpochMs {
    return windowOf(firstMs) + WINDOW_MS + this.#graceMs;
  }
}
