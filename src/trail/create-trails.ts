/**
 * Trails: their operations, and the followers that deliver for them.
 *
 * One follower for each trail, so that a bucket that is away delays its own trail and no other. They run by themselves
 * (`run`), or one step at a time for the simulation (`tick`).
 */
import assert from 'node:assert/strict';
import type { Operation } from '../api/operation.ts';
import type { AccountId, Region } from '../event/types.ts';
import type { CatalogKey } from '../store/catalog.ts';
import type { OperationDeps } from './change-trail.ts';
import { createTrail } from './create-trail.ts';
import { deleteTrail } from './delete-trail.ts';
import { describeTrails } from './describe-trails.ts';
import { findGone, type GoneEvidence } from './find-gone.ts';
import { TrailFollower, type TrailHealth } from './follow-trail.ts';
import { getTrail } from './get-trail.ts';
import { getTrailEvidence } from './get-trail-evidence.ts';
import { getTrailStatus } from './get-trail-status.ts';
import { listTrails } from './list-trails.ts';
import { readDelivery } from './read-delivery.ts';
import { type LostObject, scrubBucket } from './scrub-bucket.ts';
import { startLogging } from './start-logging.ts';
import { stopLogging } from './stop-logging.ts';
import { followerName, type Trail, type TrailId, trailKey } from './trail.ts';
import type { TrailDeps } from './trail-deps.ts';
import { updateTrail } from './update-trail.ts';

/** Most steps that one trail takes in one `tick`. */
const STEPS_PER_TICK = 100;
const FLUSH_LIMIT_MS = 5_000;

export interface Trails {
  /** By service. Each operation has its own input, checked by shape before it is called. */
  readonly operations: { readonly cloudtrail: readonly Operation[]; readonly snowtrail: readonly Operation[] };
  /** Delivers until `signal` aborts; resolves when no step is under way any more. */
  run(signal: AbortSignal): Promise<void>;
  /** Does the work that is due, once; for the simulation. False when there was none. */
  tick(): Promise<boolean>;
  /**
   * Delivers what is in the journal now, as far as the buckets take it. For a server that is about to stop.
   * @param limitMs It resolves after that in any case; 5 seconds by default.
   */
  flushNow(limitMs?: number): Promise<void>;
  /**
   * Looks once, one trail after the other, whether the last day's objects are still in the buckets, and puts again what is gone.
   * Never throws: a bucket that cannot be looked at is told, and the next one is.
   */
  scrub(signal: AbortSignal, tell: (found: ScrubFinding) => void): Promise<void>;
  /** Tells what this server's own store lacks at a glance of what trails put there. Never throws, as `scrub`. */
  findGone(signal: AbortSignal, tell: (found: ScrubFinding) => void): Promise<void>;
  /** Followers of the trails that are there, logging or not; for accounting, metrics and retention. */
  followers(): readonly TrailFollower[];
  /** By the follower's name; `undefined` when there is no such trail. */
  health(name: string): TrailHealth | undefined;
}

/** What a look at the buckets brought up. */
export type ScrubFinding = LostObject | GoneEvidence | { readonly trail: string; readonly outcome: 'failed'; readonly error: unknown };

/**
 * Reads the trails from the catalog; nothing is delivered yet.
 * @throws Error when the settings make no sense.
 */
export async function createTrails(deps: TrailDeps): Promise<Trails> {
  const { digestIntervalMs, flushIntervalMs } = deps;
  assert(digestIntervalMs >= 1000 && digestIntervalMs % 1000 === 0, `a digest's interval is whole seconds, not ${digestIntervalMs} ms`);
  assert(flushIntervalMs >= 1, `a flush interval is at least 1 ms, not ${flushIntervalMs}`);
  const crew = new Crew(deps);
  await crew.open();
  return {
    operations: operations({ ...deps, inTurn: oneAfterTheOther(), wake: (trail) => crew.wake(trail) }),
    run: (signal) => crew.run(signal),
    tick: () => crew.tick(),
    flushNow: (limitMs = FLUSH_LIMIT_MS) => crew.flushNow(limitMs),
    scrub: (signal, tell) => lookAtEach(crew, signal, tell, (id) => scrubBucket(deps, id, signal, tell)),
    findGone: (signal, tell) =>
      lookAtEach(crew, signal, tell, async (id) => {
        const trail = await deps.catalog.get<Trail>(trailKey(id));
        const gone = trail && (await findGone(deps, trail.value, await readDelivery(deps.catalog, trail.value)));
        if (gone !== undefined) tell(gone);
      }),
    followers: () => crew.followers(),
    health: (name) =>
      crew
        .followers()
        .find((follower) => follower.name === name)
        ?.health(),
  };
}

/** Looks at one trail's bucket after the other; one that cannot be looked at is told. */
async function lookAtEach(
  crew: Crew,
  signal: AbortSignal,
  tell: (found: ScrubFinding) => void,
  look: (trail: TrailId) => Promise<void>,
): Promise<void> {
  for (const { id, name } of crew.followers()) {
    if (signal.aborted) return;
    try {
      await look(id);
    } catch (error) {
      if (!signal.aborted) tell({ trail: name, outcome: 'failed', error });
    }
  }
}

function operations(deps: OperationDeps): Trails['operations'] {
  return {
    cloudtrail: [
      createTrail(deps),
      updateTrail(deps),
      deleteTrail(deps),
      describeTrails(deps),
      getTrail(deps),
      listTrails(deps),
      getTrailStatus(deps),
      startLogging(deps),
      stopLogging(deps),
    ] as readonly Operation[],
    snowtrail: [getTrailEvidence(deps)] as readonly Operation[],
  };
}

function oneAfterTheOther(): OperationDeps['inTurn'] {
  let last: Promise<unknown> = Promise.resolve();
  return (change) => {
    const result = last.then(change);
    last = result.catch(() => undefined);
    return result;
  };
}

/** The followers, and their loops while `run` is on. */
class Crew {
  readonly #deps: TrailDeps;
  readonly #members = new Map<string, Member>();
  readonly #inTurn = oneAfterTheOther();
  /** Set while `run` is on. */
  #running: { readonly signal: AbortSignal; readonly loops: Set<Promise<void>> } | undefined;

  constructor(deps: TrailDeps) {
    this.#deps = deps;
  }

  async open(): Promise<void> {
    // A trail that is deleted may still have deliveries to end; one that was just made has no state yet.
    const documents = [...(await this.#deps.catalog.list(['trail-state'])), ...(await this.#deps.catalog.list(['trail-change']))];
    for (const { key } of documents) this.#memberOf(idOf(key));
    await Promise.all([...this.#members.values()].map(({ follower }) => follower.open()));
    for (const [name, { follower }] of this.#members) {
      const hasChange = documents.some(({ key }) => key[0] === 'trail-change' && followerName(idOf(key)) === name);
      if (follower.isGone() && !hasChange) this.#members.delete(name);
    }
  }

  followers(): readonly TrailFollower[] {
    return [...this.#members.values()].map(({ follower }) => follower).filter((follower) => !follower.isGone());
  }

  wake(trail: TrailId): void {
    const member = this.#memberOf({ account: trail.account, homeRegion: trail.homeRegion, name: trail.name });
    member.isWoken = true;
    member.sleeping?.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const loops = new Set<Promise<void>>();
    this.#running = { signal, loops };
    for (const member of this.#members.values()) this.#start(member);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const { follower, sleeping } of this.#members.values()) {
      sleeping?.abort();
      follower.cutShort();
    }
    while (loops.size > 0) await Promise.all(loops);
    this.#running = undefined;
  }

  async tick(): Promise<boolean> {
    let hasWorked = false;
    for (const { follower } of [...this.#members.values()]) {
      for (let steps = 0; steps < STEPS_PER_TICK && (await follower.step()); steps++) hasWorked = true;
    }
    return hasWorked;
  }

  async flushNow(limitMs: number): Promise<void> {
    const done = new AbortController();
    const flushes = Promise.all([...this.#members.values()].map(({ follower }) => follower.flush(done.signal)));
    await Promise.race([flushes, this.#deps.clock.sleep(limitMs, done.signal)]);
    done.abort();
  }

  #memberOf(id: TrailId): Member {
    const name = followerName(id);
    const existing = this.#members.get(name);
    if (existing !== undefined) return existing;
    const member: Member = { follower: new TrailFollower(this.#deps, id, this.#inTurn), isWoken: false, sleeping: undefined };
    this.#members.set(name, member);
    this.#start(member);
    return member;
  }

  #start(member: Member): void {
    if (this.#running === undefined) return;
    const { signal, loops } = this.#running;
    const loop = this.#loop(member, signal).finally(() => loops.delete(loop));
    loops.add(loop);
  }

  async #loop(member: Member, signal: AbortSignal): Promise<void> {
    const { follower } = member;
    while (!signal.aborted) {
      member.isWoken = false;
      if (await follower.step()) continue;
      if (!member.isWoken && !signal.aborted) await this.#rest(member, follower.dueInMs());
    }
  }

  async #rest(member: Member, ms: number): Promise<void> {
    member.sleeping = new AbortController();
    await this.#deps.clock.sleep(ms, member.sleeping.signal);
    member.sleeping = undefined;
  }
}

interface Member {
  readonly follower: TrailFollower;
  /** A change came in since the last step began. */
  isWoken: boolean;
  /** Set while the loop sleeps. */
  sleeping: AbortController | undefined;
}

/** The trail of a catalog key that begins with kind, account, home Region and name. */
function idOf(key: CatalogKey): TrailId {
  const [, account, homeRegion, name] = key;
  return { account: account as AccountId, homeRegion: homeRegion as Region, name: name! };
}
