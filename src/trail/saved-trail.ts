/**
 * What the catalog keeps of a trail's delivery: read as a whole, and changed by one commit at a time.
 *
 * After every failure the follower reads all of it again: whether a commit took effect is known only then.
 */
import type { Catalog, CatalogChange, CatalogKey } from '../store/catalog.ts';
import { HourTable } from '../store/hour-table.ts';
import { followerName, type TrailId } from './trail.ts';
import {
  chainKey,
  chainsKey,
  type DigestChain,
  type PendingStep,
  pendingKey,
  stateKey,
  type TrailCount,
  type TrailState,
} from './trail-state.ts';

/** A document and where it goes. */
export type Written = Pick<CatalogChange, 'key' | 'value'>;

/** What is saved together, all or none. */
export interface TrailSave {
  readonly state: TrailState;
  /** The pending step from now on; `null` when it is done or given up. Absent: it stays as it is. */
  readonly pending?: PendingStep | null;
  /** Chains that change, as they become. */
  readonly chains?: readonly DigestChain[];
  /** Counts that change, as they become. */
  readonly counts?: readonly TrailCount[];
  /** Other documents of the trail. */
  readonly written?: readonly Written[];
  readonly removed?: readonly CatalogKey[];
}

export class SavedTrail {
  readonly #catalog: Pick<Catalog, 'commit'>;
  readonly #id: TrailId;
  #state: TrailState | undefined;
  /** Of the state's document; 0 when there is none. */
  #version: number;
  #pending: PendingStep | undefined;
  /** By account and Region, open and closed. */
  readonly #chains: Map<string, DigestChain>;
  #counts: HourTable<TrailCount>;
  #cursor: bigint;

  static async read(catalog: Pick<Catalog, 'get' | 'list' | 'commit'>, id: TrailId): Promise<SavedTrail> {
    const state = await catalog.get<TrailState>(stateKey(id));
    const pending = await catalog.get<PendingStep>(pendingKey(id));
    const chains = await catalog.list<DigestChain>(chainsKey(id));
    const counts = await catalog.list<TrailCount>(['accounting', followerName(id)]);
    return new SavedTrail(catalog, id, {
      state: state?.value,
      version: state?.version ?? 0,
      pending: pending?.value,
      chains: chains.map(({ value }) => value),
      counts: counts.map(({ value }) => value),
    });
  }

  private constructor(
    catalog: Pick<Catalog, 'commit'>,
    id: TrailId,
    read: {
      readonly state: TrailState | undefined;
      readonly version: number;
      readonly pending: PendingStep | undefined;
      readonly chains: readonly DigestChain[];
      readonly counts: readonly TrailCount[];
    },
  ) {
    this.#catalog = catalog;
    this.#id = id;
    this.#state = read.state;
    this.#version = read.version;
    this.#pending = read.pending;
    this.#chains = new Map(read.chains.map((chain) => [chainName(chain), chain]));
    this.#counts = new HourTable(read.counts);
    this.#cursor = BigInt(read.state?.cursor ?? '0');
  }

  /** Absent before the trail's creation was taken in. */
  get state(): TrailState | undefined {
    return this.#state;
  }

  get pending(): PendingStep | undefined {
    return this.#pending;
  }

  /** How far the journal was looked at. Ahead of the state's cursor only over entries that are no events. */
  get cursor(): bigint {
    return this.#cursor;
  }

  /** By account and hour of receipt: of the events up to the cursor, since accounting began. Empty for a trail that is deleted. */
  get counts(): Pick<HourTable<TrailCount>, 'get' | 'all' | 'takeChanged'> {
    return this.#counts;
  }

  chain(of: Pick<DigestChain, 'account' | 'region'>): DigestChain | undefined {
    return this.#chains.get(chainName(of));
  }

  /** The one that waits longest for its next digest first. */
  openChains(): readonly DigestChain[] {
    return [...this.#chains.values()].filter((chain) => chain.isOpen).sort((one, other) => one.startMs - other.startMs);
  }

  /** Goes on over facts alone. To save that would be to write for ever, since each delivery of any trail makes one. */
  passFacts(to: bigint): void {
    this.#cursor = to;
  }

  /** @throws CatalogConflict when another process has changed the trail (F44). */
  async save(next: TrailSave): Promise<void> {
    const { state, pending, chains = [], counts = [], written = [], removed = [] } = next;
    // The accounting of a deleted trail goes with it.
    const isGone = state.phase === 'deleted';
    const forgotten = isGone ? this.#counts.all() : [];
    const any = (key: CatalogKey, value: CatalogChange['value']): CatalogChange => ({ key, value, expected: 'any' });
    await this.#catalog.commit([
      { key: stateKey(this.#id), value: state, expected: this.#version },
      ...(pending === undefined ? [] : [any(pendingKey(this.#id), pending ?? undefined)]),
      ...chains.map((chain) => any(chainKey(this.#id, chain), chain)),
      ...counts.map((count) => any(this.#countKey(count), count)),
      ...written.map(({ key, value }) => any(key, value)),
      ...[...removed, ...forgotten.map((count) => this.#countKey(count))].map((key) => any(key, undefined)),
    ]);
    // At once, without a pause between: whoever asks sees cursor and counts of one moment.
    if (isGone || state.start !== this.#state?.start) this.#counts = new HourTable();
    for (const count of counts) this.#counts.set(count);
    for (const chain of chains) this.#chains.set(chainName(chain), chain);
    if (pending !== undefined) this.#pending = pending ?? undefined;
    this.#state = state;
    this.#version++;
    const cursor = BigInt(state.cursor);
    if (cursor > this.#cursor) this.#cursor = cursor;
  }

  #countKey({ account, hour }: TrailCount): CatalogKey {
    return ['accounting', followerName(this.#id), account, String(hour)];
  }
}

function chainName({ account, region }: Pick<DigestChain, 'account' | 'region'>): string {
  return `${account}/${region}`;
}
