/**
 * One life of the server over a world: the real `createServer`, its followers and trails, on a clock that is moved by hand.
 */
import type { AccountId, Region } from '../../src/event/types.ts';
import { createServer, type SnowtrailServer } from '../../src/server/create-server.ts';
import { type DiskJournal, openDiskJournal } from '../../src/store/disk/journal/disk-journal.ts';
import { createManualClock, createSeededChance, type ManualClock } from '../../src/store/memory/clock.ts';
import { createMemoryOutbound } from '../../src/store/memory/outbound.ts';
import { gzipInline } from '../../src/trail/compress.ts';
import { slowFiles } from './slow-files.ts';
import { type Ending, LifeEnded, PAUSE_TURNS_MAX, type World } from './world.ts';

export const ADMINISTRATOR = '111111111111' as AccountId;
export const HOME = 'eu-central-1' as Region;
export const FLUSH_MS = 5_000;
export const DIGEST_MS = 60_000;
/** Small enough that a run fills and seals a few. */
const SEGMENT_BYTES = 6_000;
const RESERVE_BYTES = 4_096;
/** Time passes in pieces: the server works in each until nothing is left to do. */
const PIECE_MS = 500;
/** Turns of the event loop without a step after which nothing is under way any more. */
const QUIET_TURNS = PAUSE_TURNS_MAX + 2;
/** Longest time for one call: above every time limit of the server. */
const CALL_MS_MAX = 120_000;

/** Something that must never happen, seen while the server ran. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export class Life {
  readonly world: World;
  readonly number: number;
  readonly clock: ManualClock;
  journal!: DiskJournal;
  server!: SnowtrailServer;
  /** Requests whose record could not be made durable, as the server itself reported. */
  readonly unrecorded = new Set<string>();
  #isDead = false;
  readonly #closing = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #violation: Violation | undefined;

  private constructor(world: World) {
    this.world = world;
    this.number = world.lives + 1;
    this.clock = createManualClock({ startMs: world.nowMs() });
  }

  /** Starts a server. @throws LifeEnded when it dies at the start; what the start throws otherwise. */
  static async start(world: World): Promise<Life> {
    const life = new Life(world);
    world.begin(life.clock, () => {
      life.#isDead = true;
      life.#closing.abort();
    });
    const starting = life.#start().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const outcome = await life.#finish(starting, 'the start');
    if (life.#isDead) throw new LifeEnded('the server died at its start');
    if (outcome?.value !== undefined) {
      world.end('kill');
      throw outcome.value.error;
    }
    return life;
  }

  async #start(): Promise<void> {
    const { world, clock } = this;
    const chance = createSeededChance(`${world.seed}/life/${this.number}`);
    const isDead = () => this.#isDead;
    this.journal = await openDiskJournal({
      folder: '/journal',
      files: slowFiles(world.files, world.pause),
      sealing: 'in-place',
      clock,
      chance,
      segmentBytes: SEGMENT_BYTES,
      freshBytes: 4_000,
      reserveBytes: RESERVE_BYTES,
      unsafeAcknowledgeBeforeSync: world.unsafeAcknowledgeBeforeSync,
      report: (problem) => this.#note('journal', problem.message),
    });
    this.server = await createServer({
      stores: {
        clock,
        chance,
        journal: this.journal,
        objects: world.watched('objects', world.objects, isDead),
        catalog: world.watched('catalog', world.catalog, isDead),
        keys: world.watched('keys', world.keys, isDead),
        treeHashes: world.watched('treeHashes', world.treeHashes, isDead, ['size', 'durableSize']),
        historyIndex: world.watched('index', world.index, isDead, ['coveredTo', 'scopes']),
        outbound: createMemoryOutbound({ clock, handlers: new Map() }),
        subscribers: createMemoryOutbound({ clock, handlers: new Map() }),
      },
      installationId: world.installationId,
      firstAccount: ADMINISTRATOR,
      region: HOME,
      flushIntervalMs: FLUSH_MS,
      digestIntervalMs: DIGEST_MS,
      gzip: gzipInline,
      keepKey: async ({ account, accessKeyId }) => {
        if (this.#isDead) throw new LifeEnded('the process is gone');
        world.keptKeys.set(account, accessKeyId);
      },
      url: () => 'http://127.0.0.1:4620',
      signatureTimeMs: () => clock.nowMs(),
      log: {
        info: (message) => this.#note('info', message),
        warn: (message) => this.#note('warn', message),
        error: (message, details) => this.#logError(message, details),
      },
    });
    const { signal } = this.#closing;
    this.#running = Promise.all([this.server.runFollowers(signal), this.server.runTrails(signal)]);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /**
   * Waits for a call of the server: first without time, then with.
   * @returns its outcome; `undefined` when the server died before.
   * @throws Violation when it takes longer than any time limit.
   */
  async finish<T>(call: Promise<T>, name: string): Promise<{ readonly value: T } | undefined> {
    const outcome = await this.#finish(call, name);
    this.#throwViolation();
    return outcome;
  }

  async #finish<T>(call: Promise<T>, name: string): Promise<{ readonly value: T } | undefined> {
    let done: { readonly value: T } | undefined;
    let failed: { readonly error: unknown } | undefined;
    call.then(
      (value) => {
        done = { value };
      },
      (error: unknown) => {
        failed = { error };
      },
    );
    for (let waitedMs = 0; ; waitedMs += PIECE_MS) {
      await this.#settle();
      if (this.#isDead) return undefined;
      if (failed !== undefined) throw failed.error;
      if (done !== undefined) return done;
      if (waitedMs > CALL_MS_MAX) throw new Violation(`${name} gets no answer`);
      await this.clock.advance(PIECE_MS);
    }
  }

  /** Lets time pass, and the server work, until the server dies. */
  async pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms && !this.#isDead; passedMs += PIECE_MS) {
      await this.clock.advance(Math.min(PIECE_MS, ms - passedMs));
      await this.#settle();
      this.dieWhenDeviceFailed();
    }
    this.#throwViolation();
  }

  /** Ends as an operator ends it: what is due is delivered, then all is closed. */
  async stop(): Promise<void> {
    await this.finish(
      this.server.trails.flushNow().catch((error: unknown) => this.#note('warn', `not all was delivered: ${String(error)}`)),
      'the last flush',
    );
    this.#closing.abort();
    await this.finish(
      this.#running.then(() => this.journal.close()).catch((error: unknown) => this.#noteBadEnd(error)),
      'the end',
    );
    this.world.end('kill');
  }

  /** Waits until the server has nothing to do before time passes. */
  async #settle(): Promise<void> {
    const { world } = this;
    for (let quiet = 0, seen = world.steps; quiet < QUIET_TURNS; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = world.steps === seen ? quiet + 1 : 0;
      seen = world.steps;
    }
  }

  /** As `start.ts` does: a device that failed ends the process (P7). */
  dieWhenDeviceFailed(): void {
    if (this.#isDead || this.journal.health().state !== 'failed') return;
    this.#note('failed', this.journal.health().reason ?? '');
    this.world.end('kill');
  }

  #note(kind: string, message: string): void {
    if (!this.#isDead) this.world.trace.add(`  ${this.number} ${kind}: ${message}`);
  }

  /** A device that fails at the very end loses nothing that was acknowledged: the next start shows it. */
  #noteBadEnd(error: unknown): void {
    if (!this.world.isTroubled()) throw error;
    this.#note('warn', `the end was not clean: ${String(error)}`);
  }

  #logError(message: string, details?: object): void {
    if (this.#isDead) return;
    this.#note('error', message);
    const { requestId, kind } = (details ?? {}) as { readonly requestId?: string; readonly kind?: string };
    if (requestId !== undefined && message.includes('could not be made durable')) this.unrecorded.add(requestId);
    const isStopped = kind === 'halted' || /^follower .* stopped/.test(message) || message.startsWith('the clock is not watched');
    // The stop of a follower may come from a device that failed a moment ago.
    if (isStopped && this.journal.health().state !== 'failed')
      this.#violation ??= new Violation(`${message}\n${(details as { stack?: string })?.stack ?? ''}`);
  }

  #throwViolation(): void {
    if (this.#violation !== undefined && !this.#isDead) throw this.#violation;
  }
}

/** How a life ended, for the trace. */
export function describeEnding(how: Ending): string {
  return how === 'kill' ? 'killed' : 'power cut';
}
