/**
 * Remembers what files of aggregated events followed from, so that one that a bucket lost can be made again.
 *
 * For two days: what lies longer in its bucket is not put again (`scrub-bucket.ts`). The trail's follower alone writes it.
 */
import type { Catalog, CatalogKey } from '../store/catalog.ts';
import type { TrailSave } from './saved-trail.ts';
import type { TrailId } from './trail.ts';
import type { DeliverySettings, PendingStep, TrailTarget } from './trail-state.ts';

const KEPT_MS = 48 * 3_600_000;
/** Removed with one that is added. */
const REMOVED_MAX = 16;

/** As it was announced, and the members of then. */
export interface PastAggregation extends Pick<DeliverySettings, 'members'> {
  readonly work: Extract<PendingStep['work'], { kind: 'aggregation' }>;
  readonly target: TrailTarget;
}

/** What is to be saved with an aggregation that is put. */
export async function rememberAggregation(
  catalog: Pick<Catalog, 'list'>,
  trail: TrailId,
  { number, ...value }: PastAggregation & Pick<PendingStep, 'number'>,
): Promise<Required<Pick<TrailSave, 'written' | 'removed'>>> {
  // The oldest come first. More go than come, so none is left for good, and no flood of records makes this slow.
  const past = await catalog.list<PastAggregation>(pastAggregationsKey(trail), { limit: REMOVED_MAX });
  const old = past.filter((document) => document.value.work.atMs < value.work.atMs - KEPT_MS);
  return { written: [{ key: pastAggregationKey(trail, number), value }], removed: old.map(({ key }) => key) };
}

/** @param number Of its receipt. */
export async function pastAggregation(catalog: Pick<Catalog, 'get'>, trail: TrailId, number: number): Promise<PastAggregation | undefined> {
  return (await catalog.get<PastAggregation>(pastAggregationKey(trail, number)))?.value;
}

function pastAggregationsKey({ account, homeRegion, name }: TrailId): CatalogKey {
  return ['trail-aggregation', account, homeRegion, name];
}

function pastAggregationKey(trail: TrailId, number: number): CatalogKey {
  return [...pastAggregationsKey(trail), String(number).padStart(12, '0')];
}
