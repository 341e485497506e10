/**
 * What outlives a server's process: the simulated disk with the journal, and memory stores that stand for durable ones.
 *
 * Every call that the server makes of any of them is a *step*. A crash happens at a step: before it, or after it took
 * effect with its answer lost; from then on every further call of that life throws (`LifeEnded`), so that a dead server
 * cannot act. Memory stores keep what they acknowledged; what they had not promised to keep (tree hashes that were not
 * synced, parts of the history index) may be gone after a power cut.
 */
import type { AccountId } from '../../src/event/types.ts';
import { hashSha256 } from '../../src/server/sha256.ts';
import type { Catalog } from '../../src/store/catalog.ts';
import type { Chance, Clock } from '../../src/store/clock.ts';
import type { HistoryIndex } from '../../src/store/history-index.ts';
import { MASTER_KEY_BYTES, openKeyring } from '../../src/store/keyring.ts';
import type { Keys } from '../../src/store/keys.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { createSeededChance } from '../../src/store/memory/clock.ts';
import { createMemoryHistoryIndex } from '../../src/store/memory/history-index.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { createMemoryTreeHashes, type MemoryTreeHashes } from '../../src/store/memory/tree-hashes.ts';
import { type Objects, ObjectsError } from '../../src/store/objects.ts';
import { hashNode } from '../../src/tlog/hash.ts';
import { type FaultKind, type SimulatedCall, SimulatedFiles } from '../support/simulated-files.ts';
import { numberedRsaKey } from './rsa-key.ts';
import { Trace } from './trace.ts';

/** Not a multiple of any interval. */
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** Longest pause within one call, in turns of the event loop. */
export const PAUSE_TURNS_MAX = 3;

/** How a life ends: the process alone, or the machine. */
export type Ending = 'kill' | 'power-cut';

/** Steps at which a crash may come. A sync is where most is at stake. */
export type CrashPlace = 'step' | 'sync';

/**
 * How the bucket store behaves. `away`: every call fails; `flaky`: some do; in both cases it may have taken effect.
 * `hangs`: puts are not answered as long as that lasts, and then done, or not, whether or not the sender is still there.
 */
export type ObjectsTrouble = 'none' | 'away' | 'flaky' | 'hangs';

/** The process is gone: each of its calls ends like this. */
export class LifeEnded extends Error {
  override readonly name = 'LifeEnded';
}

/** The clock of the life that runs, as the stores see it. */
interface SharedClock extends Clock {
  set(clock: Clock): void;
}

export interface WorldOptions {
  readonly seed: number;
  /** The planted bug: the journal answers before the sync. */
  readonly unsafeAcknowledgeBeforeSync?: boolean;
}

/** A checkpoint that was signed and saved. */
export interface SavedCheckpoint {
  readonly size: number;
  readonly rootBase64: string;
}

export class World {
  readonly seed: number;
  readonly unsafeAcknowledgeBeforeSync: boolean;
  readonly trace = new Trace();
  /** Decides the program, the faults and everything that is not the server's own chance. */
  readonly chance: Chance;
  readonly installationId: string;
  readonly catalog: Catalog = createMemoryCatalog();
  readonly objects: Objects;
  keys!: Keys;
  readonly treeHashes: MemoryTreeHashes;
  index: HistoryIndex = createMemoryHistoryIndex();
  files: SimulatedFiles;
  /** Access keys as the server gave them to the operator: account to key id. */
  readonly keptKeys = new Map<AccountId, string>();
  readonly checkpoints: SavedCheckpoint[] = [];
  /** Steps of all lives so far. */
  steps = 0;
  #objectsTrouble: ObjectsTrouble = 'none';
  #hanging: (() => void)[] = [];
  /** Calls of the catalog fail now and then, with or without effect. */
  isCatalogFlaky = false;
  /** Free bytes that the disk pretends to have; `undefined`: plenty. */
  freeBytes: number | undefined;
  /** One of the next calls of the files fails like this: the `calls`-th, of writes alone where the disk is full. */
  fileFault: { readonly kind: FaultKind; calls: number } | undefined;
  /** Such a fault came in the life that runs. */
  #hasFileFault = false;
  /** A system error was met whose pages the next start may take for written. */
  hasFailedSync = false;
  lives = 0;
  readonly #clock: SharedClock;
  /** Set while a life runs: what to do when it dies. */
  #whenDead: (() => void) | undefined;
  #crash: { steps: number; readonly how: Ending; readonly at: CrashPlace } | undefined;

  /** A new world, without a server. */
  static async make(options: WorldOptions): Promise<World> {
    const world = new World(options);
    world.keys = await numberedKeys(world.#clock, createSeededChance(`${options.seed}/keys`), `snowtrail/${world.installationId}`);
    return world;
  }

  private constructor({ seed, unsafeAcknowledgeBeforeSync = false }: WorldOptions) {
    this.seed = seed;
    this.unsafeAcknowledgeBeforeSync = unsafeAcknowledgeBeforeSync;
    this.chance = createSeededChance(`${seed}/world`);
    this.installationId = this.chance.uuid();
    this.#clock = sharedClock();
    const stores = createSeededChance(`${seed}/stores`);
    this.objects = createMemoryObjects({ clock: this.#clock, chance: stores });
    this.treeHashes = createMemoryTreeHashes({ hashChildren: (left, right) => hashNode(hashSha256, left, right) });
    this.files = new SimulatedFiles({ seed, fault: (call) => this.#atFileCall(call) });
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** A whole number from `min` to `max`, both inclusive. */
  pick(min: number, max: number): number {
    return min + Math.floor(this.chance.fraction() * (max - min + 1));
  }

  choose<T>(from: readonly T[]): T {
    return from[this.pick(0, from.length - 1)]!;
  }

  isLucky(probability: number): boolean {
    return this.chance.fraction() < probability;
  }

  /** Waits some turns of the event loop, often none: what else is under way goes on meanwhile. */
  readonly pause = async (probability = 0.5): Promise<void> => {
    if (!this.isLucky(probability)) return;
    for (let turns = this.pick(1, PAUSE_TURNS_MAX); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };

  /** A life begins: its clock is the world's, and its end is told. */
  begin(clock: Clock, whenDead: () => void): void {
    this.lives++;
    this.#hasFileFault = false;
    this.#clock.set(clock);
    this.#whenDead = whenDead;
  }

  /** The life ends at the `steps`-th step of the kind from now on, unless it ends before. */
  planCrash(steps: number, at: CrashPlace, how: Ending): void {
    this.#crash = { steps, at, how };
  }

  /** No crash is planned any more. */
  cancelCrash(): void {
    this.#crash = undefined;
  }

  /** Ends the life now. */
  end(how: Ending): void {
    this.files.end(how);
    this.#dead(how);
  }

  /** The machine, or the process, comes back: what is found then. */
  recover(how: Ending): void {
    const forgetsFailedWrites = how === 'kill' && this.hasFailedSync;
    this.files = this.files.restart({
      seed: this.pick(0, 1_000_000_000),
      fault: (call) => this.#atFileCall(call),
      ...(forgetsFailedWrites ? { forgetsFailedWrites } : {}),
    });
    this.hasFailedSync = false;
    this.files.setFreeBytes(this.freeBytes);
    if (how === 'power-cut') {
      this.treeHashes.losePower();
      // The index keeps no promise: what is lost is made again from the journal.
      if (this.isLucky(0.3)) this.index = createMemoryHistoryIndex();
    }
  }

  get objectsTrouble(): ObjectsTrouble {
    return this.#objectsTrouble;
  }

  set objectsTrouble(trouble: ObjectsTrouble) {
    this.#objectsTrouble = trouble;
    for (const goOn of this.#hanging.splice(0)) goOn();
  }

  /** Time goes by while no server runs. */
  rest(ms: number): void {
    const nowMs = this.nowMs() + ms;
    this.#clock.set({ nowMs: () => nowMs, monotonicMs: () => 0, sleep: async () => {} });
  }

  /** Whether something is wrong that a call may fail of. */
  isTroubled(): boolean {
    return this.freeBytes !== undefined || this.isCatalogFlaky || this.objectsTrouble !== 'none' || this.#hasFileFault;
  }

  setFreeBytes(bytes: number | undefined): void {
    this.freeBytes = bytes;
    this.files.setFreeBytes(bytes);
  }

  /**
   * A store as one life has it: each call is a step.
   * @param immediate Members that only look at memory, and are no steps.
   */
  watched<Store extends object>(name: string, store: Store, isDead: () => boolean, immediate: readonly string[] = []): Store {
    return new Proxy(store, {
      get: (_, property) => {
        const member = Reflect.get(store, property) as unknown;
        const method = String(property);
        if (typeof member !== 'function') return member;
        if (immediate.includes(method)) return member.bind(store);
        return async (...args: unknown[]) => {
          if (isDead()) throw new LifeEnded('the process is gone');
          await this.pause();
          if (isDead()) throw new LifeEnded('the process is gone');
          const crash = this.#step();
          if (crash !== undefined && this.isLucky(0.5)) {
            this.#crashAt(`before ${name}.${method}`, crash);
            throw new LifeEnded('the process is gone');
          }
          if (name === 'objects' && this.objectsTrouble === 'hangs' && isDelivery(method, args)) {
            await new Promise<void>((resolve) => this.#hanging.push(resolve));
            // A request that is on its way arrives, whatever became of its sender.
            if (this.isLucky(0.5)) throw new ObjectsError('RequestTimeout', 'the bucket did not answer');
          }
          const refusal = this.#refusalOf(name);
          if (refusal !== undefined && this.isLucky(0.5)) throw refusal;
          const result: unknown = await member.apply(store, args);
          if (method === 'commit' && name === 'catalog') this.#noteCheckpoint(args[0] as Parameters<Catalog['commit']>[0]);
          if (crash !== undefined) {
            this.#crashAt(`after ${name}.${method}`, crash);
            throw new LifeEnded('the process is gone');
          }
          if (isDead()) throw new LifeEnded('the process is gone');
          if (refusal !== undefined) throw refusal;
          return result;
        };
      },
    });
  }

  /** How a call of a store fails, with or without effect. */
  #refusalOf(store: string): Error | undefined {
    if (store === 'catalog') return this.isCatalogFlaky && this.isLucky(0.1) ? new Error('the catalog is away') : undefined;
    if (store !== 'objects' || this.objectsTrouble === 'none') return undefined;
    const isAway = this.objectsTrouble === 'away' || this.isLucky(0.5);
    return isAway ? new ObjectsError('SlowDown', 'the bucket is away') : undefined;
  }

  #noteCheckpoint(changes: Parameters<Catalog['commit']>[0]): void {
    for (const { key, value } of changes) {
      if (key[0] !== 'checkpoint') continue;
      const { size, root } = value as { readonly size: string; readonly root: string };
      this.checkpoints.push({ size: Number(size), rootBase64: root });
    }
  }

  #atFileCall({ name, path }: SimulatedCall): FaultKind | undefined {
    const crash = this.#step(name === 'datasync' || name === 'syncFolder');
    if (crash !== undefined) {
      this.trace.add(`${crash} before ${name} of ${path}, step ${this.steps}`);
      this.#dead(crash);
      return crash;
    }
    const fault = this.fileFault;
    if (fault === undefined || (fault.kind !== 'EIO' && name !== 'write') || --fault.calls > 0) return undefined;
    this.fileFault = undefined;
    this.#hasFileFault = true;
    if (fault.kind === 'EIO') this.hasFailedSync = true;
    this.trace.add(`${fault.kind} at ${name} of ${path}`);
    return fault.kind;
  }

  /** Counts a step. @returns how the life ends with it, if it does. */
  #step(isSync = false): Ending | undefined {
    this.steps++;
    if (this.#crash === undefined || (this.#crash.at === 'sync' && !isSync) || --this.#crash.steps > 0) return undefined;
    const { how } = this.#crash;
    this.#crash = undefined;
    return how;
  }

  #crashAt(place: string, how: Ending): void {
    this.trace.add(`${how} ${place}, step ${this.steps}`);
    this.end(how);
  }

  #dead(how: Ending): void {
    this.#crash = undefined;
    this.lastEnding = how;
    const tell = this.#whenDead;
    this.#whenDead = undefined;
    tell?.();
  }

  /** How the last life ended. */
  lastEnding: Ending = 'kill';
}

/** Keys that are kept in memory and follow from the seed. */
function numberedKeys(clock: Clock, chance: Chance, origin: string): Promise<Keys> {
  let made = 0;
  return openKeyring({
    origin,
    clock,
    chance,
    masterKey: chance.bytes(MASTER_KEY_BYTES),
    save: async () => {},
    makeRsaKey: async () => numberedRsaKey(made++),
  });
}

/** Whether a call puts what a trail delivers; the probe's key ends with a slash. */
function isDelivery(method: string, [, key]: readonly unknown[]): boolean {
  return method === 'put' && !String(key).endsWith('/');
}

/** A clock that hands on to the one that was set last. */
function sharedClock(): SharedClock {
  let current: Clock = { nowMs: () => START_MS, monotonicMs: () => 0, sleep: async () => {} };
  return {
    nowMs: () => current.nowMs(),
    monotonicMs: () => current.monotonicMs(),
    sleep: (ms, signal) => current.sleep(ms, signal),
    set: (clock) => {
      current = clock;
    },
  };
}
