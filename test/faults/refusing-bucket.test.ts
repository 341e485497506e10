/**
 * A bucket that refuses, goes away, or does not hold what it says that it took: F21 and F22, with the ledger of what was recorded.
 *
 * In each case the trail shows the code and goes on logging, keeps what waits, and has delivered each event once, in order, when
 * the bucket is well again.
 */
import { describe, expect, test } from 'vitest';
import type { BucketName } from '../../src/event/types.ts';
import { ObjectsError } from '../../src/store/objects.ts';
import type { Trails } from '../../src/trail/create-trails.ts';
import { checkTrail } from '../support/check-trail.ts';
import { BUCKET, bucketPolicy, DIGEST_MS, HOME, TRAIL_ACCOUNT, TrailRig } from '../support/trail-rig.ts';

const NAME = BUCKET as BucketName;

/** A trail that delivered one event. */
async function begin(): Promise<{ rig: TrailRig; trails: Trails; expected: string[] }> {
  const rig = new TrailRig();
  await rig.createBucket();
  const trails = await rig.open();
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  const expected = [await rig.record(HOME)];
  await rig.pass(trails, DIGEST_MS);
  return { rig, trails, expected };
}

/** What GetTrailStatus shows of the log files. */
async function statusOf(rig: TrailRig, trails: Trails): Promise<{ readonly IsLogging: boolean; readonly LatestDeliveryError?: string }> {
  return rig.send(trails, 'GetTrailStatus', { Name: 'main' });
}

/** The ledger: what was recorded since the trail logs is in exactly one log file, and the chains hold. */
async function expectAll(rig: TrailRig, expected: readonly string[]): Promise<void> {
  const found = await checkTrail(rig, BUCKET);
  expect(found.faults).toEqual([]);
  expect(found.events.filter((id) => expected.includes(id)).sort()).toEqual([...expected].sort());
  expect(new Set(found.events).size).toBe(found.events.length);
}

describe('a bucket that takes nothing', () => {
  test('F21 AccessDenied: the bucket policy no longer lets the trail write; it is shown, kept, and caught up', async () => {
    const { rig, trails, expected } = await begin();
    await rig.objects.updateBucket(NAME, { policy: null });
    for (let hour = 0; hour < 3; hour++) {
      expected.push(await rig.record(HOME));
      await rig.pass(trails, DIGEST_MS);
      expect(await statusOf(rig, trails)).toMatchObject({ IsLogging: true, LatestDeliveryError: 'AccessDenied' });
    }
    expect(rig.troubles.length).toBeGreaterThan(0);
    await rig.objects.updateBucket(NAME, { policy: JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)) });
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await statusOf(rig, trails)).LatestDeliveryError ?? '').toBe('');
    await expectAll(rig, expected);
  });

  test('F21 NoSuchBucket: the bucket was emptied and deleted, and is made anew; what waited is delivered there', async () => {
    const { rig, trails, expected } = await begin();
    const kept = await rig.objects.list(NAME, { limit: 1_000 });
    const bodies = await Promise.all(kept.objects.map(async ({ key }) => ({ key, ...(await rig.objects.get(NAME, key))! })));
    const copies: {
      readonly key: (typeof bodies)[number]['key'];
      readonly bytes: Buffer;
      readonly info: (typeof bodies)[number]['info'];
    }[] = [];
    for (const { key, info, body } of bodies) {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      copies.push({ key, info, bytes: Buffer.concat(pieces) });
      await rig.objects.delete(NAME, key);
    }
    await rig.objects.deleteBucket(NAME);
    for (let hour = 0; hour < 2; hour++) {
      expected.push(await rig.record(HOME));
      await rig.pass(trails, DIGEST_MS);
      expect(await statusOf(rig, trails)).toMatchObject({ IsLogging: true, LatestDeliveryError: 'NoSuchBucket' });
    }
    await rig.createBucket();
    // What its owner has a copy of is put back; the trail goes on behind it.
    for (const { key, bytes, info } of copies) await rig.objects.put(NAME, key, bytes, info as never);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await statusOf(rig, trails)).LatestDeliveryError ?? '').toBe('');
    await expectAll(rig, expected);
  });
});

describe('a bucket that does not hold what it took', () => {
  test('F22: a success with the checksum of other bytes is a failure, shown and tried again', async () => {
    const { rig, trails, expected } = await begin();
    const { put } = rig.objects;
    let failures = 0;
    // As the client of a foreign store judges an echo that is not the MD5 of what was sent.
    rig.objects.put = async (bucket, key, body, options) => {
      if (failures >= 3) return put(bucket, key, body, options);
      failures += 1;
      throw new ObjectsError('BadDigest', `the store says that it holds other bytes at \`${bucket}/${key}\``);
    };
    expected.push(await rig.record(HOME));
    await rig.pass(trails, DIGEST_MS / 4);
    expect(failures).toBeGreaterThan(0);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await statusOf(rig, trails)).LatestDeliveryError ?? '').toBe('');
    await expectAll(rig, expected);
  });

  test('F22: other bytes that the bucket keeps in their place are never taken for the ones that were sent', async () => {
    const { rig, trails, expected } = await begin();
    const { put } = rig.objects;
    let corrupted: Parameters<typeof put>[1] | undefined;
    rig.objects.put = async (bucket, key, body, options) => {
      if (corrupted !== undefined || !key.includes('/CloudTrail/')) return put(bucket, key, body, options);
      corrupted = key;
      await put(bucket, key, Buffer.from('other bytes'), options);
      throw new ObjectsError('BadDigest', 'the store says that it holds other bytes');
    };
    expected.push(await rig.record(HOME));
    await rig.pass(trails, DIGEST_MS / 2);
    // What lies there is not overwritten: somebody may need to look at it.
    expect(await statusOf(rig, trails)).toMatchObject({ IsLogging: true, LatestDeliveryError: 'PreconditionFailed' });
    await rig.objects.delete(NAME, corrupted!);
    await rig.pass(trails, 2 * DIGEST_MS);
    await expectAll(rig, expected);
  });
});
