/**
 * How far a trail's delivery is, by the catalog: for those who look at it from outside of the follower.
 */
import type { Catalog } from '../store/catalog.ts';
import { newestPlaced } from './receipt-places.ts';
import type { TrailId } from './trail.ts';
import { type PendingStep, pendingKey, stateKey, type TrailState } from './trail-state.ts';

export interface Delivery {
  /** Absent before the trail's creation was taken in. */
  readonly state: TrailState | undefined;
  /** What is announced and may not be put yet. */
  readonly pending: PendingStep | undefined;
}

export async function readDelivery(catalog: Pick<Catalog, 'get'>, trail: TrailId): Promise<Delivery> {
  // In this order: a receipt that is made between the two reads does not show as put.
  const state = (await catalog.get<TrailState>(stateKey(trail)))?.value;
  const pending = (await catalog.get<PendingStep>(pendingKey(trail)))?.value;
  return { state, pending };
}

/** The newest receipt that was put, and where; `undefined` when there is none. */
export function newestPut({ state, pending }: Delivery): ReturnType<typeof newestPlaced> {
  if (state === undefined) return undefined;
  const { spans, number } = state.receipts;
  return newestPlaced(spans, pending?.number === number ? number - 1 : number);
}
