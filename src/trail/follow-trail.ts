/**
 * Follows the journal for one trail: batches of log files, digests, receipts.
 *
 * Works in steps, each of which a crash may cut anywhere and a repeat completes with the same bytes at the same place:
 *
 *   bounds, names, hashes and the signed receipt are saved (`PendingStep`) → the receipt becomes a fact of the journal
 *   → the receipt is put → what it names is put → cursor, accounting and chains are saved, the pending step is gone
 *
 * There is at most one pending step, and it is finished before anything else is begun. So receipts are dense, deliveries
 * are in order, and a digest is made only when all that it lists is in the bucket.
 *
 * After any failure everything is read again from the catalog and tried again, later and later (at most every minute). A
 * bug or a damaged journal halts the trail: it does not guess, and other trails go on.
 * Specified in ARCHITECTURE.md; cloudtrail.md §2, §3; reliability.md P3, P10–P12, F16–F19, F23, F24, F28, F29, F33–F36.
 */
import assert, { AssertionError } from 'node:assert/strict';
import { formatEventTime } from '../event/times.ts';
import type { EpochMs, ObjectKey, Region } from '../event/types.ts';
import type { CatalogChange } from '../store/catalog.ts';
import type { HourCount } from '../store/follower.ts';
import { HourTable } from '../store/hour-table.ts';
import { isBug } from '../store/is-bug.ts';
import type { PublicKeyInfo, SigningKeyUse } from '../store/keys.ts';
import { parseNote } from '../tlog/note.ts';
import { parseReceipt, type Receipt } from '../tlog/receipt.ts';
import { toBase64, utf8 } from '../tlog/text.ts';
import { type CollectedBatch, collectBatch } from './collect-batch.ts';
import { chainStart, finalEnd, isTooLate, regularEnd } from './digest-times.ts';
import { chainName, type LoadedTrail, loadTrail } from './load-trail.ts';
import { makeReceipt, type ReceiptContent, receiptKey } from './make-receipt.ts';
import { fileKeyOf, type PreparedFile, prepareFiles } from './prepare-batch.ts';
import { DeliveryFailed, GZIP_JSON, putAll, putObject, RECEIPT_TEXT } from './put-object.ts';
import { isSameTarget, withdrawReceipt } from './receipt-places.ts';
import { requireAccess } from './require-access.ts';
import { signDigest } from './sign-digest.ts';
import { evidenceFolder, followerName, type TrailId, type TrailScope, trailArn } from './trail.ts';
import { TRAIL_SETTINGS, type TrailDeps, type TrailSettings } from './trail-deps.ts';
import {
  batchOfFileKey,
  chainKey,
  changeKey,
  changesKey,
  type DeliveredFile,
  type DigestChain,
  digestPartKey,
  digestPartsKey,
  fileKey,
  filesKey,
  newTrailState,
  type PendingStep,
  pendingKey,
  stateKey,
  type TrailChange,
  type TrailCount,
  type TrailState,
  type TrailTarget,
} from './trail-state.ts';

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** For so long a bucket that was open counts as open to the tries of one step. */
const ACCESS_MS = 60_000;
/** Longest rest between two looks at the clock, which somebody may set. */
const REST_MAX_MS = 5_000;
/** Digests made in one go while events wait, after an outage over many intervals. */
const DIGESTS_IN_ROW_MAX = 16;
/** The newest checkpoint keys, which can sign: the current one, and the one before for as long as it is not replaced twice. */
const KEYS_ABLE = 2;
/** Statements in the key file of a checkpoint key: its own and those of the keys before it. Readers take no more. */
const KEY_STATEMENTS_MAX = 400;
/** Length of one catalog document of a pending digest, in characters. */
const PART_LENGTH = 600_000;

type Batch = Extract<PendingStep['work'], { kind: 'batch' }>;
type Mark = Extract<PendingStep['work'], { kind: 'mark' }>;

/** The files of a batch and its counts. */
interface BatchFiles {
  readonly number: number;
  readonly files: readonly PreparedFile[];
  readonly counts: readonly TrailCount[];
  readonly regions: CollectedBatch['regions'];
}

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
  readonly #inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  /** What the catalog holds. Absent before the first step and after a failure. */
  #loaded: LoadedTrail | undefined;
  /** Seen last; kept over failures for those who ask. */
  #seen = { cursor: 0n, start: 0n, isGone: false };
  /** The counts at that cursor. */
  #counts = new HourTable<TrailCount>();
  /** The files of the pending batch, so that a repeat within this process need not make them again. */
  #files: BatchFiles | undefined;
  /**
   * What is done of the pending step in this process: a bucket that refuses now and then is got by with, a few requests
   * at each try.
   */
  #progress = newProgress(-1);
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
  constructor(deps: TrailDeps, id: TrailId, inTurn: <T>(work: () => Promise<T>) => Promise<T>) {
    this.#deps = deps;
    this.#inTurn = inTurn;
    this.#settings = { ...TRAIL_SETTINGS, ...deps.settings };
    this.id = id;
    this.name = followerName(id);
  }

  /** Everything up to here is delivered or counted as filtered, and saved. */
  cursor(): bigint {
    return this.#seen.cursor;
  }

  /** Events up to here were there before the trail. */
  start(): bigint {
    return this.#seen.start;
  }

  /** By account and hour of receipt, of the events after `start()` up to `cursor()`. */
  counts(): readonly HourCount[] {
    return this.#counts.all();
  }

  /** Those of them that changed since the last call; all at the first. For the books alone. */
  changedCounts(): readonly HourCount[] {
    return this.#counts.takeChanged();
  }

  /** True when the trail is deleted and nothing is left to do. */
  isGone(): boolean {
    return this.#seen.isGone;
  }

  health(): TrailHealth {
    if (this.#failures === 0) return { state: 'ok', failures: 0 };
    const reason = this.#failure instanceof Error ? this.#failure.message : String(this.#failure);
    return { state: this.#isHalted ? 'halted' : 'retrying', failures: this.#failures, reason };
  }

  /** Milliseconds until time alone gives this trail something to do. */
  dueInMs(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#isHalted || this.#seen.isGone) return RETRY_MAX_MS;
    if (this.#failures > 0) return Math.max(1, this.#retryAtMs - nowMs);
    const flushMs = this.#flushedAtMs + this.#deps.flushIntervalMs - nowMs;
    return Math.max(1, Math.min(flushMs, this.#nextDigestInMs(), REST_MAX_MS, this.#deps.digestIntervalMs / 4));
  }

  /** Reads cursor and counts, so that they are right before the first step. */
  async open(): Promise<void> {
    this.#remember(await loadTrail(this.#deps.catalog, this.id));
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
      const isDone = this.#loaded?.pending === undefined && this.#seen.cursor >= head;
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
      this.#loaded ??= await loadTrail(this.#deps.catalog, this.id);
      const hasWorked = await this.#work(this.#loaded);
      this.#remember(this.#loaded);
      this.#failures = 0;
      this.#fruitless = 0;
      this.#failingSinceMs = undefined;
      return hasWorked;
    } catch (error) {
      await this.#fail(error);
      return false;
    }
  }

  /** One piece of work, in the order of urgency. False when nothing is due. */
  async #work(loaded: LoadedTrail): Promise<boolean> {
    const { catalog, journal } = this.#deps;
    const changes = (await catalog.list<TrailChange>(changesKey(this.id))).map(({ value }) => value);
    const [change] = changes;
    const { state } = loaded;
    if (state === undefined || state.phase === 'deleted') {
      if (change === undefined) return false;
      await this.#begin(loaded, change);
      return true;
    }
    const target = targetOf(state, changes);
    if (loaded.pending !== undefined) {
      if (!isSameTarget(loaded.pending.target, target) && this.#failures > 0) await this.#redirect(loaded, state, loaded.pending, target);
      else await this.#finish(loaded, state, loaded.pending);
      return true;
    }

    const bound = change === undefined ? this.#flushBound() : BigInt(change.sequence);
    const isBehind = loaded.cursor < bound;
    if (state.phase === 'logging') {
      if (await this.#stateKeys(loaded, state, target)) return true;
      const due = this.#dueDigest(loaded, state, change);
      if (due !== undefined && !(isBehind && this.#digestsInRow >= DIGESTS_IN_ROW_MAX)) {
        this.#digestsInRow++;
        await this.#makeDigest(loaded, state, target, { ...due, isFinal: false });
        return true;
      }
    }
    this.#digestsInRow = 0;
    if (isBehind) {
      await this.#inTurn(() => this.#deliver(loaded, state, target, bound));
      return true;
    }
    if (change !== undefined && loaded.cursor >= BigInt(change.sequence)) {
      await this.#apply(loaded, state, target, change);
      return true;
    }
    assert(journal.head() >= loaded.cursor, `the journal ends before ${loaded.cursor}, which \`${this.name}\` has delivered`);
    return false;
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

  // --- changes ----------------------------------------------------------------------------------------------------

  /** Takes in the creation of the trail. */
  async #begin(loaded: LoadedTrail, change: TrailChange): Promise<void> {
    assert(change.kind === 'create', `\`${this.name}\` begins with its creation, not with \`${change.event}\``);
    const state = newTrailState(change, loaded.state);
    await this.#commit(loaded, { state, changes: [this.#changeDone(change)] });
    loaded.cursor = BigInt(state.cursor);
    loaded.counts = new HourTable();
  }

  /** Carries a change out: everything before it is delivered. A change that ends chains takes several steps. */
  async #apply(loaded: LoadedTrail, state: TrailState, target: TrailTarget, change: TrailChange): Promise<void> {
    if (state.phase === 'logging') {
      const ending = this.#openChains(loaded).find((chain) => this.#ends(change, chain));
      if (ending !== undefined) return this.#endChain(loaded, state, target, change, ending);
    }
    const reason = { event: change.event, principal: change.principal };
    switch (change.kind) {
      case 'create':
        throw new AssertionError({ message: `\`${this.name}\` was created twice` });
      case 'start': {
        if (state.phase === 'logging') return this.#commit(loaded, { state, changes: [this.#changeDone(change)] });
        // Keys that were rotated while the trail was off are stated first, or nobody could vouch for the next receipt.
        if (state.statedKeys.checkpoint !== null && (await this.#stateKeys(loaded, state, target))) return;
        const lastBatchAtMs = digestsBeginMs(state, change);
        const becomes: Partial<TrailState> = { phase: 'logging', settings: change.settings, receiptedTo: change.sequence, lastBatchAtMs };
        return this.#mark(loaded, state, target, { kind: 'start', reason }, { change: change.sequence, becomes });
      }
      case 'stop':
      case 'delete': {
        const phase = change.kind === 'stop' ? 'off' : 'deleted';
        if (state.phase === 'logging')
          return this.#mark(loaded, state, target, { kind: 'stop', reason }, { change: change.sequence, becomes: { phase } });
        return this.#commit(loaded, { state: { ...state, phase }, changes: [this.#changeDone(change), ...this.#forget(loaded, phase)] });
      }
      case 'update': {
        const before = state.settings;
        const after = change.settings;
        const turnsOff = before.validates && !after.validates;
        const changesChains =
          before.validates !== after.validates || (after.validates && before.isMultiRegionTrail !== after.isMultiRegionTrail);
        if (state.phase !== 'logging' || !changesChains)
          return this.#commit(loaded, { state: { ...state, settings: after }, changes: [this.#changeDone(change)] });
        if (turnsOff) await this.#appendGap('validation off', change);
        // Readers take digests that end and begin anew for a cut chain, unless a receipt says that it was meant so.
        return this.#mark(
          loaded,
          state,
          target,
          { kind: 'start', reason },
          {
            change: change.sequence,
            becomes: { settings: after, lastBatchAtMs: digestsBeginMs(state, change) },
          },
        );
      }
    }
  }

  /** Makes the next digest of a chain that a change ends; the last one covers everything up to the change. */
  #endChain(loaded: LoadedTrail, state: TrailState, target: TrailTarget, change: TrailChange, chain: DigestChain): Promise<void> {
    const atMs = endingAtMs(state, change);
    const nextMs = this.#regularEnd(chain);
    const isFinal = nextMs > atMs;
    return this.#makeDigest(loaded, state, target, {
      chain,
      endMs: isFinal ? finalEnd(Math.max(chain.startMs, chain.endsAfterMs ?? 0), atMs) : nextMs,
      isFinal,
    });
  }

  /** Whether the change ends the chain. */
  #ends(change: TrailChange, chain: DigestChain): boolean {
    switch (change.kind) {
      case 'stop':
      case 'delete':
        return true;
      case 'update':
        return !change.settings.validates || (!change.settings.isMultiRegionTrail && chain.region !== this.id.homeRegion);
      case 'start':
      case 'create':
        return false;
    }
  }

  /** The home Region's chain, and for all Regions those that the account has used so far. */
  async #chainsToOpen(loaded: LoadedTrail, settings: TrailState['settings'], atMs: EpochMs): Promise<readonly DigestChain[]> {
    if (!settings.validates) return [];
    const { account, homeRegion } = this.id;
    const used = settings.isMultiRegionTrail ? await this.#deps.catalog.list(['region', account]) : [];
    const regions = new Set<Region>([homeRegion, ...used.map(({ key }) => key[2] as Region)]);
    return [...regions].sort().flatMap((region) => this.#opened(loaded, { account, region }, atMs));
  }

  /**
   * Chains of Regions that exist since a batch of a trail that is logging, from that moment on: digests of them come before
   * there is anything to list.
   */
  async #chainsOfRegions(
    loaded: LoadedTrail,
    state: TrailState,
    { regions, atMs }: { readonly regions: CollectedBatch['regions']; readonly atMs: EpochMs },
  ): Promise<readonly DigestChain[]> {
    if (!state.settings.validates) return [];
    const { account } = this.id;
    const opened: DigestChain[] = [];
    for (const [region, usedAtMs] of regions) {
      if (loaded.chains.get(chainName({ account, region }))?.isOpen) continue;
      if ((await this.#deps.catalog.get(['region', account, region])) === undefined) continue;
      // Never before digests began, nor after the batch, whatever the clock said when the event came.
      opened.push(...this.#opened(loaded, { account, region }, Math.min(Math.max(usedAtMs, state.lastBatchAtMs), atMs)));
    }
    return opened;
  }

  /** The chain, open; nothing when it is open already. */
  #opened(loaded: LoadedTrail, of: Pick<DigestChain, 'account' | 'region'>, atMs: EpochMs): readonly DigestChain[] {
    const chain = loaded.chains.get(chainName(of));
    if (chain?.isOpen) return [];
    const { account, region } = of;
    return [{ account, region, isOpen: true, startMs: chainStart(atMs, chain?.startMs ?? 0), standard: null, backfill: null }];
  }

  /** A span without digests that no receipt tells of. */
  async #appendGap(reason: string, change: TrailChange, more: object = {}): Promise<void> {
    const { event, principal, sequence, atMs } = change;
    const gap = { version: 1, trailARN: trailArn(this.id), reason, event, principal, sequence, from: formatEventTime(atMs), ...more };
    await this.#deps.journal.append([
      {
        kind: 'fact',
        factKind: 'gap',
        factId: `gap/${sequence}/${trailArn(this.id)}`.slice(0, 256),
        account: this.id.account,
        region: this.id.homeRegion,
        receivedAtMs: atMs,
        bytes: utf8(`${JSON.stringify(gap)}\n`),
      },
    ]);
  }

  // --- log files --------------------------------------------------------------------------------------------------

  /** Takes the next entries up to `bound`: counts them, and delivers those that the trail selects. */
  async #deliver(loaded: LoadedTrail, state: TrailState, target: TrailTarget, bound: bigint): Promise<void> {
    const scope = state.phase === 'logging' ? this.#scopeOf(state.settings) : undefined;
    const after = loaded.cursor;
    const collected = await collectBatch(this.#deps, { after, to: bound }, scope, this.#settings);
    if (collected.groups.length > 0) {
      await this.#bindBatch(loaded, state, target, { after, collected });
    } else if (collected.counts.length > 0) {
      const counts = addCounts(loaded.counts, collected.counts);
      const atMs = Math.max(this.#deps.clock.nowMs(), state.lastBatchAtMs);
      const opened = await this.#chainsOfRegions(loaded, state, { regions: collected.regions, atMs });
      await this.#commit(loaded, {
        state: { ...state, cursor: `${collected.to}` },
        changes: [...this.#countChanges(counts), ...opened.map((chain) => this.#chainChange(chain))],
      });
      for (const count of counts) loaded.counts.set(count);
      for (const chain of opened) loaded.chains.set(chainName(chain), chain);
      loaded.cursor = collected.to;
    } else {
      // Facts alone: to save that would be to write for ever, since each delivery of any trail makes one.
      loaded.cursor = collected.to;
    }
  }

  #scopeOf(settings: Pick<TrailScope, 'isMultiRegionTrail' | 'includeGlobalServiceEvents'>): TrailScope {
    const { account, homeRegion } = this.id;
    const { isMultiRegionTrail, includeGlobalServiceEvents } = settings;
    return { account, homeRegion, isMultiRegionTrail, includeGlobalServiceEvents };
  }

  /** Saves the bounds of a batch and its receipt; the next step puts it. */
  async #bindBatch(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    { after, collected }: { readonly after: bigint; readonly collected: CollectedBatch },
  ): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const files = await prepareFiles(this.#deps, this.id, collected.groups, { target, nameMs: nowMs });
    const content: ReceiptContent = {
      kind: 'delivery',
      fromSequence: BigInt(state.receiptedTo) + 1n,
      toSequence: collected.to,
      objects: files.map(({ object }) => object),
    };
    const work: Batch = {
      kind: 'batch',
      after: `${after}`,
      to: `${collected.to}`,
      atMs: Math.max(nowMs, state.lastBatchAtMs),
      nameMs: nowMs,
      isMultiRegionTrail: state.settings.isMultiRegionTrail,
      includeGlobalServiceEvents: state.settings.includeGlobalServiceEvents,
      files: files.map(({ object }) => ({ contentSha256: object.contentSha256, sha256: object.sha256 })),
    };
    const pending = await this.#savePending(loaded, state, target, content, work);
    this.#files = { number: pending.number, files, counts: collected.counts, regions: collected.regions };
  }

  /** The files of a pending batch: kept from binding it, or made again after a restart. */
  async #filesOf(pending: PendingStep, work: Batch): Promise<BatchFiles> {
    if (this.#files?.number === pending.number) return this.#files;
    const range = { after: BigInt(work.after), to: BigInt(work.to) };
    const collected = await collectBatch(this.#deps, range, this.#scopeOf(work), {
      batchBytesMax: Number.POSITIVE_INFINITY,
      batchFilesMax: Number.POSITIVE_INFINITY,
    });
    assert(collected.to === range.to, `journal entries up to ${range.to} are still there`);
    const files = await prepareFiles(this.#deps, this.id, collected.groups, { target: pending.target, nameMs: work.nameMs });
    const hashes = files.map(({ object }) => ({ contentSha256: object.contentSha256, sha256: object.sha256 }));
    // INVARIANT: what a receipt has announced is what is put. Another zlib, or another reading of events, would break it.
    assert.deepEqual(hashes, work.files, `batch ${pending.number} of \`${this.name}\` is made again as it was announced`);
    this.#files = { number: pending.number, files, counts: collected.counts, regions: collected.regions };
    return this.#files;
  }

  async #finishBatch(loaded: LoadedTrail, state: TrailState, pending: PendingStep, work: Batch): Promise<void> {
    const { files, counts: more, regions } = await this.#inTurn(() => this.#filesOf(pending, work));
    const { bucket } = pending.target;
    await putAll(
      this.#putDeps(),
      files.map(({ object, body }) => ({ bucket, key: object.key as ObjectKey, body, options: GZIP_JSON })),
    );
    const nowMs = this.#deps.clock.nowMs();
    const counts = addCounts(loaded.counts, more);
    const delivered = state.settings.validates
      ? files.map(({ object }) => ({ object, file: deliveredFile(object, bucket, work.atMs) }))
      : [];
    const ofRegions = await this.#chainsOfRegions(loaded, state, { regions, atMs: work.atMs });
    const isOpened = new Set(ofRegions.map(chainName));
    const opened = [
      ...ofRegions,
      ...delivered
        .map(({ object }) => asChainName(object))
        .filter((chain) => !isOpened.has(chainName(chain)))
        .flatMap((chain) => this.#opened(loaded, chain, work.atMs)),
    ];
    await this.#commit(loaded, {
      state: {
        ...state,
        cursor: work.to,
        receiptedTo: work.to,
        lastBatchAtMs: work.atMs,
        delivery: { succeededAtMs: nowMs, attemptedAtMs: nowMs },
      },
      pending: undefined,
      changes: [
        ...this.#countChanges(counts),
        ...delivered.map(({ object, file }) => ({
          key: fileKey(this.id, asChainName(object), pending.number),
          value: file,
          expected: 'any' as const,
        })),
        ...opened.map((chain) => this.#chainChange(chain)),
      ],
    });
    for (const count of counts) loaded.counts.set(count);
    for (const chain of opened) loaded.chains.set(chainName(chain), chain);
    loaded.cursor = BigInt(work.to);
    this.#files = undefined;
  }

  // --- digests ----------------------------------------------------------------------------------------------------

  #openChains(loaded: LoadedTrail): readonly DigestChain[] {
    return [...loaded.chains.values()].filter((chain) => chain.isOpen).sort((one, other) => one.startMs - other.startMs);
  }

  /** The regular digest that is due, the oldest first. Every log file of its interval is in the bucket by now. */
  #dueDigest(
    loaded: LoadedTrail,
    state: TrailState,
    change: TrailChange | undefined,
  ): { readonly chain: DigestChain; readonly endMs: EpochMs } | undefined {
    const nowMs = this.#deps.clock.nowMs();
    for (const chain of this.#openChains(loaded)) {
      const endMs = this.#regularEnd(chain);
      // A chain that a waiting change ends has no intervals after it.
      const lastMs = change !== undefined && this.#ends(change, chain) ? Math.min(nowMs, endingAtMs(state, change)) : nowMs;
      if (endMs <= lastMs) return { chain, endMs };
    }
    return undefined;
  }

  #regularEnd({ startMs, endsAfterMs = 0 }: DigestChain): EpochMs {
    return regularEnd(Math.max(startMs, endsAfterMs), this.#deps.digestIntervalMs);
  }

  #nextDigestInMs(): number {
    const nowMs = this.#deps.clock.nowMs();
    const ends = this.#loaded === undefined ? [] : this.#openChains(this.#loaded).map((chain) => this.#regularEnd(chain));
    return Math.min(...ends.map((endMs) => endMs - nowMs));
  }

  /** Signs and saves a digest and its receipt; the next step puts it. */
  async #makeDigest(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    of: { readonly chain: DigestChain; readonly endMs: EpochMs; readonly isFinal: boolean },
  ): Promise<void> {
    const { chain, endMs, isFinal } = of;
    const nowMs = this.#deps.clock.nowMs();
    const fingerprint = state.statedKeys.digest;
    assert(fingerprint !== null, 'the digest key is stated before the first digest');
    const documents = await this.#deps.catalog.list<DeliveredFile>([...filesKey(this.id), chain.account, chain.region]);
    const listed = documents.filter(({ value }) => isFinal || value.atMs < endMs);
    const signed = await signDigest(this.#deps, this.id, {
      ...of,
      isBackfill: isTooLate(endMs, nowMs, this.#deps.digestIntervalMs),
      files: listed.map(({ value }) => value),
      target,
      fingerprint,
      nowMs,
    });
    const encoded = toBase64(signed.body);
    const parts = Array.from({ length: Math.ceil(encoded.length / PART_LENGTH) }, (_, part) =>
      encoded.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH),
    );
    await this.#savePending(
      loaded,
      state,
      target,
      { kind: 'digest', digest: signed.receipt },
      {
        kind: 'digest',
        key: signed.key,
        metadata: signed.metadata,
        parts: parts.length,
        listedTo: listed.length === 0 ? 0 : batchOfFileKey(listed.at(-1)!.key),
        chain: signed.chain,
      },
      parts.map((part, index) => ({ key: digestPartKey(this.id, index), value: part, expected: 'any' })),
    );
  }

  async #finishDigest(
    loaded: LoadedTrail,
    state: TrailState,
    pending: PendingStep,
    work: Extract<PendingStep['work'], { kind: 'digest' }>,
  ): Promise<void> {
    const { catalog, clock } = this.#deps;
    const parts = await catalog.list<string>(digestPartsKey(this.id));
    assert(parts.length === work.parts, `digest ${work.key} is saved in ${work.parts} parts, not ${parts.length}`);
    const body = new Uint8Array(Buffer.from(parts.map(({ value }) => value).join(''), 'base64'));
    await putObject(this.#putDeps(), {
      bucket: pending.target.bucket,
      key: work.key,
      body,
      options: { ...GZIP_JSON, metadata: work.metadata },
    });
    const files = await catalog.list([...filesKey(this.id), work.chain.account, work.chain.region]);
    const listed = files.filter(({ key }) => batchOfFileKey(key) <= work.listedTo);
    const nowMs = clock.nowMs();
    // What held up log files does so no more.
    const { error: _, ...delivery } = state.delivery;
    await this.#commit(loaded, {
      state: { ...state, delivery, digest: { succeededAtMs: nowMs, attemptedAtMs: nowMs } },
      pending: undefined,
      changes: [
        this.#chainChange(work.chain),
        ...[...parts, ...listed].map(({ key }) => ({ key, value: undefined, expected: 'any' as const })),
      ],
    });
    loaded.chains.set(chainName(work.chain), work.chain);
  }

  // --- receipts ---------------------------------------------------------------------------------------------------

  /** Makes a receipt and saves it with what is to be done for it. */
  async #savePending(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    content: ReceiptContent,
    work: PendingStep['work'],
    changes: readonly CatalogChange[] = [],
    given?: readonly string[],
  ): Promise<PendingStep> {
    const { checkpoint } = state.statedKeys;
    const signers = given ?? (checkpoint === null ? [] : await this.#thoseWhoCanSign([checkpoint]));
    const from = { receipts: state.receipts, target, nowMs: this.#deps.clock.nowMs() };
    const { note, receipts } = await makeReceipt(this.#deps, this.id, from, content, signers);
    const factKind = content.kind === 'start' || content.kind === 'stop' ? 'gap' : content.kind;
    const pending: PendingStep = { number: receipts.number, note, factKind, target, work };
    await this.#commit(loaded, { state: { ...state, receipts }, pending, changes });
    return pending;
  }

  async #mark(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    content: ReceiptContent,
    work: Pick<Mark, 'change' | 'becomes'>,
    signers?: readonly string[],
  ): Promise<void> {
    await this.#savePending(loaded, state, target, content, { kind: 'mark', receiptKind: content.kind, ...work }, [], signers);
  }

  /** Completes the pending step. Everything in it may have been done before. */
  async #finish(loaded: LoadedTrail, state: TrailState, pending: PendingStep): Promise<void> {
    if (this.#progress.step !== pending.number) this.#progress = newProgress(pending.number);
    await this.#appendReceipt(pending);
    if (this.#deps.clock.monotonicMs() - this.#progress.allowedAtMs >= ACCESS_MS) {
      await this.#requireAccess(pending.target);
      this.#progress.allowedAtMs = this.#deps.clock.monotonicMs();
    }
    await putObject(this.#putDeps(), {
      bucket: pending.target.bucket,
      key: receiptKey(this.id, pending.target, pending.number),
      body: utf8(pending.note),
      options: RECEIPT_TEXT,
    });
    switch (pending.work.kind) {
      case 'batch':
        return this.#finishBatch(loaded, state, pending, pending.work);
      case 'digest':
        return this.#finishDigest(loaded, state, pending, pending.work);
      case 'mark':
        return this.#finishMark(loaded, state, pending.work);
    }
  }

  /**
   * Takes a pending step to another bucket: the trail was moved away from one that refuses it.
   *
   * The receipt was made for the old bucket and stays in the journal. There it may be or not, and so may what it names. The
   * next receipt, for the new bucket, withdraws it and announces the same again.
   */
  async #redirect(loaded: LoadedTrail, before: TrailState, pending: PendingStep, target: TrailTarget): Promise<void> {
    const { work } = pending;
    await this.#appendReceipt(pending);
    const state = { ...before, receipts: withoutPending(before.receipts, pending) };
    switch (work.kind) {
      case 'mark': {
        await this.#savePending(loaded, state, target, contentOf(pending), work);
        return;
      }
      case 'batch': {
        const { files, counts, regions } = await this.#inTurn(() => this.#filesOf(pending, work));
        const moved = this.#renamed(files, work, target);
        const content = { ...contentOf(pending), objects: moved.map(({ object }) => object) } as ReceiptContent;
        const next = await this.#savePending(loaded, state, target, content, work);
        this.#files = { number: next.number, files: moved, counts, regions };
        return;
      }
      case 'digest': {
        // Its place is signed, and no interval gets a second digest: the next one covers this interval and one more.
        const chain = loaded.chains.get(chainName(work.chain))!;
        const held: DigestChain = { ...chain, endsAfterMs: work.chain.startMs };
        const parts = await this.#deps.catalog.list(digestPartsKey(this.id));
        const changes = [this.#chainChange(held), ...parts.map(({ key }) => ({ key, value: undefined, expected: 'any' as const }))];
        await this.#commit(loaded, { state, pending: undefined, changes });
        loaded.chains.set(chainName(held), held);
        return;
      }
    }
  }

  /** The same files under the target's prefix. */
  #renamed(files: readonly PreparedFile[], work: Batch, target: TrailTarget): readonly PreparedFile[] {
    return files.map(({ object, body }) => ({
      body,
      object: { ...object, key: fileKeyOf(this.#deps.sha256, this.id, object, { target, nameMs: work.nameMs }) },
    }));
  }

  async #finishMark(loaded: LoadedTrail, state: TrailState, work: Mark): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const next: TrailState = { ...state, ...work.becomes };
    const change = work.change === undefined ? undefined : await this.#changeAt(work.change);
    const isStart = work.receiptKind === 'start';
    const opened = isStart && change !== undefined ? await this.#chainsToOpen(loaded, next.settings, next.lastBatchAtMs) : [];
    // A failure is over once a put succeeds again; only a batch counts as a delivery.
    const { error: _, ...delivery } = { ...next.delivery, attemptedAtMs: nowMs };
    await this.#commit(loaded, {
      state: { ...next, delivery },
      pending: undefined,
      changes: [
        ...(change === undefined ? [] : [this.#changeDone(change)]),
        ...opened.map((chain) => this.#chainChange(chain)),
        ...this.#forget(loaded, next.phase),
      ],
    });
    for (const chain of opened) loaded.chains.set(chainName(chain), chain);
  }

  async #appendReceipt(pending: PendingStep): Promise<void> {
    const { journal, clock } = this.#deps;
    await journal.append([
      {
        kind: 'fact',
        factKind: pending.factKind,
        factId: `receipt/${pending.number}/${trailArn(this.id)}`,
        account: this.id.account,
        region: this.id.homeRegion,
        receivedAtMs: clock.nowMs(),
        bytes: utf8(pending.note),
      },
    ]);
  }

  /**
   * Puts the public keys in use where the receipts are, and states each of them that can sign in a receipt.
   * @returns true when there was something to do.
   */
  async #stateKeys(loaded: LoadedTrail, state: TrailState, target: TrailTarget): Promise<boolean> {
    const uses: readonly SigningKeyUse[] = state.settings.validates ? ['checkpoint', 'digest'] : ['checkpoint'];
    for (const use of uses) {
      const keys = await this.#deps.keys.list(use);
      const stated = keys.findIndex((key) => key.fingerprint === state.statedKeys[use]);
      const isStated = stated >= 0 && stated === keys.length - 1;
      // A checkpoint key that was replaced twice by now can sign nothing, not even that it was there: it is passed over.
      const oldestAble = use === 'checkpoint' ? keys.length - KEYS_ABLE : 0;
      const due = isStated || stated < 0 ? keys.length - 1 : Math.max(stated + 1, oldestAble);
      const place = keyFilePlace(this.id, target, keys[due]!);
      if (isStated && state.keyFiles[use] === place) continue;
      const statements = use === 'checkpoint' ? await this.#statementsUpTo(keys, due) : [];
      // A key that is being made is stated as soon as the journal states it.
      if (statements === undefined) continue;
      // The file comes first: it says who vouches for the key of the receipt.
      if (state.keyFiles[use] !== place) await this.#putKeyFile(loaded, state, target, keys[due]!, statements);
      else await this.#stateKey(loaded, state, target, keys[due]!, keys[due - 1]);
      return true;
    }
    return false;
  }

  /** Puts a key's public half where the receipts are. */
  async #putKeyFile(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    key: PublicKeyInfo,
    statements: readonly string[],
  ): Promise<void> {
    await this.#requireAccess(target);
    const file = keyFileKey(this.id, target, key);
    const body = keyFile(key, statements, this.#deps.origin);
    await putObject(this.#putDeps(), { bucket: target.bucket, key: file, body, options: { contentType: 'application/json' } });
    const keyFiles = { ...state.keyFiles, [key.use]: keyFilePlace(this.id, target, key) };
    await this.#commit(loaded, { state: { ...state, keyFiles } });
  }

  /**
   * What the journal says of a checkpoint key and of those before it, oldest first: a reader who knows any of them comes
   * to this one. The first key needs no word of another. `undefined` while the key itself is not stated yet.
   */
  async #statementsUpTo(keys: readonly PublicKeyInfo[], index: number): Promise<readonly string[] | undefined> {
    const notes: string[] = [];
    for (const key of keys.slice(Math.max(1, index + 1 - KEY_STATEMENTS_MAX), index + 1)) {
      const found = await this.#deps.keyStatement(key);
      if (found.kind === 'unstated' && key === keys[index]) return undefined;
      if (found.kind === 'stated') notes.push(found.note);
    }
    return notes;
  }

  async #stateKey(
    loaded: LoadedTrail,
    state: TrailState,
    target: TrailTarget,
    key: PublicKeyInfo,
    previous: PublicKeyInfo | undefined,
  ): Promise<void> {
    const { use, fingerprint, publicKey } = key;
    const content: ReceiptContent = {
      kind: 'key',
      key: { use, fingerprint, publicKey, previousFingerprint: previous?.fingerprint ?? null },
    };
    const becomes: Partial<TrailState> = { statedKeys: { ...state.statedKeys, [use]: fingerprint } };
    const signers = use === 'digest' ? undefined : await this.#thoseWhoCanSign([previous?.fingerprint, fingerprint]);
    await this.#mark(loaded, state, target, content, { becomes }, signers);
  }

  /** Those of some checkpoint keys that can still sign; else the oldest key that can. */
  async #thoseWhoCanSign(wanted: readonly (string | undefined)[]): Promise<readonly string[]> {
    const keys = (await this.#deps.keys.list('checkpoint')).slice(-KEYS_ABLE).map(({ fingerprint }) => fingerprint);
    const able = wanted.filter((fingerprint) => fingerprint !== undefined && keys.includes(fingerprint)) as string[];
    return able.length === 0 ? keys.slice(0, 1) : able;
  }

  // --- the bucket -------------------------------------------------------------------------------------------------

  #putDeps() {
    const { objects, clock } = this.#deps;
    const { alreadyPut } = this.#progress;
    return { objects, clock, alreadyPut, putTimeoutMs: this.#settings.putTimeoutMs, stop: this.#stop.signal };
  }

  /** A bucket's owner may take the permission back at any time. */
  #requireAccess(target: TrailTarget): Promise<void> {
    return requireAccess({ ...this.#putDeps(), objects: this.#deps.objects }, this.id, target);
  }

  // --- the catalog ------------------------------------------------------------------------------------------------

  /** Saves a new state with further changes, all or none. `pending` as a member, even if undefined, replaces the pending step. */
  async #commit(
    loaded: LoadedTrail,
    next: { readonly state: TrailState; readonly pending?: PendingStep | undefined; readonly changes?: readonly CatalogChange[] },
  ): Promise<void> {
    const pending: readonly CatalogChange[] = 'pending' in next ? [{ key: pendingKey(this.id), value: next.pending, expected: 'any' }] : [];
    await this.#deps.catalog.commit([
      // The version catches a second process on the same data (F44).
      { key: stateKey(this.id), value: next.state, expected: loaded.stateVersion },
      ...pending,
      ...(next.changes ?? []),
    ]);
    loaded.state = next.state;
    loaded.stateVersion++;
    if ('pending' in next) loaded.pending = next.pending;
  }

  #changeDone(change: TrailChange): CatalogChange {
    return { key: changeKey(this.id, change.sequence), value: undefined, expected: 'any' };
  }

  async #changeAt(sequence: string): Promise<TrailChange> {
    const document = await this.#deps.catalog.get<TrailChange>(changeKey(this.id, sequence));
    assert(document !== undefined, `the change at ${sequence} waits until its receipt is put`);
    return document.value;
  }

  #chainChange(chain: DigestChain): CatalogChange {
    return { key: chainKey(this.id, chain), value: chain, expected: 'any' };
  }

  #countChanges(counts: readonly TrailCount[]): readonly CatalogChange[] {
    return counts.map((count) => ({ key: this.#countKey(count), value: count, expected: 'any' }));
  }

  #countKey(count: TrailCount): CatalogChange['key'] {
    return ['accounting', this.name, count.account, String(count.hour)];
  }

  /** The accounting of a deleted trail goes with it. */
  #forget(loaded: LoadedTrail, phase: TrailState['phase']): readonly CatalogChange[] {
    if (phase !== 'deleted') return [];
    return loaded.counts.all().map((count) => ({ key: this.#countKey(count), value: undefined, expected: 'any' }));
  }

  #remember(loaded: LoadedTrail): void {
    const { state, counts, cursor } = loaded;
    const isGone = state === undefined || state.phase === 'deleted';
    const start = BigInt(state?.start ?? '0');
    if (isGone || start !== this.#seen.start) this.#counts = new HourTable();
    if (!isGone) for (const count of counts.takeChanged()) this.#counts.set(count);
    this.#seen = { cursor, start, isGone };
  }

  // --- failures ---------------------------------------------------------------------------------------------------

  async #fail(error: unknown): Promise<void> {
    const { clock, report } = this.#deps;
    const loaded = this.#loaded;
    this.#loaded = undefined;
    this.#failures++;
    this.#failure = error;
    this.#isHalted = isBug(error);
    const trouble = { trail: this.name, account: this.id.account, region: this.id.homeRegion, error, failures: this.#failures };
    if (this.#isHalted) return report?.({ ...trouble, kind: 'halted' });

    const nowMs = clock.monotonicMs();
    this.#failingSinceMs ??= nowMs;
    const put = this.#progress.alreadyPut.size;
    this.#fruitless = put > this.#progress.putAtFailure ? 1 : this.#fruitless + 1;
    this.#progress.putAtFailure = put;
    const longestMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(this.#fruitless, 10));
    const retryInMs = RETRY_MIN_MS + Math.floor((longestMs - RETRY_MIN_MS) * this.#deps.chance.fraction());
    this.#retryAtMs = nowMs + retryInMs;
    report?.({ ...trouble, kind: 'retry', retryInMs });
    if (!(error instanceof DeliveryFailed) || loaded?.state === undefined) return;
    try {
      // When the catalog fails as well, the report above has it, and the next step reads everything again.
      if (!(await this.#giveUpDeleted(loaded, loaded.state, error))) await this.#noteFailure(loaded, loaded.state, error);
    } catch (cause) {
      report?.({ ...trouble, error: cause, kind: 'retry', retryInMs });
    }
  }

  /** Shows the failure in GetTrailStatus. A digest that cannot be put holds up the log files that wait behind it: both show it. */
  async #noteFailure(loaded: LoadedTrail, state: TrailState, error: DeliveryFailed): Promise<void> {
    const shown = error.reason === undefined ? {} : { error: error.reason };
    const attempt = { attemptedAtMs: this.#deps.clock.nowMs(), ...shown };
    const isDigest = loaded.pending?.work.kind === 'digest';
    const isHeldUp = isDigest && loaded.cursor < this.#deps.journal.head();
    const status = isDigest
      ? { digest: { ...state.digest, ...attempt }, ...(isHeldUp && { delivery: { ...state.delivery, ...shown } }) }
      : { delivery: { ...state.delivery, ...attempt } };
    await this.#commit(loaded, { state: { ...state, ...status } });
  }

  /**
   * Gives up a deleted trail whose bucket refuses it, or is away for too long: deleting a trail ends its deliveries
   * (cloudtrail.md §2.2). A fact says what was not delivered; the events themselves stay in the journal.
   * @returns false when there is hope.
   */
  async #giveUpDeleted(loaded: LoadedTrail, state: TrailState, error: DeliveryFailed): Promise<boolean> {
    const changes = (await this.#deps.catalog.list<TrailChange>(changesKey(this.id))).map(({ value }) => value);
    const end = changes.findIndex(({ kind }) => kind === 'delete');
    if (end < 0) return false;
    const isRefused = error.reason === 'NoSuchBucket' || error.reason === 'AccessDenied';
    const failingMs = this.#deps.clock.monotonicMs() - (this.#failingSinceMs ?? 0);
    if (!isRefused && failingMs < this.#settings.deletedTrailGraceMs) return false;

    const deletion = changes[end]!;
    await this.#appendGap('deleted before delivery', deletion, {
      undeliveredFrom: `${BigInt(state.receiptedTo) + 1n}`,
      undeliveredTo: deletion.sequence,
      lastReceipt: state.receipts.number,
      error: error.reason ?? 'timeout',
    });
    const documents = [...(await this.#deps.catalog.list(digestPartsKey(this.id))), ...(await this.#deps.catalog.list(filesKey(this.id)))];
    const { pending } = loaded;
    const promised = pending?.work.kind === 'digest' ? pending.work.chain : undefined;
    const receipts = pending === undefined ? state.receipts : withoutPending(state.receipts, pending);
    const chains = this.#openChains(loaded).map((chain) => ({
      ...(promised !== undefined && chainName(promised) === chainName(chain) ? promised : chain),
      isOpen: false,
      standard: null,
      backfill: null,
    }));
    await this.#commit(loaded, {
      state: { ...state, receipts, phase: 'deleted', cursor: deletion.sequence },
      pending: undefined,
      changes: [
        ...changes.slice(0, end + 1).map((change) => this.#changeDone(change)),
        ...chains.map((chain) => this.#chainChange(chain)),
        ...documents.map(({ key }) => ({ key, value: undefined, expected: 'any' as const })),
        ...this.#forget(loaded, 'deleted'),
      ],
    });
    this.#remember(loaded);
    return true;
  }
}

/** Where new objects go: where the newest update says, even before delivery has come to it, since the old bucket may be gone. */
function targetOf(state: TrailState, changes: readonly TrailChange[]): TrailTarget {
  const end = changes.findIndex(({ kind }) => kind === 'delete' || kind === 'create');
  const ahead = end < 0 ? changes : changes.slice(0, end);
  return ahead.findLast(({ kind }) => kind === 'update')?.settings.target ?? state.settings.target;
}

/** The receipts once the pending one is given up: the next one says that it counts for nothing. */
function withoutPending(receipts: TrailState['receipts'], { number }: PendingStep): TrailState['receipts'] {
  return { ...receipts, spans: withdrawReceipt(receipts.spans, number) };
}

function receiptOf(pending: PendingStep): Receipt {
  const note = parseNote(pending.note);
  const parsed = note.kind === 'ok' ? parseReceipt(note.value.text) : note;
  assert(parsed.kind === 'ok', 'our own receipt can be read');
  return parsed.value;
}

/** What a pending receipt says, to be said again. */
function contentOf(pending: PendingStep): ReceiptContent {
  const receipt = receiptOf(pending);
  switch (receipt.kind) {
    case 'start':
    case 'stop':
      return { kind: receipt.kind, reason: receipt.reason };
    case 'key':
      return { kind: receipt.kind, key: receipt.key };
    case 'digest':
      return { kind: receipt.kind, digest: receipt.digest };
    case 'delivery':
      return { kind: receipt.kind, fromSequence: receipt.fromSequence, toSequence: receipt.toSequence, objects: receipt.objects };
  }
}

/** A chain that a change ends covers all that was delivered for it, however late that was. */
function endingAtMs(state: TrailState, change: TrailChange): EpochMs {
  return Math.max(change.atMs, state.lastBatchAtMs);
}

/**
 * When digests begin with a change: not before it, and in a later second than the last batch before it, which no digest
 * may list. Batches after the change are bound no earlier than that.
 */
function digestsBeginMs(state: TrailState, change: TrailChange): EpochMs {
  return Math.max(change.atMs, state.lastBatchAtMs === 0 ? 0 : chainStart(state.lastBatchAtMs, 0) + 1_000);
}

/** The new values of the counts that change. */
function addCounts(before: HourTable<TrailCount>, more: readonly TrailCount[]): readonly TrailCount[] {
  return more.map((count) => {
    const { delivered = 0, filtered = 0 } = before.get(count) ?? {};
    return { ...count, delivered: count.delivered + delivered, filtered: count.filtered + filtered };
  });
}

function deliveredFile(object: PreparedFile['object'], bucket: string, atMs: EpochMs): DeliveredFile {
  const { key, contentSha256, oldestEventTime, newestEventTime } = object;
  return { bucket, key: key as ObjectKey, contentSha256, oldestEventTime, newestEventTime, atMs };
}

function asChainName({ account, region }: PreparedFile['object']): Pick<DigestChain, 'account' | 'region'> {
  return { account, region } as Pick<DigestChain, 'account' | 'region'>;
}

function keyFileKey(trail: TrailId, target: TrailTarget, { use, fingerprint }: PublicKeyInfo): ObjectKey {
  return `${evidenceFolder(trail, target.prefix ?? undefined)}keys/${use}-${fingerprint}.json` as ObjectKey;
}

/** The file's key with its bucket, as the trail's state keeps it. */
function keyFilePlace(trail: TrailId, target: TrailTarget, key: PublicKeyInfo): string {
  return `${target.bucket}/${keyFileKey(trail, target, key)}`;
}

/** A public key as readers of the bucket find it. The same for ever: it does not say how long the key is valid. */
function keyFile(key: PublicKeyInfo, statements: readonly string[], origin: string): Uint8Array {
  const { use, fingerprint, publicKey, validFromMs } = key;
  const file = {
    version: 1,
    origin,
    use,
    fingerprint,
    publicKey: toBase64(publicKey),
    validFrom: formatEventTime(validFromMs),
    ...(statements.length > 0 && { statements }),
  };
  return utf8(`${JSON.stringify(file)}\n`);
}

function newProgress(step: number) {
  return {
    step,
    alreadyPut: new Set<string>(),
    /** When the bucket was found open last, by the monotonic clock. */
    allowedAtMs: Number.NEGATIVE_INFINITY,
    /** Objects that were put when a try failed last. */
    putAtFailure: 0,
  };
}
