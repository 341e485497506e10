import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../event/types.ts';
import { createMemoryCatalog } from '../store/memory/catalog.ts';
import { OpenLosses } from './open-losses.ts';

const ID = { account: '123456789012' as AccountId, homeRegion: 'eu-central-1' as Region, name: 'main' };
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
const BUCKET = 'evidence-bucket' as BucketName;
const [ONE, TWO] = ['one', 'two'].map((key) => key as ObjectKey) as [ObjectKey, ObjectKey];

describe('a lost object that is to be put again', () => {
  test('was found when it was found first, also by a later process, until it is back', async () => {
    const deps = { catalog: createMemoryCatalog(), sha256 };
    const first = await OpenLosses.read(deps, ID);
    expect([await first.begin(BUCKET, ONE, 10), await first.begin(BUCKET, ONE, 20)]).toEqual([10, 10]);
    const later = await OpenLosses.read(deps, ID);
    expect([await later.begin(BUCKET, ONE, 30), await later.begin(BUCKET, TWO, 30)]).toEqual([10, 30]);
    await later.end(BUCKET, ONE);
    expect(await (await OpenLosses.read(deps, ID)).begin(BUCKET, ONE, 40)).toBe(40);
  });

  test('is forgotten once a whole look does not come to it any more', async () => {
    const deps = { catalog: createMemoryCatalog(), sha256 };
    const first = await OpenLosses.read(deps, ID);
    for (const key of [ONE, TWO]) await first.begin(BUCKET, key, 10);
    const later = await OpenLosses.read(deps, ID);
    await later.begin(BUCKET, TWO, 20);
    await later.forgetOthers();
    const after = await OpenLosses.read(deps, ID);
    expect([await after.begin(BUCKET, ONE, 30), await after.begin(BUCKET, TWO, 30)]).toEqual([30, 10]);
  });
});
