import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../event/types.ts';
import { createManualClock, createSeededChance } from '../store/memory/clock.ts';
import { createMemoryObjects } from '../store/memory/objects.ts';
import { type Bucket, BucketExists, BucketMissing, type Objects } from '../store/objects.ts';
import { routeObjects } from './route-objects.ts';

const OWNER = '123456789012' as AccountId;
const key = 'a/b' as ObjectKey;
const text = (words: string) => new TextEncoder().encode(words);
const bucketOf = (name: string): Bucket => ({
  name: name as BucketName,
  owner: OWNER,
  region: 'us-east-1' as Region,
  createdAtMs: 0,
  versioning: 'Off',
});
const memory = () => createMemoryObjects({ clock: createManualClock({ startMs: 0 }), chance: createSeededChance(1) });

async function open(): Promise<{ routed: Objects; builtin: Objects; elsewhere: Objects }> {
  const [builtin, elsewhere] = [memory(), memory()];
  await elsewhere.createBucket(bucketOf('far-bucket'));
  const routed = routeObjects({ builtin, foreign: new Map([['far-bucket' as BucketName, elsewhere]]) });
  await routed.createBucket(bucketOf('near-bucket'));
  return { routed, builtin, elsewhere };
}

async function* pieces(...all: string[]) {
  for (const piece of all) yield text(piece);
}

describe('routeObjects', () => {
  test('each bucket is served by the store that holds it', async () => {
    const { routed, builtin, elsewhere } = await open();
    for (const [name, store, other] of [
      ['near-bucket', builtin, elsewhere],
      ['far-bucket', elsewhere, builtin],
    ] as const) {
      const bucket = name as BucketName;
      await routed.put(bucket, key, text(name));
      expect(await store.head(bucket, key)).toMatchObject({ sizeBytes: name.length });
      await expect(other.head(bucket, key)).rejects.toThrow(BucketMissing);
      expect((await routed.head(bucket, key))?.key).toBe(key);
      expect((await routed.get(bucket, key))?.info.key).toBe(key);
      expect((await routed.list(bucket, { limit: 10 })).objects).toHaveLength(1);
      expect((await routed.listVersions(bucket, { limit: 10 })).versions).toHaveLength(1);
      await routed.updateBucket(bucket, { versioning: 'Enabled' });
      expect((await store.getBucket(bucket))?.versioning).toBe('Enabled');
      expect((await routed.delete(bucket, key)).deleteMarkerVersionId).toBeTruthy();
    }
  });

  test('a body that came in pieces goes to the bucket that it is committed to', async () => {
    const { routed, builtin, elsewhere } = await open();
    const parts = [await routed.stage(pieces('one,', 'two,')), await routed.stage(pieces('three'))];
    const joined = await routed.join(parts);
    expect(joined.sizeBytes).toBe(13);
    await joined.commit('far-bucket' as BucketName, key, { contentType: 'text/plain' });
    await parts[0]!.commit('near-bucket' as BucketName, key, {});
    expect(await elsewhere.head('far-bucket' as BucketName, key)).toMatchObject({ sizeBytes: 13, contentType: 'text/plain' });
    expect(await builtin.head('near-bucket' as BucketName, key)).toMatchObject({ sizeBytes: 8 });
    for (const staged of [joined, ...parts]) await staged.discard();
  });

  test('the name of a foreign bucket is taken, and an owner sees the built-in buckets', async () => {
    const { routed } = await open();
    await expect(routed.createBucket(bucketOf('far-bucket'))).rejects.toThrow(BucketExists);
    expect((await routed.listBuckets(OWNER)).map(({ name }) => name)).toEqual(['near-bucket']);
  });
});
