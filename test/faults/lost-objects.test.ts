/**
 * A bucket takes an object and loses it (F20): a look at the bucket notices within a day, and what can be made again is there again.
 *
 * The trails run on memory stores; what they deliver is held against its receipts by `checkTrail`.
 */
import { describe, expect, test } from 'vitest';
import type { BucketName, ObjectKey, Region } from '../../src/event/types.ts';
import { scrubBuckets } from '../../src/server/scrub-buckets.ts';
import type { ScrubFinding, Trails } from '../../src/trail/create-trails.ts';
import { checkTrail } from '../support/check-trail.ts';
import { BUCKET, bucketPolicy, DIGEST_MS, FLUSH_MS, HOME, TRAIL_ACCOUNT, TrailRig } from '../support/trail-rig.ts';

const WEST = 'us-west-2' as Region;
const HOUR_MS = 3_600_000;
const NAME = BUCKET as BucketName;

interface Delivered {
  readonly rig: TrailRig;
  readonly trails: Trails;
  /** Keys of the bucket, by folder. */
  keysOf(folder: 'CloudTrail' | 'CloudTrail-Digest' | 'receipts'): Promise<readonly ObjectKey[]>;
}

/** A trail that has delivered log files of two Regions, among them events that it does not take, and digests. */
async function deliver(): Promise<Delivered> {
  const rig = new TrailRig();
  await rig.createBucket();
  const trails = await rig.open();
  await rig.send(trails, 'CreateTrail', {
    Name: 'main',
    S3BucketName: BUCKET,
    EnableLogFileValidation: true,
    IsMultiRegionTrail: true,
    IncludeGlobalServiceEvents: true,
  });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  for (let round = 0; round < 3; round++) {
    for (const region of [HOME, WEST, HOME]) await rig.record(region);
    await rig.record(HOME, { source: 'import' });
    await rig.record('us-east-1' as Region, { members: { eventSource: 'iam.amazonaws.com' } });
    await rig.record(HOME);
    await rig.pass(trails, DIGEST_MS);
  }
  const keysOf: Delivered['keysOf'] = async (folder) => {
    const { objects } = await rig.objects.list(NAME, { limit: 1_000 });
    return objects.map(({ key }) => key).filter((key) => key.includes(`/${folder}/`) && !key.endsWith('/'));
  };
  return { rig, trails, keysOf };
}

/** A trail that has delivered aggregated events of two windows, before and after a change of its templates. */
async function aggregate(): Promise<Pick<Delivered, 'rig' | 'trails'>> {
  const { rig, trails } = await deliver();
  const of = (Field: string, ...Equals: readonly string[]) => ({ Field, Equals });
  const AdvancedEventSelectors = [{ FieldSelectors: [of('eventCategory', 'Data'), of('resources.type', 'AWS::S3::Object')] }];
  await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', AdvancedEventSelectors });
  for (const template of ['API_ACTIVITY', 'RESOURCE_ACCESS']) {
    const AggregationConfigurations = [{ EventCategory: 'Data', Templates: [template] }];
    await rig.send(trails, 'PutEventConfiguration', { TrailName: 'main', AggregationConfigurations });
    for (const region of [HOME, WEST, HOME])
      await rig.record(region, {
        eventName: 'GetObject',
        members: {
          eventCategory: 'Data',
          eventSource: 's3.amazonaws.com',
          resources: [{ type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::b/k' }],
        },
      });
    await rig.pass(trails, 6 * 60_000);
  }
  return { rig, trails };
}

async function scrub(trails: Trails): Promise<readonly ScrubFinding[]> {
  const found: ScrubFinding[] = [];
  await trails.scrub(new AbortController().signal, (each) => found.push(each));
  return found;
}

const outcomes = (found: readonly ScrubFinding[]) => found.map((each) => (each.outcome === 'failed' ? String(each.error) : each.outcome));

describe('a bucket that loses what was delivered to it (F20)', () => {
  test('files of aggregated events are made again as well', async () => {
    const { rig, trails } = await aggregate();
    const before = (await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).objects;
    const keys = [...before.keys()].filter((key) => key.includes('/CloudTrail-Aggregated/')) as ObjectKey[];
    expect(keys).toHaveLength(4);
    for (const key of keys) await rig.objects.delete(NAME, key);
    expect(outcomes(await scrub(trails))).toEqual(keys.map(() => 'put-again'));
    expect((await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).objects).toEqual(before);
  });

  test('a bucket that has everything is left as it is', async () => {
    const { rig, trails } = await deliver();
    const before = await checkTrail(rig, BUCKET);
    expect(before.faults).toEqual([]);
    expect(await scrub(trails)).toEqual([]);
    expect((await checkTrail(rig, BUCKET)).objects).toEqual(before.objects);
  });

  test('every log file and every receipt is put again with the same bytes, and told', async () => {
    const { rig, trails, keysOf } = await deliver();
    const before = await checkTrail(rig, BUCKET);
    const lost = [...(await keysOf('CloudTrail')), ...(await keysOf('receipts'))];
    expect(lost.length).toBeGreaterThan(12);
    for (const key of lost) await rig.objects.delete(NAME, key);
    const found = await scrub(trails);
    expect(new Set(outcomes(found))).toEqual(new Set(['put-again']));
    expect(found.map((each) => (each.outcome === 'failed' ? '' : each.key)).sort()).toEqual([...lost].sort());
    const after = await checkTrail(rig, BUCKET);
    expect(after.faults).toEqual([]);
    expect(after.objects).toEqual(before.objects);
    expect(await scrub(trails)).toEqual([]);
  });

  test('what was gone is a fact of the journal before it is put again, and GetTrailEvidence names it', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    const [digest] = await keysOf('CloudTrail-Digest');
    const named = async () => {
      const { Trails } = (await rig.send(trails, 'GetTrailEvidence', {})) as { Trails: readonly Record<string, unknown>[] };
      return { count: Trails[0]!['LostObjectCount'], objects: Trails[0]!['LostObjects'] };
    };
    expect(await named()).toEqual({});
    for (const key of [log!, digest!]) await rig.objects.delete(NAME, key);
    rig.fault = { store: 'objects', method: 'put', nth: 1 + (rig.calls.get('objects.put') ?? 0), kind: 'refused', isCrash: false };
    expect(outcomes(await scrub(trails)).at(-1)).toContain('DeliveryFailed');
    rig.fault = undefined;
    const facts = (await rig.journal.read(0n, 1_000)).filter(({ factKind }) => factKind === 'loss');
    expect(facts.map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as unknown)).toContainEqual(
      expect.objectContaining({ trailARN: expect.stringContaining('trail/main'), bucket: BUCKET, key: log, outcome: 'put-again' }),
    );
    await scrub(trails);
    // What is still gone counts once; what is lost again counts again.
    await rig.objects.delete(NAME, log!);
    await rig.clock.advance(1_000);
    expect(outcomes(await scrub(trails)).sort()).toEqual(['gone', 'put-again']);
    const { count, objects } = await named();
    expect(count).toBe((objects as readonly unknown[]).length);
    expect((objects as readonly { Key: string }[]).filter(({ Key }) => Key === digest)).toHaveLength(1);
    expect((objects as readonly { Key: string }[]).filter(({ Key }) => Key === log).length).toBeGreaterThanOrEqual(2);
  });

  test('what could not be put again is noted once, until it is back; then its next loss is another one', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    const noted = async () => {
      const { Trails } = (await rig.send(trails, 'GetTrailEvidence', {})) as { Trails: readonly Record<string, unknown>[] };
      const facts = (await rig.journal.read(0n, 1_000)).filter(({ factKind }) => factKind === 'loss');
      return [facts.length, Trails[0]!['LostObjectCount']];
    };
    const fails = async (kind: 'refused' | 'taken') => {
      rig.fault = { store: 'objects', method: 'put', nth: 1 + (rig.calls.get('objects.put') ?? 0), kind, isCrash: false };
      expect(outcomes(await scrub(trails))).toEqual([expect.stringContaining('DeliveryFailed')]);
      rig.fault = undefined;
      await rig.clock.advance(1_000);
    };
    await rig.objects.delete(NAME, log!);
    await fails('refused');
    await fails('refused');
    expect(await noted()).toEqual([1, 1]);
    expect(outcomes(await scrub(trails))).toEqual(['put-again']);
    expect(await noted()).toEqual([1, 1]);
    await rig.clock.advance(1_000);
    await rig.objects.delete(NAME, log!);
    // Put, and the answer was lost: the next look sees that it is back.
    await fails('taken');
    expect(await scrub(trails)).toEqual([]);
    expect(await noted()).toEqual([2, 2]);
    await rig.objects.delete(NAME, log!);
    expect(outcomes(await scrub(trails))).toEqual(['put-again']);
    expect(await noted()).toEqual([3, 3]);
  });

  test('a bucket that may not be listed refuses to speak of what is gone: that is put again', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    const [digest] = await keysOf('CloudTrail-Digest');
    for (const key of [log!, digest!]) await rig.objects.delete(NAME, key);
    rig.hidesAbsence = true;
    expect(outcomes(await scrub(trails)).sort()).toEqual(['gone', 'put-again']);
    rig.hidesAbsence = false;
    expect(await rig.objects.head(NAME, log!)).toBeDefined();
  });

  test('a bucket that speaks of no object is told, and nothing is put there', async () => {
    const { rig, trails } = await deliver();
    rig.outage = 'AccessDenied';
    const puts = rig.calls.get('objects.put');
    expect(await scrub(trails)).toMatchObject([{ outcome: 'failed', error: { reason: 'AccessDenied' } }]);
    expect(rig.calls.get('objects.put')).toBe(puts);
  });

  test('a digest cannot be made again: it is told each time, and nothing is put in its place', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [digest] = await keysOf('CloudTrail-Digest');
    await rig.objects.delete(NAME, digest!);
    for (let times = 0; times < 2; times++) expect(await scrub(trails)).toMatchObject([{ outcome: 'gone', bucket: BUCKET, key: digest }]);
    expect(await rig.objects.head(NAME, digest!)).toBeUndefined();
  });

  test('an object of another size is told, and not touched', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    await rig.objects.put(NAME, log!, new TextEncoder().encode('else'));
    expect(await scrub(trails)).toMatchObject([{ outcome: 'differs', key: log }]);
    expect((await rig.objects.head(NAME, log!))!.sizeBytes).toBe(4);
  });

  test('nothing is put into a bucket that was closed to the trail: what is gone is on record, and put once it is open again', async () => {
    const { rig, trails, keysOf } = await deliver();
    const gone = (await keysOf('CloudTrail')).slice(0, 2);
    for (const key of gone) await rig.objects.delete(NAME, key);
    await rig.objects.updateBucket(NAME, { policy: null });
    for (let times = 0; times < 2; times++) {
      expect(await scrub(trails)).toMatchObject([{ outcome: 'failed', error: { reason: 'AccessDenied' } }]);
      const { Trails } = (await rig.send(trails, 'GetTrailEvidence', {})) as { Trails: readonly Record<string, unknown>[] };
      expect(Trails[0]!['LostObjectCount']).toBe(2);
      await rig.clock.advance(1_000);
    }
    for (const key of gone) expect(await rig.objects.head(NAME, key)).toBeUndefined();
    await rig.objects.updateBucket(NAME, { policy: JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)) });
    expect(outcomes(await scrub(trails))).toEqual(['put-again', 'put-again']);
  });

  test('a bucket that does not answer is told, and looked at the next time', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    await rig.objects.delete(NAME, log!);
    rig.outage = 'SlowDown';
    expect(await scrub(trails)).toMatchObject([{ outcome: 'failed', error: { reason: 'SlowDown' } }]);
    rig.outage = undefined;
    expect(outcomes(await scrub(trails))).toEqual(['put-again']);
  });

  test('what expired after more than a day is not put again', async () => {
    const { rig, trails, keysOf } = await deliver();
    await rig.clock.advance(25 * HOUR_MS);
    for (const key of await keysOf('CloudTrail')) await rig.objects.delete(NAME, key);
    expect(await scrub(trails)).toEqual([]);
    expect(await keysOf('CloudTrail')).toEqual([]);
  });

  test('a trail that was moved while it was off has put nothing at its new place: nothing is put there', async () => {
    const { rig, trails, keysOf } = await deliver();
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.pass(trails, 2 * DIGEST_MS);
    const policy = JSON.stringify(bucketPolicy(BUCKET, TRAIL_ACCOUNT)).replace(`/AWSLogs/${TRAIL_ACCOUNT}/*`, '/*');
    await rig.objects.updateBucket(NAME, { policy });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3KeyPrefix: 'elsewhere' });
    await rig.pass(trails, 2 * DIGEST_MS);
    expect(await scrub(trails)).toEqual([]);
    expect((await keysOf('receipts')).filter((key) => key.startsWith('elsewhere/'))).toEqual([]);
  });

  test('what waits to be put is left to the trail', async () => {
    const { rig, trails } = await deliver();
    rig.outage = 'SlowDown';
    await rig.record(HOME);
    await rig.pass(trails, 2 * FLUSH_MS);
    rig.outage = undefined;
    expect(await scrub(trails)).toEqual([]);
    await rig.pass(trails, 2 * DIGEST_MS);
    expect((await checkTrail(rig, BUCKET)).faults).toEqual([]);
  });

  test('a bucket that is gone, or lacks its newest receipt, is told at the start and by GetTrailEvidence until it is back', async () => {
    const { rig, trails, keysOf } = await deliver();
    const look = async () => {
      const found: ScrubFinding[] = [];
      await trails.findGone(new AbortController().signal, (each) => found.push(each));
      const { Trails } = (await rig.send(trails, 'GetTrailEvidence', {})) as { Trails: readonly Record<string, unknown>[] };
      return { found: outcomes(found), told: Trails.map(({ Gone, ThereAt }) => ({ Gone, ThereAt })) };
    };
    expect(await look()).toEqual({ found: [], told: [{}] });
    const newest = (await keysOf('receipts')).at(-1)!;
    await rig.objects.delete(NAME, newest);
    const thereAt = { ThereAt: expect.stringMatching(/^2026-01-02T03:0\d:\d\dZ$/) };
    expect(await look()).toEqual({ found: ['newest-receipt-gone'], told: [{ Gone: 'newest-receipt', ...thereAt }] });
    expect(outcomes(await scrub(trails))).toEqual(['put-again']);
    expect(await look()).toEqual({ found: [], told: [{}] });

    for (const { key } of (await rig.objects.list(NAME, { limit: 1_000 })).objects) await rig.objects.delete(NAME, key);
    await rig.objects.deleteBucket(NAME);
    expect(await look()).toEqual({ found: ['bucket-gone'], told: [{ Gone: 'bucket', ...thereAt }] });
    // What it does not know it does not say: the bucket lies elsewhere, or the store gives no answer.
    const elsewhere = new TrailRig({ foreignBuckets: new Set([NAME]) });
    Object.assign(elsewhere, { catalog: rig.catalog, journal: rig.journal, objects: rig.objects });
    const found: ScrubFinding[] = [];
    await (await elsewhere.open()).findGone(new AbortController().signal, (each) => found.push(each));
    rig.outage = 'InternalError';
    await trails.findGone(new AbortController().signal, (each) => found.push(each));
    expect(found).toEqual([]);
  });

  test('a running server looks by itself, within a day', async () => {
    const { rig, trails, keysOf } = await deliver();
    const [log] = await keysOf('CloudTrail');
    await rig.objects.delete(NAME, log!);
    const stopping = new AbortController();
    const found: ScrubFinding[] = [];
    const running = scrubBuckets({ clock: rig.clock, trails, report: (each) => found.push(each) }, stopping.signal);
    for (let hours = 0; hours < 23; hours++) await rig.clock.advance(HOUR_MS);
    for (let turns = 0; found.length === 0 && turns < 1_000; turns++) await new Promise((resolve) => setImmediate(resolve));
    stopping.abort();
    await running;
    expect(outcomes(found)).toEqual(['put-again']);
  });
});
