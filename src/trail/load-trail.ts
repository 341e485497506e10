/**
 * Reads what the catalog keeps of a trail's delivery.
 *
 * After every failure the follower reads all of it again: whether a commit took effect is known only then.
 */
import type { Catalog } from '../store/catalog.ts';
import { HourTable } from '../store/hour-table.ts';
import { followerName, type TrailId } from './trail.ts';
import { chainsKey, type DigestChain, type PendingStep, pendingKey, stateKey, type TrailCount, type TrailState } from './trail-state.ts';

/** What a follower holds of its trail; replaced as a whole when something failed. */
export interface LoadedTrail {
  /** Absent before the trail's creation was taken in. */
  state: TrailState | undefined;
  /** Of the state's document; 0 when there is none. */
  stateVersion: number;
  pending: PendingStep | undefined;
  /** By account and Region, open and closed. */
  chains: Map<string, DigestChain>;
  /** By account and hour. */
  counts: HourTable<TrailCount>;
  /** How far the journal was looked at. Ahead of the state's cursor only over entries that are no events. */
  cursor: bigint;
}

export async function loadTrail(catalog: Pick<Catalog, 'get' | 'list'>, trail: TrailId): Promise<LoadedTrail> {
  const state = await catalog.get<TrailState>(stateKey(trail));
  const pending = await catalog.get<PendingStep>(pendingKey(trail));
  const chains = await catalog.list<DigestChain>(chainsKey(trail));
  const counts = await catalog.list<TrailCount>(['accounting', followerName(trail)]);
  return {
    state: state?.value,
    stateVersion: state?.version ?? 0,
    pending: pending?.value,
    chains: new Map(chains.map(({ value }) => [chainName(value), value])),
    counts: new HourTable(counts.map(({ value }) => value)),
    cursor: BigInt(state?.value.cursor ?? '0'),
  };
}

export function chainName({ account, region }: Pick<DigestChain, 'account' | 'region'>): string {
  return `${account}/${region}`;
}
