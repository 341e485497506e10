import { describe, expect, test } from 'vitest';
import { bytesOf, callOf, IntakeRig, OWNER, recordText, STRANGER } from '../../test/support/intake-rig.ts';
import type { Region } from '../event/types.ts';
import { acceptEvents } from './accept-events.ts';
import { createCallRecorder } from './record-call.ts';
import { USED_REGIONS_MAX, UsedRegions } from './used-regions.ts';

const regionsOf = async (rig: IntakeRig) => (await rig.catalog.list(['region'])).map(({ key, value }) => [...key.slice(1), value]);
const record = (id: string, awsRegion: string) => ({ kind: 'record' as const, bytes: bytesOf(recordText(id, { awsRegion })) });
const RECORD = { source: 'record', createAccounts: false } as const;

describe('a Region exists for an account', () => {
  test('from the first accepted event in it, whatever its source, and not from a refused one', async () => {
    const rig = await IntakeRig.open();
    const usedAtMs = rig.clock.nowMs();
    await acceptEvents(rig.stores, callOf(OWNER), [record('one', 'us-west-2')], { ...RECORD, source: 'import' });
    await rig.clock.advance(1_000);
    const foreign = { kind: 'record' as const, bytes: bytesOf(recordText('x', { awsRegion: 'sa-east-1', recipientAccountId: STRANGER })) };
    await acceptEvents(rig.stores, callOf(OWNER), [record('two', 'us-west-2'), record('three', 'NO REGION'), foreign], RECORD);
    expect(await regionsOf(rig)).toEqual([[OWNER, 'us-west-2', { usedAtMs }]]);
  });

  test('from the first signed request in it, also one that is refused', async () => {
    const rig = await IntakeRig.open();
    const call = callOf(OWNER, { region: 'eu-west-3' as Region });
    const members = { eventSource: 'cloudtrail.amazonaws.com', eventName: 'GetTrail', category: 'Management', isReadOnly: true } as const;
    const error = { code: 'TrailNotFoundException', message: 'none' };
    await createCallRecorder(rig.stores)({ call, ...members, requestParameters: null, responseElements: null, error });
    expect(await regionsOf(rig)).toEqual([[OWNER, 'eu-west-3', { usedAtMs: rig.clock.nowMs() }]]);
  });

  test('before the event is in the journal: when it cannot be saved, nothing is accepted', async () => {
    const rig = await IntakeRig.open();
    let isAway = true;
    const commit: typeof rig.catalog.commit = async (changes) => {
      if (isAway) throw new Error('the catalog is away');
      return rig.catalog.commit(changes);
    };
    const stores = { ...rig.stores, regions: new UsedRegions({ list: rig.catalog.list, commit }) };
    await expect(acceptEvents(stores, callOf(OWNER), [record('one', 'us-west-2')], RECORD)).rejects.toThrow('the catalog is away');
    expect(rig.journal.head()).toBe(0n);
    isAway = false;
    expect(await acceptEvents(stores, callOf(OWNER), [record('one', 'us-west-2')], RECORD)).toMatchObject([{ status: 'accepted' }]);
    expect(await regionsOf(rig)).toHaveLength(1);
  });

  test('up to 64 of them, also over a restart: events of further ones are accepted, and no Region is made', async () => {
    const rig = await IntakeRig.open();
    const names = Array.from({ length: USED_REGIONS_MAX + 3 }, (_, index) => `region-${index}`);
    await acceptEvents(
      rig.stores,
      callOf(OWNER),
      names.slice(0, 40).map((name) => record(name, name)),
      RECORD,
    );
    const reopened = { ...rig.stores, regions: new UsedRegions(rig.catalog) };
    const verdicts = await Promise.all(names.map((name) => acceptEvents(reopened, callOf(OWNER), [record(`again ${name}`, name)], RECORD)));
    expect(verdicts.flat().map(({ status }) => status)).toEqual(names.map(() => 'accepted'));
    expect(await regionsOf(rig)).toHaveLength(USED_REGIONS_MAX);
  });
});
