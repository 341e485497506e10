/**
 * The followers of trails, one for each trail, and their loops.
 *
 * One of each for every trail, so that a target that is away delays its own trail and no other. They run by themselves
 * (`run`), or one step at a time for the simulation (`tick`).
 */
import type { AccountId, Region } from '../event/types.ts';
import type { Catalog, CatalogKey } from '../store/catalog.ts';
import type { Clock } from '../store/clock.ts';
import type { TrailId } from './trail.ts';

/** Most steps that one follower takes in one `tick`. */
const STEPS_PER_TICK = 100;

/** What does one kind of work for one trail. */
export interface CrewMember {
  readonly id: TrailId;
  readonly name: string;
  /** True when nothing is left to do, and nothing will be until the trail changes. */
  isGone(): boolean;
  /** Reads what is saved, so that what it says of itself is right before the first step. */
  open(): Promise<void>;
  /** Does the next piece of due work. Never throws. @returns false when nothing is due. */
  step(): Promise<boolean>;
  /** Milliseconds until time alone gives it something to do. */
  dueInMs(): number;
  /** Does what there is now without waiting for its interval, until `signal` aborts. */
  flush(signal: AbortSignal): Promise<void>;
  /** Ends waiting for what is under way: the process stops. */
  cutShort(): void;
}

export interface CrewDeps<F> {
  readonly catalog: Pick<Catalog, 'list'>;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Documents of a trail that is worked for: kind, account, home Region, name. */
  readonly stateKind: string;
  /** Documents of a change or a task that waits; the same parts, and more of them. */
  readonly waitingKind: string;
  readonly make: (id: TrailId) => F;
}

export class Crew<F extends CrewMember> {
  readonly #deps: CrewDeps<F>;
  readonly #members = new Map<string, Member<F>>();
  /** Set while `run` is on. */
  #running: { readonly signal: AbortSignal; readonly loops: Set<Promise<void>> } | undefined;

  constructor(deps: CrewDeps<F>) {
    this.#deps = deps;
  }

  async open(): Promise<void> {
    const { catalog, stateKind, waitingKind } = this.#deps;
    // A trail that is deleted may still have something to end; one that was just made has no state yet.
    const waiting = await catalog.list([waitingKind]);
    for (const { key } of [...(await catalog.list([stateKind])), ...waiting]) this.#memberOf(idOf(key));
    await Promise.all([...this.#members.values()].map(({ follower }) => follower.open()));
    const busy = new Set(waiting.map(({ key }) => nameOf(idOf(key))));
    for (const [name, { follower }] of this.#members) if (follower.isGone() && !busy.has(name)) this.#members.delete(name);
  }

  followers(): readonly F[] {
    return [...this.#members.values()].map(({ follower }) => follower).filter((follower) => !follower.isGone());
  }

  wake({ account, homeRegion, name }: TrailId): void {
    const member = this.#memberOf({ account, homeRegion, name });
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

  /** Has all of them do what there is now; resolves when they have, or when `signal` aborts. */
  async flush(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ follower }) => follower.flush(signal)));
  }

  #memberOf(id: TrailId): Member<F> {
    const name = nameOf(id);
    const existing = this.#members.get(name);
    if (existing !== undefined) return existing;
    const member: Member<F> = { follower: this.#deps.make(id), isWoken: false, sleeping: undefined };
    this.#members.set(name, member);
    this.#start(member);
    return member;
  }

  #start(member: Member<F>): void {
    if (this.#running === undefined) return;
    const { signal, loops } = this.#running;
    const loop = this.#loop(member, signal).finally(() => loops.delete(loop));
    loops.add(loop);
  }

  async #loop(member: Member<F>, signal: AbortSignal): Promise<void> {
    const { follower } = member;
    while (!signal.aborted) {
      member.isWoken = false;
      if (await follower.step()) continue;
      if (!member.isWoken && !signal.aborted) await this.#rest(member, follower.dueInMs());
    }
  }

  async #rest(member: Member<F>, ms: number): Promise<void> {
    member.sleeping = new AbortController();
    await this.#deps.clock.sleep(ms, member.sleeping.signal);
    member.sleeping = undefined;
  }
}

interface Member<F> {
  readonly follower: F;
  /** A change came in since the last step began. */
  isWoken: boolean;
  /** Set while the loop sleeps. */
  sleeping: AbortController | undefined;
}

function nameOf({ account, homeRegion, name }: TrailId): string {
  return `${account}/${homeRegion}/${name}`;
}

/** The trail of a catalog key that begins with kind, account, home Region and name. */
function idOf(key: CatalogKey): TrailId {
  const [, account, homeRegion, name] = key;
  return { account: account as AccountId, homeRegion: homeRegion as Region, name: name! };
}
