/**
 * Where the tags of trails lie in the catalog.
 *
 * A document of its own for each trail: tags say who may work on a trail and nothing of what it delivers. They go with the trail.
 */
import type { Tag } from '../api/tags.ts';
import type { Catalog, CatalogChange, CatalogKey } from '../store/catalog.ts';
import type { TrailId } from './trail.ts';

export interface TagDocument {
  readonly tags: readonly Tag[];
}

export function tagKey({ account, homeRegion, name }: TrailId): CatalogKey {
  return ['trail-tags', account, homeRegion, name];
}

/** In the order in which they were given. */
export async function tagsOf(catalog: Pick<Catalog, 'get'>, trail: TrailId): Promise<readonly Tag[]> {
  return (await catalog.get<TagDocument>(tagKey(trail)))?.value.tags ?? [];
}

/** What the commit that makes or deletes a trail does to its tags. */
export function tagChange(trail: TrailId, tags: readonly Tag[]): CatalogChange {
  return { key: tagKey(trail), value: tags.length === 0 ? undefined : { tags }, expected: 'any' };
}
