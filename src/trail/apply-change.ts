/**
 * Carries out a change of a trail once everything before it is delivered: chains end, a receipt says what begins or ends.
 *
 * A change waits in the catalog (`change-trail.ts`) until it is done here, which may take several steps.
 * Source: cloudtrail.md §2.2; reliability.md F34, F35.
 */
import assert, { AssertionError } from 'node:assert/strict';
import { aggregationFrom } from './aggregate-events.ts';
import { announceMark } from './announce-step.ts';
import { appendGap } from './append-gap.ts';
import { makeDigest } from './deliver-digest.ts';
import { digestsBeginMs, endingDigest, endsChain } from './due-digest.ts';
import { rememberSelection } from './past-selections.ts';
import type { SavedTrail, TrailSave } from './saved-trail.ts';
import { stateKeys } from './state-keys.ts';
import { followerName, type TrailId } from './trail.ts';
import { changeKey, newTrailState, type TrailChange, type TrailState } from './trail-state.ts';
import type { TrailStep } from './trail-step.ts';

/** Takes in the creation of a trail. */
export async function beginTrail(id: TrailId, saved: SavedTrail, change: TrailChange): Promise<void> {
  assert(change.kind === 'create', `\`${followerName(id)}\` begins with its creation, not with \`${change.event}\``);
  await saved.save({ state: newTrailState(change, saved.state), removed: [changeKey(id, change.sequence)] });
}

/** The next step of a change whose sequence delivery has come to. */
export async function applyChange(step: TrailStep, change: TrailChange): Promise<void> {
  const { id, deps, saved, state } = step;
  if (state.phase === 'logging') {
    const ending = saved.openChains().find((chain) => endsChain(change, chain, id));
    if (ending !== undefined) return makeDigest(step, endingDigest(ending, change, state, deps.digestIntervalMs));
  }
  const done = (next: TrailState, { written = [], removed = [] }: Pick<TrailSave, 'written' | 'removed'> = {}) =>
    saved.save({ state: next, written, removed: [...removed, changeKey(id, change.sequence)] });
  const mark = (kind: 'start' | 'stop', becomes: Partial<TrailState>) => {
    const reason = { event: change.event, principal: change.principal };
    return announceMark(step, { kind, reason }, { change: change.sequence, becomes });
  };
  switch (change.kind) {
    case 'create':
      throw new AssertionError({ message: `\`${followerName(id)}\` was created twice` });
    case 'start': {
      if (state.phase === 'logging') return done(state);
      // Keys that were rotated while the trail was off are stated first, or nobody could vouch for the next receipt.
      if (state.statedKeys.checkpoint !== null && (await stateKeys(step))) return;
      const lastBatchAtMs = digestsBeginMs(state, change);
      return mark('start', {
        ...{ phase: 'logging' as const, settings: change.settings, receiptedTo: change.sequence, lastBatchAtMs },
        ...aggregationFrom(change),
      });
    }
    case 'stop':
    case 'delete': {
      const phase = change.kind === 'stop' ? 'off' : 'deleted';
      return state.phase === 'logging' ? mark('stop', { phase }) : done({ ...state, phase });
    }
    case 'update': {
      const [before, after] = [state.settings, change.settings];
      const remembered = await rememberSelection(deps.catalog, id, { state, change, nowMs: deps.clock.nowMs() });
      const isOfOthers = before.isMultiRegionTrail !== after.isMultiRegionTrail || `${before.members}` !== `${after.members}`;
      const changesChains = before.validates !== after.validates || (after.validates && isOfOthers);
      if (state.phase !== 'logging' || !changesChains) return done({ ...state, settings: after, ...aggregationFrom(change) }, remembered);
      if (remembered.written.length > 0) await saved.save({ state, ...remembered });
      if (before.validates && !after.validates) await appendGap(step, 'validation off', change);
      // Readers take digests that end and begin anew for a cut chain, unless a receipt says that it was meant so.
      return mark('start', { settings: after, lastBatchAtMs: digestsBeginMs(state, change), ...aggregationFrom(change) });
    }
  }
}
