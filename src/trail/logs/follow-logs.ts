/**
 * Follows the journal for one trail's log group: each event that the trail selects becomes one log event.
 *
 * Own cursor, own failures: a log group that is away delays nothing but itself, and what waits stays in the journal (F25).
 * Events are read, cut into calls, put, and then cursor and counts are saved together. PutLogEvents knows no repeats, so
 * delivery is at least once: after a crash, or after an answer that was lost, the calls since the last save come again, which
 * are the events of at most `BATCH_BYTES` of records. A failure that this process outlives repeats only the call it hit.
 *
 * What the service took and does not keep is counted as filtered and said in metrics; a single event that it refuses by
 * itself is set apart, so that nobody ends delivery by an event that is made for it.
 *
 * Specified in cloudtrail.md §10.1; features.md DL3, EN5; reliability.md P16, F25, A28.
 */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { AccountId } from '../../event/types.ts';
import { hourOf } from '../../store/account-hour.ts';
import type { CatalogChange } from '../../store/catalog.ts';
import type { HourCount } from '../../store/follower.ts';
import { HourTable } from '../../store/hour-table.ts';
import type { JournalEntry } from '../../store/journal.ts';
import { type LogGroups, LogGroupsError, type LogTarget } from '../../store/log-groups.ts';
import type { CrewMember } from '../crew.ts';
import type { TrailHealth } from '../follow-trail.ts';
import { RETRY_MAX_MS, RetriedSteps } from '../retried-steps.ts';
import { eventSelector, type SelectEvent } from '../select-event.ts';
import { type TrailId, trailScope } from '../trail.ts';
import type { TrailDeps } from '../trail-deps.ts';
import type { TrailCount } from '../trail-state.ts';
import {
  type LogsChange,
  type LogsPlan,
  type LogsState,
  logsChangesKey,
  logsFollowerName,
  logsStateKey,
  type RefusedCounts,
} from './logs-state.ts';
import { cutCalls, type TakenEvent, type TrailLogEvent, toLogEvent } from './make-log-events.ts';
import { logStreamName } from './stream-name.ts';

/** Entries read at one go: a small part of a turn of the event loop. */
const READ_LIMIT = 250;
/** Records of one batch, hence what a crash repeats at most, and what is held in memory. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Entries of one batch, whether taken or not. */
const BATCH_ENTRIES = 20_000;
/** Streams that are written to at one time when a batch needs several calls. */
const LANES = 4;
/** Rest between two looks at the journal, for events to gather. */
const GATHER_MS = 500;
/** How long delivery goes on trying for a trail that is deleted, or has no log group any more. */
const END_GRACE_MS = 10 * 60_000;
/** Events from longer ago, and from further ahead, are not kept by the service. */
const OLDEST_MS = 14 * 24 * 3600 * 1000;
const NEWEST_MS = 2 * 3600 * 1000;
/** A call that breaks a rule of the service. */
const INVALID = 'InvalidParameterException';
const NONE_REFUSED: RefusedCounts = { tooOld: 0, tooNew: 0, invalid: 0 };

export type LogsDeps = Pick<TrailDeps, 'catalog' | 'journal' | 'clock' | 'chance' | 'sha256' | 'report'> & {
  readonly logGroups: LogGroups;
};

/** Entries that were read, and how far they are put. */
interface Batch {
  readonly to: bigint;
  /** Of the events that are not taken. */
  readonly filtered: readonly TrailCount[];
  readonly calls: readonly Call[];
}

interface Call {
  /** Whose stream it goes to. */
  readonly account: AccountId;
  readonly lane: number;
  readonly events: readonly TrailLogEvent[];
  /** What became of it, once it is put. */
  outcome: CallOutcome | undefined;
}

interface CallOutcome {
  readonly kept: readonly TrailLogEvent[];
  readonly refused: RefusedCounts;
}

export class LogsFollower implements CrewMember {
  readonly id: TrailId;
  readonly name: string;
  readonly #deps: LogsDeps;
  #state: LogsState | undefined;
  /** Of the state's document; 0 when there is none. */
  #version = 0;
  #counts = new HourTable<TrailCount>();
  /** Ahead of the state's cursor only over entries that are no events. */
  #cursor = 0n;
  #isRead = false;
  /** Read, and not saved yet. Outlives a failure, so that what is put is not put again. */
  #batch: Batch | undefined;
  /** Streams that are known to be there, by group. */
  readonly #streams = new Set<string>();
  readonly #steps: RetriedSteps;

  constructor(deps: LogsDeps, id: TrailId) {
    this.#deps = deps;
    this.id = id;
    this.name = logsFollowerName(id);
    this.#steps = new RetriedSteps(deps, {
      id,
      name: this.name,
      work: () => this.#step(),
      afterFailure: (error) => this.#noteFailure(error),
    });
  }

  cursor(): bigint {
    return this.#cursor;
  }

  start(): bigint {
    return BigInt(this.#state?.start ?? '0');
  }

  counts(): readonly HourCount[] {
    return this.#counts.all();
  }

  changedCounts(): readonly HourCount[] {
    return this.#counts.takeChanged();
  }

  /** Events that the trail selects and the service did not keep. */
  refused(): RefusedCounts {
    return this.#state?.refused ?? NONE_REFUSED;
  }

  isGone(): boolean {
    return this.#isRead && this.#state === undefined;
  }

  health(): TrailHealth {
    return this.#steps.health();
  }

  dueInMs(): number {
    if (this.#steps.isHalted || this.isGone()) return RETRY_MAX_MS;
    return this.#steps.retryInMs() ?? GATHER_MS;
  }

  async open(): Promise<void> {
    const { catalog } = this.#deps;
    const state = await catalog.get<LogsState>(logsStateKey(this.id));
    this.#counts = new HourTable((await catalog.list<TrailCount>(['accounting', this.name])).map(({ value }) => value));
    this.#state = state?.value;
    this.#version = state?.version ?? 0;
    this.#cursor = BigInt(state?.value.cursor ?? '0');
    // A save whose answer was lost took effect, or what is put is kept in mind.
    if (state === undefined || (this.#batch !== undefined && this.#cursor >= this.#batch.to)) this.#batch = undefined;
    this.#isRead = true;
  }

  step(): Promise<boolean> {
    return this.#steps.step();
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#steps.flush(signal);
  }

  cutShort(): void {
    this.#steps.cutShort();
  }

  async #step(): Promise<boolean> {
    if (!this.#isRead) await this.open();
    return this.#work();
  }

  async #work(): Promise<boolean> {
    const { catalog, journal } = this.#deps;
    const changes = (await catalog.list<LogsChange>(logsChangesKey(this.id))).map(({ key, value }) => ({ key, ...value }));
    const [change] = changes;
    if (this.#state === undefined) {
      if (change === undefined) return false;
      await this.#apply(change);
      return true;
    }
    const bound = change === undefined ? journal.head() : BigInt(change.sequence);
    if (this.#batch === undefined && this.#cursor < bound) this.#batch = await this.#collect(this.#state.plan, bound);
    if (this.#batch !== undefined) {
      await this.#put(this.#batch, this.#state.plan, changes);
      await this.#settle(this.#batch, this.#state);
      return true;
    }
    if (change === undefined) return false;
    await this.#apply(change);
    return true;
  }

  /** Reads what comes next, up to `bound` at most. */
  async #collect(plan: LogsPlan, bound: bigint): Promise<Batch> {
    const { journal } = this.#deps;
    const taken: TrailLogEvent[] = [];
    const select = this.#selectorOf(plan);
    const filtered = new HourTable<TrailCount>();
    let to = this.#cursor;
    let sizeBytes = 0;
    for (let seen = 0; to < bound && seen < BATCH_ENTRIES && sizeBytes < BATCH_BYTES; await setImmediate()) {
      const entries = await journal.read(to, Math.min(READ_LIMIT, Number(bound - to)));
      assert(entries.length > 0, `the journal has entries up to ${bound} and gave none after ${to}`);
      for (const entry of entries) {
        to = entry.sequence;
        seen++;
        if (entry.kind !== 'event') continue;
        const event = this.#take(plan, entry, select);
        if (event === undefined) addCount(filtered, { account: entry.account, hour: hourOf(entry.receivedAtMs) }, 'filtered');
        else taken.push(event);
        sizeBytes += event?.sizeBytes ?? 0;
        // The rest of what was read is read again: the bound of a batch holds.
        if (sizeBytes >= BATCH_BYTES) break;
      }
    }
    // Each account of an organization has streams of its own.
    const byAccount = new Map<AccountId, TrailLogEvent[]>();
    for (const event of taken) {
      const events = byAccount.get(event.account) ?? [];
      byAccount.set(event.account, events);
      events.push(event);
    }
    const calls = [...byAccount].flatMap(([account, events]) =>
      cutCalls(events).map((call, index) => ({ account, lane: index % LANES, events: call, outcome: undefined })),
    );
    return { to, filtered: filtered.all(), calls };
  }

  #selectorOf(plan: LogsPlan): SelectEvent {
    return plan.kind === 'rest' ? () => undefined : eventSelector(trailScope(this.id, plan.settings), this.#deps.sha256);
  }

  #take(plan: LogsPlan, entry: JournalEntry, select: SelectEvent): TrailLogEvent | undefined {
    const event = select(entry);
    if (plan.kind === 'rest' || event === undefined) return undefined;
    const taken: TakenEvent = {
      sequence: entry.sequence,
      account: entry.account,
      region: entry.region,
      hour: hourOf(entry.receivedAtMs),
      eventTimeMs: event.eventTimeMs,
      category: event.category,
      eventId: entry.id,
      bytes: entry.bytes,
    };
    return toLogEvent(taken, { ...this.id, ...plan.settings.target }, this.#deps.sha256);
  }

  /** Puts the calls that are not put yet, some streams at a time. @throws what the first of those that failed says */
  async #put(batch: Batch, plan: LogsPlan, changes: readonly LogsChange[]): Promise<void> {
    const open = batch.calls.filter(({ outcome }) => outcome === undefined);
    if (open.length === 0) return;
    assert(plan.kind === 'deliver', 'what is not delivered has no calls');
    const target = this.#targetOf(plan, changes);
    if (target === undefined) {
      // Nobody will ever take them, and nobody waits for them.
      for (const call of open) call.outcome = { kept: [], refused: NONE_REFUSED };
      return;
    }
    const { organizationId } = plan.settings.target;
    const lanes = Array.from({ length: Math.min(LANES, open.length) }, async (_, lane) => {
      for (let at = lane; at < open.length; at += LANES) {
        const call = open[at]!;
        const stream = logStreamName(
          { homeRegion: this.id.homeRegion, account: call.account, ...(organizationId && { organizationId }) },
          call.lane,
        );
        call.outcome = await this.#putOnStream(target, stream, call.events);
      }
    });
    const ended = Promise.allSettled(lanes);
    const outcomes = await this.#steps.unlessStopped(ended);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /**
   * Where events go. Once a try has failed, where the newest change says: the old group may be gone for ever.
   * @returns `undefined` when the trail has no log group any more and the old one has refused for long enough.
   */
  #targetOf(plan: Extract<LogsPlan, { kind: 'deliver' }>, changes: readonly LogsChange[]): LogTarget | undefined {
    const failingMs = this.#steps.failingForMs();
    if (failingMs === undefined) return plan.target;
    const last = changes.findLast(({ becomes }) => becomes.kind !== 'rest')?.becomes;
    if (last?.kind === 'deliver') return last.target;
    const isOver = last?.kind === 'end' && failingMs > END_GRACE_MS;
    return isOver ? undefined : plan.target;
  }

  async #putOnStream(target: LogTarget, stream: string, events: readonly TrailLogEvent[]): Promise<CallOutcome> {
    const known = `${target.logGroupArn}/${stream}`;
    if (!this.#streams.has(known)) await this.#deps.logGroups.createStream(target, stream);
    this.#streams.add(known);
    try {
      return await this.#putTimely(target, stream, events);
    } catch (error) {
      // Somebody has deleted the stream, or all of the group: the next try finds out which.
      if (error instanceof LogGroupsError && error.reason === 'ResourceNotFoundException') this.#streams.delete(known);
      throw error;
    }
  }

  /** What the service does not keep is not sent: not every service says of which events that is so. */
  async #putTimely(target: LogTarget, stream: string, events: readonly TrailLogEvent[]): Promise<CallOutcome> {
    const nowMs = this.#deps.clock.nowMs();
    const tooOld = events.filter(({ timestampMs }) => timestampMs < nowMs - OLDEST_MS).length;
    const tooNew = events.filter(({ timestampMs }) => timestampMs > nowMs + NEWEST_MS).length;
    const timely = events.slice(tooOld, events.length - tooNew);
    const { kept, refused } = timely.length === 0 ? { kept: [], refused: NONE_REFUSED } : await this.#putCall(target, stream, timely);
    return { kept, refused: addRefused(refused, { tooOld, tooNew, invalid: 0 }) };
  }

  async #putCall(target: LogTarget, stream: string, events: readonly TrailLogEvent[]): Promise<CallOutcome> {
    try {
      const { tooOld, tooNew } = await this.#deps.logGroups.putEvents(target, stream, events);
      return { kept: events.slice(tooOld, events.length - tooNew), refused: { tooOld, tooNew, invalid: 0 } };
    } catch (error) {
      if (!(error instanceof LogGroupsError) || error.reason !== INVALID) throw error;
      if (events.length === 1) return { kept: [], refused: { tooOld: 0, tooNew: 0, invalid: 1 } };
      // One of them is not to the service's liking: find it, for the others must not wait for ever.
      const middle = events.length >> 1;
      const first = await this.#putCall(target, stream, events.slice(0, middle));
      const second = await this.#putCall(target, stream, events.slice(middle));
      return { kept: [...first.kept, ...second.kept], refused: addRefused(first.refused, second.refused) };
    }
  }

  /** Saves that a batch is put: cursor and counts in one commit. */
  async #settle(batch: Batch, state: LogsState): Promise<void> {
    const counted = new HourTable<TrailCount>(batch.filtered);
    for (const { events, outcome } of batch.calls) {
      const kept = new Set(outcome!.kept);
      for (const event of events) addCount(counted, event, kept.has(event) ? 'delivered' : 'filtered');
    }
    const counts = counted.all().map((more) => {
      const { delivered = 0, filtered = 0 } = this.#counts.get(more) ?? {};
      return { ...more, delivered: more.delivered + delivered, filtered: more.filtered + filtered };
    });
    if (counts.length === 0) {
      // To save that only facts went by would be to write for ever, since each delivery of any trail makes one.
      this.#cursor = batch.to;
      this.#batch = undefined;
      return;
    }
    const refused = batch.calls.reduce((sum, { outcome }) => addRefused(sum, outcome!.refused), state.refused);
    const hasInvalid = refused.invalid > state.refused.invalid;
    const { error: _, ...rest } = state;
    const put = { ...rest, succeededAtMs: this.#deps.clock.nowMs(), ...(hasInvalid ? { error: INVALID } : {}) };
    const next: LogsState = {
      ...(batch.calls.length === 0 ? state : put),
      cursor: `${batch.to}`,
      refused,
    };
    await this.#save(next, counts);
    this.#batch = undefined;
  }

  async #apply(change: LogsChange & { readonly key: CatalogChange['key'] }): Promise<void> {
    const { sequence, becomes } = change;
    const removed: CatalogChange = { key: change.key, value: undefined, expected: 'any' };
    if (becomes.kind === 'end') return this.#end(removed);
    const before = this.#state ?? { start: sequence, refused: NONE_REFUSED };
    await this.#save({ ...before, plan: becomes, cursor: sequence }, [], [removed]);
  }

  /** The accounting goes with it. */
  async #end(removed: CatalogChange): Promise<void> {
    const keys = [logsStateKey(this.id), ...this.#counts.all().map((count) => this.#countKey(count))];
    await this.#deps.catalog.commit([removed, ...keys.map((key) => ({ key, value: undefined, expected: 'any' as const }))]);
    this.#state = undefined;
    this.#version = 0;
    this.#counts = new HourTable();
    this.#streams.clear();
  }

  async #save(state: LogsState, counts: readonly TrailCount[] = [], others: readonly CatalogChange[] = []): Promise<void> {
    await this.#deps.catalog.commit([
      { key: logsStateKey(this.id), value: state, expected: this.#version },
      ...counts.map((count): CatalogChange => ({ key: this.#countKey(count), value: count, expected: 'any' })),
      ...others,
    ]);
    for (const count of counts) this.#counts.set(count);
    this.#state = state;
    this.#version++;
    const cursor = BigInt(state.cursor);
    if (cursor > this.#cursor) this.#cursor = cursor;
  }

  #countKey({ account, hour }: TrailCount): CatalogChange['key'] {
    return ['accounting', this.name, account, String(hour)];
  }

  async #noteFailure(error: unknown): Promise<void> {
    // A catalog that failed is read again: whether a commit took effect is known only then.
    if (!(error instanceof LogGroupsError)) {
      this.#isRead = false;
      return;
    }
    if (this.#state !== undefined && this.#state.error !== error.reason)
      await this.#save({ ...this.#state, error: error.reason }).catch(() => {
        this.#isRead = false;
      });
  }
}

function addCount(
  table: HourTable<TrailCount>,
  { account, hour }: { readonly account: string; readonly hour: number },
  outcome: 'delivered' | 'filtered',
): void {
  const before = table.get({ account, hour }) ?? { account, hour, delivered: 0, filtered: 0 };
  table.set({ ...before, [outcome]: before[outcome] + 1 });
}

function addRefused(one: RefusedCounts, other: RefusedCounts): RefusedCounts {
  return { tooOld: one.tooOld + other.tooOld, tooNew: one.tooNew + other.tooNew, invalid: one.invalid + other.invalid };
}
