import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, Region } from '../event/types.ts';
import { createMemoryCatalog } from '../store/memory/catalog.ts';
import { SavedTrail } from './saved-trail.ts';
import { newTrailState, type TrailChange, type TrailState } from './trail-state.ts';

const ID = { account: '123456789012' as AccountId, homeRegion: 'eu-central-1' as Region, name: 'main' };
const CHANGE: TrailChange = {
  kind: 'create',
  sequence: '7',
  atMs: 0,
  event: 'CreateTrail',
  principal: 'arn:aws:iam::123456789012:user/a',
  settings: {
    target: { bucket: 'evidence-bucket' as BucketName, prefix: null },
    isMultiRegionTrail: true,
    includeGlobalServiceEvents: true,
    selection: {},
    validates: true,
  },
};
const STATE: TrailState = newTrailState(CHANGE, undefined);
const count = (hour: number, delivered: number) => ({ account: ID.account, hour, delivered, filtered: 0 });

describe('what is saved of a trail', () => {
  test('is read again as it was saved', async () => {
    const catalog = createMemoryCatalog();
    const saved = await SavedTrail.read(catalog, ID);
    expect([saved.state, saved.cursor]).toEqual([undefined, 0n]);
    await saved.save({ state: STATE });
    await saved.save({ state: { ...STATE, cursor: '9' }, counts: [count(1, 2)] });
    for (const each of [saved, await SavedTrail.read(catalog, ID)])
      expect([each.state?.cursor, each.cursor, each.counts.all()]).toEqual(['9', 9n, [count(1, 2)]]);
  });

  test('stays as it is known when a save fails, cursor and counts alike', async () => {
    const catalog = createMemoryCatalog();
    const saved = await SavedTrail.read(catalog, ID);
    await saved.save({ state: STATE, counts: [count(1, 1)] });
    const other = await SavedTrail.read(catalog, ID);
    await other.save({ state: { ...STATE, cursor: '8' } });
    await expect(saved.save({ state: { ...STATE, cursor: '9' }, counts: [count(1, 2)] })).rejects.toThrow();
    expect([saved.cursor, saved.counts.all()]).toEqual([7n, [count(1, 1)]]);
  });

  test('tells of each count that changed once', async () => {
    const saved = await SavedTrail.read(createMemoryCatalog(), ID);
    await saved.save({ state: STATE, counts: [count(1, 1), count(2, 1)] });
    expect(saved.counts.takeChanged()).toEqual([count(1, 1), count(2, 1)]);
    await saved.save({ state: STATE, counts: [count(2, 3)] });
    expect([saved.counts.takeChanged(), saved.counts.takeChanged()]).toEqual([[count(2, 3)], []]);
  });

  test('of a deleted trail holds no counts, in the catalog neither; one of the same name begins without', async () => {
    const catalog = createMemoryCatalog();
    const saved = await SavedTrail.read(catalog, ID);
    await saved.save({ state: STATE, counts: [count(1, 1)] });
    await saved.save({ state: { ...STATE, phase: 'deleted', cursor: '20' } });
    expect([saved.counts.all(), await catalog.list(['accounting'])]).toEqual([[], []]);
    await saved.save({ state: newTrailState({ ...CHANGE, sequence: '30' }, saved.state) });
    expect([saved.cursor, saved.counts.all()]).toEqual([30n, []]);
  });

  test('goes ahead over facts without a save, and is found before them again', async () => {
    const catalog = createMemoryCatalog();
    const saved = await SavedTrail.read(catalog, ID);
    await saved.save({ state: STATE });
    saved.passFacts(12n);
    await saved.save({ state: { ...STATE, receiptedTo: '7' } });
    expect([saved.cursor, (await SavedTrail.read(catalog, ID)).cursor]).toEqual([12n, 7n]);
  });
});
