import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ACCOUNT, HistoryRig, NOW_MS, OTHER_ACCOUNT, REGION, record } from '../../test/support/history-rig.ts';
import { openDiskHistoryIndex } from '../store/disk/history-index/disk-history-index.ts';
import type { NewFact } from '../store/journal.ts';
import { createMemoryHistoryIndex } from '../store/memory/history-index.ts';
import { countEntries } from './count-entries.ts';
import { unversionedName } from './history-row.ts';
import type { LookupEventsOutput } from './lookup-events.ts';
import type { SearchOutput } from './search-events.ts';
import type { TailOutput } from './tail-events.ts';

const root = mkdtempSync(join(tmpdir(), 'snowtrail-history-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const hour = Math.floor(NOW_MS / 3_600_000);
const fact: NewFact = {
  kind: 'fact',
  factKind: 'gap',
  factId: 'gap/1',
  account: ACCOUNT,
  region: REGION,
  receivedAtMs: NOW_MS,
  bytes: new Uint8Array(2),
};

describe('the history follower', () => {
  test('counts each event once by account and hour of receipt: conflicting ids as filtered, facts not at all', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'twice' }), record({ eventCategory: 'Data' })]);
    await rig.journal.append([fact]);
    await rig.accept([record({ eventID: 'twice', eventName: 'DeleteBucket' })]);
    await rig.accept([record()], { account: OTHER_ACCOUNT, receivedAtMs: NOW_MS + 3_600_000 });
    expect(rig.follower.counts()).toEqual([
      { account: OTHER_ACCOUNT, hour: hour + 1, delivered: 1, filtered: 0 },
      { account: ACCOUNT, hour, delivered: 2, filtered: 1 },
    ]);
    expect([rig.follower.cursor(), rig.follower.countedTo(), rig.index.coveredTo()]).toEqual([5n, 5n, 5n]);
    expect(countEntries([])).toEqual([]);
  });

  test('after a restart the index is filled again and nothing is counted twice', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record(), record(), record()]);
    const counts = rig.follower.counts();
    await rig.restart(createMemoryHistoryIndex());
    expect(rig.follower.cursor()).toBe(0n);
    expect(rig.follower.catchingUp()).toEqual({ coveredTo: 0n, target: 3n });
    await rig.catchUp();
    expect(rig.follower.catchingUp()).toBeUndefined();
    expect(rig.follower.counts()).toEqual(counts);
    expect(rig.index.coveredTo()).toBe(3n);
  });

  for (const failure of ['before', 'after'] as const) {
    test(`a catalog that fails ${failure} the commit took effect makes the follower repeat the batch with the same result`, async () => {
      const rig = await HistoryRig.open();
      await rig.append([record()]);
      rig.catalog.nextFailure = failure;
      await expect(rig.catchUp()).rejects.toThrow(failure);
      // The server opens the follower anew, or hands the same entries over again.
      if (failure === 'after') await rig.restart(rig.index);
      await rig.catchUp();
      expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 1, filtered: 0 }]);
      expect(await rig.call<LookupEventsOutput>('LookupEvents')).toMatchObject({ Events: [{ EventName: 'CreateBucket' }] });
    });
  }

  test('a run that a look-up finds damaged is refused to answer from, and rebuilt from the journal with the next event', async () => {
    const folder = join(root, 'damaged');
    const rig = await HistoryRig.open(await openDiskHistoryIndex({ folder, termKey: new Uint8Array(32), workers: false, tableRows: 10 }));
    await rig.accept(Array.from({ length: 35 }, () => record()));
    await rig.index.settle();
    const path = join(folder, readdirSync(folder).filter((file) => file.endsWith('.data'))[1]!);
    const bytes = readFileSync(path);
    bytes[30]! ^= 1;
    writeFileSync(path, bytes);
    await expect(rig.call('LookupEvents')).rejects.toMatchObject({ name: 'HistoryDamaged' });
    expect(rig.follower.catchingUp()).toEqual({ coveredTo: 10n, target: 35n });
    await expect(rig.call('LookupEvents')).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    // A server that goes on from where it was hands over only what is new.
    await rig.append([record()]);
    await rig.follower.take(await rig.journal.read(35n, 10));
    expect(rig.follower.catchingUp()).toBeUndefined();
    expect((await rig.call<LookupEventsOutput>('LookupEvents')).Events).toHaveLength(36);
    expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 36, filtered: 0 }]);
    await rig.index.close();
  });

  describe('passes over damaged entries (F08, P8)', () => {
    const damage = { from: 2n, to: 3n, file: 'journal/1.log', reason: 'the frame at byte 9 is damaged' };
    const unreadable = [{ From: '2', To: '3' }];
    const receivedAtMs = NOW_MS;

    /** Entries 1 to 5, of which 2 and 3 were damaged before history came to them. */
    async function openDamaged(index = createMemoryHistoryIndex()) {
      const rig = await HistoryRig.open(index);
      await rig.append([1, 2, 3, 4, 5].map((number) => record({ eventID: `e${number}` })));
      rig.journal.pretendDamage(damage);
      await rig.catchUp();
      return rig;
    }
    const search = (rig: HistoryRig, input: object = {}) => rig.call<SearchOutput>('SearchEvents', { Order: 'oldest', ...input });
    const idsOf = ({ Events }: SearchOutput) => Events.map(({ EventId }) => EventId);

    test('look-ups find the rest and name what they may lack; the mark survives a restart and a new index', async () => {
      const rig = await openDamaged();
      for (const restart of [() => undefined, () => rig.restart(rig.index), () => rig.restart(createMemoryHistoryIndex())]) {
        await restart();
        await rig.catchUp();
        const found = await search(rig);
        expect([idsOf(found), found.Unreadable]).toEqual([['e1', 'e4', 'e5'], unreadable]);
        expect(rig.follower.passedOver()).toEqual([{ ...damage, countedTo: 0n, receivedToMs: receivedAtMs }]);
        expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 3, filtered: 0 }]);
      }
    });

    test('an index that loses a part meanwhile is made anew from there: nothing is covered that is not in it', async () => {
      const rig = await HistoryRig.open();
      await rig.accept([1, 2, 3].map((number) => record({ eventID: `e${number}` })));
      await rig.append([4, 5].map((number) => record({ eventID: `e${number}` })));
      const damage = { from: 4n, to: 4n, file: 'journal/1.log', reason: 'the frame at byte 9 is damaged' };
      rig.journal.pretendDamage(damage);
      await rig.index.forget(1n, 3n);
      await rig.follower.passOver!(damage);
      await rig.catchUp();
      expect(idsOf(await search(rig))).toEqual(['e1', 'e2', 'e3', 'e5']);
    });

    test('a search says so exactly when its window and its sequences reach the damage', async () => {
      const rig = await openDamaged();
      const ahead = (ms: number) => ({ From: new Date(NOW_MS + 15 * 60_000 + ms).toISOString() });
      expect((await search(rig, ahead(0))).Unreadable).toEqual(unreadable);
      expect((await search(rig, ahead(1))).Unreadable).toBeUndefined();
      expect((await search(rig, { ToSequence: '2' })).Unreadable).toEqual(unreadable);
      expect((await search(rig, { ToSequence: '1' })).Unreadable).toBeUndefined();
    });

    test('LookupEvents, whose answer has no place for it, is refused and says what to do instead', async () => {
      const rig = await openDamaged();
      await expect(rig.call('LookupEvents')).rejects.toMatchObject({
        code: 'EventHistoryDamagedException',
        status: 409,
        message: expect.stringMatching(/^journal entries 2 to 3 are damaged .*`snowtrail events` .*`StartTime`/),
      });
      expect(await rig.call('LookupEvents', { StartTime: new Date(NOW_MS + 20 * 60_000) })).toEqual({ Events: [] });
    });

    test('an entry that is damaged after history took it is named where it would have been shown', async () => {
      const rig = await HistoryRig.open();
      await rig.accept(
        [1, 2, 3].map((number) => record({ eventID: `e${number}`, eventName: number === 1 ? 'ListBuckets' : 'CreateBucket' })),
      );
      await rig.restart(rig.index);
      rig.journal.pretendDamage({ from: 2n, to: 2n, file: 'journal/1.log', reason: 'a block is damaged' });
      const found = await search(rig);
      expect([idsOf(found), found.Unreadable]).toEqual([['e1', 'e3'], [{ From: '2', To: '2' }]]);
      expect((await search(rig, { Name: 'ListBuckets' })).Unreadable).toBeUndefined();
      await expect(rig.call('LookupEvents')).rejects.toMatchObject({ code: 'EventHistoryDamagedException' });
    });

    test('GetEvent says that an entry is damaged, and that an id may be among those', async () => {
      const rig = await openDamaged();
      await expect(rig.call('GetEvent', { Sequence: '2' })).rejects.toMatchObject({ code: 'EventHistoryDamagedException', status: 409 });
      await expect(rig.call('GetEvent', { EventId: 'nowhere' })).rejects.toMatchObject({
        message: 'no such event in an account that you may see; it may be among 2 entries that are damaged',
      });
    });

    test('a tail names the damage and goes on behind it', async () => {
      const rig = await openDamaged();
      const first = await rig.call<TailOutput>('TailEvents', { AfterSequence: '0', WaitSeconds: 0 });
      const second = await rig.call<TailOutput>('TailEvents', { AfterSequence: first.NextSequence, WaitSeconds: 0 });
      const third = await rig.call<TailOutput>('TailEvents', { AfterSequence: second.NextSequence, WaitSeconds: 0 });
      expect([first, second, third].map((page) => [page.Events.length, page.NextSequence, page.Unreadable])).toEqual([
        [1, '1', undefined],
        [0, '3', unreadable],
        [2, '5', undefined],
      ]);
    });

    for (const kind of ['memory', 'disk'] as const) {
      test(`entries that can be read again are counted and found after the next start (index: ${kind})`, async () => {
        const folder = join(root, 'whole-again');
        const open = async () =>
          kind === 'memory'
            ? createMemoryHistoryIndex()
            : openDiskHistoryIndex({ folder, termKey: new Uint8Array(32), workers: false, tableRows: 2 });
        const rig = await openDamaged(await open());
        await rig.index.settle();
        if (kind === 'disk') await rig.index.close();
        rig.journal.pretendDamage();
        await rig.restart(kind === 'disk' ? await open() : rig.index);
        await rig.catchUp();
        const found = await search(rig);
        expect([idsOf(found), found.Unreadable]).toEqual([['e1', 'e2', 'e3', 'e4', 'e5'], undefined]);
        expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 5, filtered: 0 }]);
        await rig.restart(rig.index);
        expect([rig.follower.passedOver(), rig.follower.countedTo()]).toEqual([[], 5n]);
        await rig.index.close();
      });
    }

    test('what was counted before it was damaged is not counted again once it can be read', async () => {
      const rig = await HistoryRig.open();
      await rig.accept([1, 2, 3, 4].map((number) => record({ eventID: `e${number}` })));
      rig.journal.pretendDamage(damage);
      await rig.restart(createMemoryHistoryIndex());
      await rig.catchUp();
      expect((await search(rig)).Unreadable).toEqual(unreadable);
      rig.journal.pretendDamage();
      await rig.restart(rig.index);
      await rig.catchUp();
      expect(idsOf(await search(rig))).toEqual(['e1', 'e2', 'e3', 'e4']);
      expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 4, filtered: 0 }]);
    });

    for (const failure of ['before', 'after'] as const) {
      test(`a catalog that fails ${failure} the mark was kept changes nothing of this`, async () => {
        const rig = await HistoryRig.open();
        await rig.accept([record({ eventID: 'e1' })]);
        await rig.append([2, 3, 4].map((number) => record({ eventID: `e${number}` })));
        rig.journal.pretendDamage(damage);
        rig.catalog.nextFailure = failure;
        await expect(rig.catchUp()).rejects.toThrow(failure);
        if (failure === 'after') await rig.restart(rig.index);
        await rig.catchUp();
        const found = await search(rig);
        expect([idsOf(found), found.Unreadable]).toEqual([['e1', 'e4'], unreadable]);
        expect(rig.follower.counts()).toEqual([{ account: ACCOUNT, hour, delivered: 2, filtered: 0 }]);
      });
    }
  });

  test('rows older than 90 days are dropped from the index each hour', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record()]);
    expect(rig.index.scopes()).toHaveLength(1);
    rig.clock.pass(91 * 86_400_000);
    await rig.accept([record({ eventCategory: 'Data' })], { receivedAtMs: NOW_MS });
    expect(rig.index.scopes()).toEqual([]);
  });

  test('a clock that is a year ahead, at a start or for a while, drops nothing (F28, F30)', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record()]);
    const hour = async () => {
      rig.clock.pass(3_600_000);
      await rig.accept([record({ eventCategory: 'Data' })], { receivedAtMs: NOW_MS });
    };
    rig.clock.jump(365 * 86_400_000);
    await hour();
    rig.clock.jump(-365 * 86_400_000);
    await hour();
    rig.clock.jump(365 * 86_400_000);
    await rig.restart(rig.index);
    await rig.accept([record({ eventCategory: 'Data' })], { receivedAtMs: NOW_MS });
    rig.clock.jump(-365 * 86_400_000);
    await hour();
    expect(rig.index.scopes()).toHaveLength(2);
  });
});

describe('unversionedName', () => {
  test('cuts the API version that Lambda and CloudFront write, and nothing else', () => {
    for (const [name, plain] of Object.entries({
      UpdateFunctionConfiguration20150331v2: 'UpdateFunctionConfiguration',
      ListFunctions20150331: 'ListFunctions',
      CreateDistribution2020_05_31: 'CreateDistribution',
      UpdateFunctionConfiguration: 'UpdateFunctionConfiguration',
      GetBucketV2: 'GetBucketV2',
      '20150331': '20150331',
      ListThings20150331vNext: 'ListThings20150331vNext',
    })) {
      expect([name, unversionedName(name)]).toEqual([name, plain]);
    }
  });
});
