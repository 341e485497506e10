import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../event/types.ts';
import { hashSha256 } from '../server/sha256.ts';
import type { Journal } from '../store/journal.ts';
import { createManualClock, createSeededChance, type ManualClock } from '../store/memory/clock.ts';
import { createMemoryJournal } from '../store/memory/journal.ts';
import { createMemoryObjects } from '../store/memory/objects.ts';
import { createLockTime } from '../store/object-lock.ts';
import type { LifecycleRule, Objects } from '../store/objects.ts';
import { type Expiration, expireObjects } from './expire-objects.ts';

const OWNER = '111122223333' as AccountId;
const BUCKET = 'expiring' as BucketName;
const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
/** Midnight. */
const START_MS = Date.UTC(2026, 0, 2);
const keyOf = (text: string) => text as ObjectKey;
const bytesOf = (text: string) => new TextEncoder().encode(text);

let clock: ManualClock;
let objects: Objects;
let recorded: Expiration[];
let journal: Journal;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = createManualClock({ startMs: START_MS });
  objects = createMemoryObjects({ clock, chance: createSeededChance('lifecycle') });
  recorded = [];
  journal = createMemoryJournal({ clock, chance: createSeededChance('journal') });
  stop = new AbortController();
  running = expireObjects(
    {
      clock,
      lockTime: createLockTime(clock),
      objects,
      journal,
      sha256: hashSha256,
      accounts: () => [OWNER],
      record: async (expirations) => void recorded.push(...expirations),
      report: (bucket, error) => {
        throw new Error(`${bucket}: ${error}`);
      },
    },
    stop.signal,
  );
});
afterEach(async () => {
  stop.abort();
  await running;
});

async function newBucket(rule: Partial<LifecycleRule>, versioning: 'Off' | 'Enabled' = 'Off'): Promise<void> {
  await objects.createBucket({ name: BUCKET, owner: OWNER, region: 'us-east-1' as Region, createdAtMs: START_MS, versioning });
  await objects.updateBucket(BUCKET, { lifecycle: [{ id: 'rule', isEnabled: true, filter: {}, ...rule }] });
}

/** `key` of each version, newest first within a key; `!` before a delete marker. */
async function versions(): Promise<string[]> {
  const page = await objects.listVersions(BUCKET, { limit: 1_000 });
  return page.versions.map(({ key, isDeleteMarker }) => `${isDeleteMarker ? '!' : ''}${key}`);
}

const pass = async (ms: number) => {
  for (let passed = 0; passed < ms; passed += HOUR_MS) await clock.advance(HOUR_MS);
};

describe('expireObjects', () => {
  test('an object goes at the first midnight after its days, and the record says so first', async () => {
    await newBucket({ filter: { prefix: 'logs/' }, expiration: { kind: 'days', days: 1 } });
    await pass(2 * HOUR_MS);
    await objects.put(BUCKET, keyOf('logs/a'), bytesOf('xyz'));
    await objects.put(BUCKET, keyOf('other'), bytesOf('x'));
    await pass(DAY_MS + 21 * HOUR_MS);
    expect([await versions(), recorded]).toEqual([['logs/a', 'other'], []]);
    await pass(3 * HOUR_MS);
    expect(await versions()).toEqual(['other']);
    expect(recorded).toEqual([
      {
        account: OWNER,
        region: 'us-east-1',
        details: {
          operation: 'S3.EXPIRE.OBJECT',
          reason: 'Lifecycle Expiration',
          bucketName: BUCKET,
          key: 'logs/a',
          sizeBytes: 3,
          eTag: 'd16fb36f0911f878998c136191af705e',
          ruleId: 'rule',
        },
        resources: [
          { type: 'AWS::S3::Object', name: `arn:aws:s3:::${BUCKET}/logs/a` },
          { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${BUCKET}`, account: OWNER },
        ],
      },
    ]);
  });

  test('with versions a delete marker is placed, old versions go after their own days, and a marker before nothing at last', async () => {
    await newBucket({ expiration: { kind: 'days', days: 1 }, noncurrentExpiration: { days: 2 } }, 'Enabled');
    await objects.put(BUCKET, keyOf('a'), bytesOf('1'));
    await pass(DAY_MS + 2 * HOUR_MS);
    expect(await versions()).toEqual(['!a', 'a']);
    await pass(4 * DAY_MS);
    expect(await versions()).toEqual([]);
    expect(recorded.map(({ details }) => details['operation'])).toEqual(['S3.CREATE.DELETEMARKER', 'S3.EXPIRE.OBJECT', 'S3.EXPIRE.OBJECT']);
  });

  test('of old versions the newest ones are kept that a rule keeps', async () => {
    await newBucket({ noncurrentExpiration: { days: 1, keptCount: 1 } }, 'Enabled');
    for (const text of ['1', '2', '3', '4']) await objects.put(BUCKET, keyOf('a'), bytesOf(text));
    await pass(3 * DAY_MS);
    expect(await versions()).toEqual(['a', 'a']);
  });

  test('BP6: what Object Lock protects stays, and no marker is placed before it, until the lock ends', async () => {
    await newBucket({ expiration: { kind: 'days', days: 1 }, noncurrentExpiration: { days: 1 } }, 'Enabled');
    await objects.updateBucket(BUCKET, { objectLock: { default: { mode: 'COMPLIANCE', days: 5 } } });
    await objects.put(BUCKET, keyOf('a'), bytesOf('old'));
    await objects.put(BUCKET, keyOf('a'), bytesOf('new'));
    await pass(4 * DAY_MS);
    expect([await versions(), recorded]).toEqual([['a', 'a'], []]);
    await pass(6 * DAY_MS);
    expect(await versions()).toEqual([]);
  });

  test('a clock that is set ahead expires nothing', async () => {
    await newBucket({ expiration: { kind: 'days', days: 30 } });
    await objects.put(BUCKET, keyOf('a'), bytesOf('x'));
    clock.jump(400 * DAY_MS);
    await pass(2 * DAY_MS);
    expect(await versions()).toEqual(['a']);
  });

  test('sizes, dates and a disabled rule are looked at', async () => {
    await newBucket({ filter: { sizeGreaterThan: 1 }, expiration: { kind: 'date', atMs: START_MS + 3 * DAY_MS } });
    await objects.put(BUCKET, keyOf('small'), bytesOf('x'));
    await objects.put(BUCKET, keyOf('large'), bytesOf('xx'));
    await pass(2 * DAY_MS);
    expect(await versions()).toEqual(['large', 'small']);
    await pass(2 * DAY_MS);
    expect(await versions()).toEqual(['small']);
    await objects.updateBucket(BUCKET, {
      lifecycle: [{ id: 'off', isEnabled: false, filter: {}, expiration: { kind: 'days', days: 1 } }],
    });
    await pass(3 * DAY_MS);
    expect(await versions()).toEqual(['small']);
  });

  test('what was put again since it was looked at stays', async () => {
    await newBucket({ expiration: { kind: 'days', days: 1 } });
    await objects.put(BUCKET, keyOf('a'), bytesOf('old'));
    const { delete: remove } = objects;
    objects.delete = async (bucket, key, versionId, options) => {
      clock.jump(1);
      await objects.put(bucket, key, bytesOf('new'));
      return remove(bucket, key, versionId, options);
    };
    await pass(DAY_MS + 2 * HOUR_MS);
    expect(await versions()).toEqual(['a']);
  });
});
