/**
 * Follows the journal for one trail: chooses the next piece of work, and tries again when it fails.
 *
 * Works in steps, each of which a crash may cut anywhere and a repeat completes with the same bytes at the same place:
 *
 *   bounds, names, hashes and the signed receipt are saved (`announce-step.ts`) → the receipt becomes a fact of the journal
 *   → the receipt is put → what it names is put → cursor, accounting and chains are saved, the pending step is gone
 *   (`finish-step.ts`)
 *
 * There is at most one pending step, and it is finished before anything else is begun. So receipts are dense, deliveries
 * are in order, and a digest is made only when all that it lists is in the bucket.
 *
 * After any failure everything is read again from the catalog and tried again, later and later (at most every minute). A
 * bug or a damaged journal halts the trail: it does not guess, and other trails go on.
 * Specified in ARCHITECTURE.md; cloudtrail.md §2, §3; reliability.md P3, P10–P12, F16–F19, F23, F24, F28, F29, F33–F36.
 */
import assert from 'node:assert/strict';
import type { EpochMs } from '../event/types.ts';
import { backOffMs } from '../store/back-off.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { HourCount } from '../store/follower.ts';
import { isBug } from '../store/is-bug.ts';
import { aggregateEvents } from './aggregate-events.ts';
import { applyChange, beginTrail } from './apply-change.ts';
import { takeEntries } from './deliver-batch.ts';
import { makeDigest } from './deliver-digest.ts';
import { putFailed } from './delivery-status.ts';
import { dueDigest, nextEnd } from './due-digest.ts';
import { finishStep } from './finish-step.ts';
import { giveUpDeleted } from './give-up-deleted.ts';
import { DeliveryFailed } from './put-object.ts';
import { isSameTarget } from './receipt-places.ts';
import { redirectStep } from './redirect-step.ts';
import { SavedTrail } from './saved-trail.ts';
import { stateKeys } from './state-keys.ts';
import { followerName, type TrailId } from './trail.ts';
import { TRAIL_SETTINGS, type TrailDeps, type TrailSettings } from './trail-deps.ts';
import { changeKey, changesKey, type TrailChange, type TrailState } from './trail-state.ts';
import { kmsKeyOf, newProgress, type StepMemory, type TrailStep, targetOf } from './trail-step.ts';

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Longest rest between two looks at the clock, which somebody may set. */
const REST_MAX_MS = 5_000;
/** Digests made in one go while events wait, after an outage over many intervals. */
const DIGESTS_IN_ROW_MAX = 16;

/** How a trail's follower is, for readiness and metrics. */
export interface TrailHealth {
  readonly state: 'ok' | 'retrying' | 'halted';
  /** Tries that failed in a row. */
  readonly failures: number;
  /** Of the last failure, in one sentence; absent when all is well. */
  readonly reason?: string;
}

export class TrailFollower {
  readonly id: TrailId;
  readonly name: string;
  readonly #deps: TrailDeps;
  readonly #settings: TrailSettings;
  readonly #inTurn: TrailStep['inTurn'];
  /** What the catalog holds; absent before it was read. After a failure, as it was known before: for those who ask. */
  #saved: SavedTrail | undefined;
  /** A step failed since the catalog was read: the next one reads it again. */
  #mustRead = true;
  #changes: TrailChange[] = [];
  /** Key of the last change that was read; absent when none was. */
  #changesReadTo: CatalogKey | undefined;
  readonly #memory: StepMemory = { files: undefined, aggregation: undefined, progress: newProgress(-1) };
  /** Tries in a row that put nothing. */
  #fruitless = 0;
  /** Deliver up to here without waiting: the journal's head when the flush became due. */
  #flushTo = 0n;
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  #digestsInRow = 0;
  #failures = 0;
  #failingSinceMs: EpochMs | undefined;
  #failure: unknown;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #isHalted = false;
  readonly #stop = new AbortController();
  /** The step under way: steps come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param inTurn Runs what takes much memory, one trail after the other. */
  constructor(deps: TrailDeps, id: TrailId, inTurn: TrailStep['inTurn']) {
    this.#deps = deps;
    this.#inTurn = inTurn;
    this.#settings = { ...TRAIL_SETTINGS, ...deps.settings };
    this.id = id;
    this.name = followerName(id);
  }

  /** Everything up to here is delivered or counted as filtered, and saved. */
  cursor(): bigint {
    return this.#saved?.cursor ?? 0n;
  }

  /** Events up to here were there before the trail. */
  start(): bigint {
    return BigInt(this.#saved?.state?.start ?? '0');
  }

  /** By account and hour of receipt, of the events after `start()` up to `cursor()`. */
  counts(): readonly HourCount[] {
    return this.#saved?.counts.all() ?? [];
  }

  /** Those of them that changed since the last call; all at the first. For the books alone. */
  changedCounts(): readonly HourCount[] {
    return this.#saved?.counts.takeChanged() ?? [];
  }

  /** True when the trail is deleted and nothing is left to do. */
  isGone(): boolean {
    return this.#saved !== undefined && (this.#saved.state === undefined || this.#saved.state.phase === 'deleted');
  }

  health(): TrailHealth {
    if (this.#failures === 0) return { state: 'ok', failures: 0 };
    const reason = this.#failure instanceof Error ? this.#failure.message : String(this.#failure);
    return { state: this.#isHalted ? 'halted' : 'retrying', failures: this.#failures, reason };
  }

  /** Milliseconds until time alone gives this trail something to do. */
  dueInMs(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#isHalted || this.isGone()) return RETRY_MAX_MS;
    if (this.#failures > 0) return Math.max(1, this.#retryAtMs - nowMs);
    const flushMs = this.#flushedAtMs + this.#deps.flushIntervalMs - nowMs;
    return Math.max(1, Math.min(flushMs, this.#nextDigestInMs(), REST_MAX_MS, this.#deps.digestIntervalMs / 4));
  }

  /** Reads cursor and counts, so that they are right before the first step. */
  async open(): Promise<void> {
    await this.#read();
  }

  /**
   * Does the next piece of due work. Never throws: a failure is reported and tried again by a later step.
   * @returns false when nothing is due.
   */
  step(): Promise<boolean> {
    const step = this.#turn.then(() => this.#step());
    this.#turn = step;
    return step;
  }

  /**
   * Delivers all that is in the journal now, without waiting for the interval. Gives up at the first failure, or when
   * `signal` aborts. Digests and changes that are due besides wait.
   */
  async flush(signal: AbortSignal): Promise<void> {
    const head = this.#deps.journal.head();
    const failuresBefore = this.#failures;
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.#flushedAtMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted && (await this.step())) {
      const isDone = this.#saved?.pending === undefined && this.cursor() >= head;
      if (isDone || this.#failures > failuresBefore) return;
    }
  }

  /** Ends waiting for puts under way: the process stops. Their outcome is found out after the next start. */
  cutShort(): void {
    this.#stop.abort();
  }

  async #step(): Promise<boolean> {
    if (this.#isHalted || this.#deps.clock.monotonicMs() < this.#retryAtMs) return false;
    try {
      const hasWorked = await this.#work(await this.#read());
      this.#failures = 0;
      this.#fruitless = 0;
      this.#failingSinceMs = undefined;
      return hasWorked;
    } catch (error) {
      await this.#fail(error);
      return false;
    }
  }

  async #read(): Promise<SavedTrail> {
    if (this.#saved === undefined || this.#mustRead) {
      this.#saved = await SavedTrail.read(this.#deps.catalog, this.id);
      this.#changes = [];
      this.#changesReadTo = undefined;
    }
    this.#mustRead = false;
    return this.#saved;
  }

  /** The changes that wait, the first first. Each is read once, however many wait. */
  async #waitingChanges(): Promise<readonly TrailChange[]> {
    const { catalog } = this.#deps;
    const isDone = async ({ sequence }: TrailChange) => (await catalog.get(changeKey(this.id, sequence))) === undefined;
    while (this.#changes[0] !== undefined && (await isDone(this.#changes[0]))) this.#changes.shift();
    const after = this.#changesReadTo;
    const added = await catalog.list<TrailChange>(changesKey(this.id), after === undefined ? {} : { after });
    this.#changes.push(...added.map(({ value }) => value));
    this.#changesReadTo = added.at(-1)?.key ?? after;
    return this.#changes;
  }

  /** One piece of work, in the order of urgency. False when nothing is due. */
  async #work(saved: SavedTrail): Promise<boolean> {
    const { journal } = this.#deps;
    const changes = await this.#waitingChanges();
    const [change] = changes;
    const { state, pending } = saved;
    if (state === undefined || state.phase === 'deleted') {
      if (change === undefined) return false;
      await beginTrail(this.id, saved, change);
      return true;
    }
    const step = this.#stepOf(saved, state, changes);
    if (pending !== undefined) {
      const isMoved = !isSameTarget(pending.target, step.target);
      await (isMoved && this.#failures > 0 ? redirectStep(step, pending) : finishStep(step, pending));
      return true;
    }

    const bound = change === undefined ? this.#flushBound() : BigInt(change.sequence);
    const isBehind = saved.cursor < bound;
    if (state.phase === 'logging') {
      if (await stateKeys(step)) return true;
      const due = this.#dueDigest(step, change);
      if (due !== undefined && !(isBehind && this.#digestsInRow >= DIGESTS_IN_ROW_MAX)) {
        this.#digestsInRow++;
        await makeDigest(step, due);
        return true;
      }
    }
    this.#digestsInRow = 0;
    if (isBehind) {
      await this.#inTurn(() => takeEntries(step, bound));
      return true;
    }
    const isEnding = change !== undefined && saved.cursor >= BigInt(change.sequence);
    if (await aggregateEvents(step, isEnding)) return true;
    if (isEnding) {
      await applyChange(step, change);
      return true;
    }
    assert(journal.head() >= saved.cursor, `the journal ends before ${saved.cursor}, which \`${this.name}\` has delivered`);
    return false;
  }

  #stepOf(saved: SavedTrail, state: TrailState, changes: readonly TrailChange[]): TrailStep {
    return {
      id: this.id,
      deps: this.#deps,
      settings: this.#settings,
      saved,
      state,
      target: targetOf(state, changes),
      kmsKeyArn: kmsKeyOf(state, changes),
      memory: this.#memory,
      stop: this.#stop.signal,
      inTurn: this.#inTurn,
    };
  }

  /** Up to where events are due now. */
  #flushBound(): bigint {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#flushedAtMs >= this.#deps.flushIntervalMs) {
      this.#flushedAtMs = nowMs;
      this.#flushTo = this.#deps.journal.head();
    }
    return this.#flushTo;
  }

  #dueDigest({ saved, state }: TrailStep, change: TrailChange | undefined): ReturnType<typeof dueDigest> {
    const { clock, digestIntervalMs: intervalMs } = this.#deps;
    return dueDigest(saved.openChains(), { state, change, trail: this.id, intervalMs, nowMs: clock.nowMs() });
  }

  #nextDigestInMs(): number {
    const { clock, digestIntervalMs } = this.#deps;
    const nowMs = clock.nowMs();
    return Math.min(...(this.#saved?.openChains() ?? []).map((chain) => nextEnd(chain, digestIntervalMs) - nowMs));
  }

  // --- failures ---------------------------------------------------------------------------------------------------

  async #fail(error: unknown): Promise<void> {
    const { clock, report } = this.#deps;
    this.#mustRead = true;
    this.#failures++;
    this.#failure = error;
    this.#isHalted = isBug(error);
    const trouble = { trail: this.name, account: this.id.account, region: this.id.homeRegion, error, failures: this.#failures };
    if (this.#isHalted) return report?.({ ...trouble, kind: 'halted' });

    this.#failingSinceMs ??= clock.monotonicMs();
    const retryInMs = this.#retryLater();
    report?.({ ...trouble, kind: 'retry', retryInMs });
    if (!(error instanceof DeliveryFailed)) return;
    try {
      await this.#noteFailure(error);
    } catch (cause) {
      // When the catalog fails as well, the report above has it, and the next step reads everything again.
      report?.({ ...trouble, error: cause, kind: 'retry', retryInMs });
    }
  }

  /** @returns Milliseconds until the next try: more of them while nothing at all is put. */
  #retryLater(): number {
    const { progress } = this.#memory;
    const put = progress.alreadyPut.size;
    this.#fruitless = put > progress.putAtFailure ? 1 : this.#fruitless + 1;
    progress.putAtFailure = put;
    const retryInMs = backOffMs({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS }, this.#fruitless, this.#deps.chance);
    this.#retryAtMs = this.#deps.clock.monotonicMs() + retryInMs;
    return retryInMs;
  }

  /** Ends a deleted trail that has no hope; else shows the failure in GetTrailStatus. */
  async #noteFailure(error: DeliveryFailed): Promise<void> {
    const { clock, journal } = this.#deps;
    const saved = this.#saved;
    if (saved?.state === undefined) return;
    const step = this.#stepOf(saved, saved.state, []);
    if (await giveUpDeleted(step, error, clock.monotonicMs() - (this.#failingSinceMs ?? 0))) return;
    const isDigest = saved.pending?.work.kind === 'digest';
    const isHoldingUp = isDigest && saved.cursor < journal.head();
    const status = putFailed(step.state, { reason: error.reason, isDigest, isHoldingUp, nowMs: clock.nowMs() });
    await saved.save({ state: { ...step.state, ...status } });
  }
}
