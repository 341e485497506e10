/**
 * Remembers by which selection a trail delivered before its selectors were changed, so that a log file of then can be made again.
 *
 * For two days: what lies longer in its bucket is not put again (`scrub-bucket.ts`). The trail's follower alone writes it.
 */
import type { Catalog } from '../store/catalog.ts';
import type { Written } from './saved-trail.ts';
import type { TrailId, TrailSelection } from './trail.ts';
import { type PastSelection, pastSelectionKey, pastSelectionsKey, stateKey, type TrailChange, type TrailState } from './trail-state.ts';

const KEPT_MS = 48 * 3_600_000;

/** What is to be saved with a change that delivery has come to. */
export async function rememberSelection(
  catalog: Pick<Catalog, 'list'>,
  trail: TrailId,
  { state, change, nowMs }: { readonly state: TrailState; readonly change: TrailChange; readonly nowMs: number },
): Promise<{ readonly written: readonly Written[]; readonly removed: readonly Written['key'][] }> {
  const { selection } = state.settings;
  if (JSON.stringify(selection) === JSON.stringify(change.settings.selection)) return { written: [], removed: [] };
  const past = await catalog.list<PastSelection>(pastSelectionsKey(trail));
  const value: PastSelection = { selection, replacedAtMs: nowMs };
  const key = pastSelectionKey(trail, change.sequence);
  const old = past.filter((document) => document.value.replacedAtMs < nowMs - KEPT_MS && document.key.at(-1) !== key.at(-1));
  return { written: [{ key, value }], removed: old.map((document) => document.key) };
}

/** The selection in force for an entry that the trail has delivered in the last day. */
export async function selectionAt(catalog: Pick<Catalog, 'get' | 'list'>, trail: TrailId, sequence: bigint): Promise<TrailSelection> {
  const past = await catalog.list<PastSelection>(pastSelectionsKey(trail));
  const replaced = past.find(({ key }) => BigInt(key.at(-1)!) >= sequence);
  return replaced?.value.selection ?? (await catalog.get<TrailState>(stateKey(trail)))?.value.settings.selection ?? {};
}
