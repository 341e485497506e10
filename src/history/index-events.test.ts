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
      { account: ACCOUNT, hour, delivered: 2, filtered: 1 },
      { account: OTHER_ACCOUNT, hour: hour + 1, delivered: 1, filtered: 0 },
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

  test('a look-up says where history has stopped when it meets a damaged entry while it is made again (P8)', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record(), record(), record()]);
    rig.journal.damage = () => [{ from: 1n, to: 2n, reason: 'the frame at byte 9 is damaged' }];
    await rig.restart(createMemoryHistoryIndex());
    await expect(rig.call('LookupEvents')).rejects.toMatchObject({
      status: 503,
      message:
        'event history has stopped at entry 1 of 3, because journal entries 1 to 2 are damaged; ' +
        'it does not go on by itself: see `snowtrail doctor`',
    });
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
