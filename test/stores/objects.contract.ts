/**
 * What every implementation of `Objects` promises.
 *
 * A foreign service keeps the promises as far as it goes: the rig says which parts it does not have.
 */
import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../../src/event/types.ts';
import type { ManualClock } from '../../src/store/memory/clock.ts';
import {
  type Bucket,
  BucketExists,
  BucketMissing,
  BucketNotEmpty,
  ObjectConflict,
  type ObjectInfo,
  type Objects,
  ObjectsError,
} from '../../src/store/objects.ts';

export interface ObjectsRig {
  readonly objects: Objects;
  /** What a new process finds. Absent for a store that ends with its process, or that lives elsewhere. */
  readonly reopen?: () => Promise<Objects>;
  /** Called after each test. */
  readonly end?: () => Promise<void>;
  /** The store's clock. Absent for a store that has the world's. */
  readonly clock?: ManualClock;
}

export interface ObjectsTraits {
  /** Buckets have no owner, Region and times of ours, and other people's buckets exist beside. */
  readonly isForeign?: boolean;
  /** The service folds, or words, these otherwise. */
  readonly lacks?: readonly ('suspended' | 'odd-keys' | 'page-order' | 'version-pages' | 'lock-rules')[];
}

export const OWNER = '123456789012' as AccountId;
const REGION = 'us-east-1' as Region;
export const keyOf = (text: string) => text as ObjectKey;
export const bytesOf = (text: string) => new TextEncoder().encode(text);

export function bucketOf(name: string, more: Partial<Bucket> = {}): Bucket {
  return { name: name as BucketName, owner: OWNER, region: REGION, createdAtMs: 1_700_000_000_000, versioning: 'Off', ...more };
}

/** Reads a whole body. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

async function* piecesOf(...pieces: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield typeof piece === 'string' ? bytesOf(piece) : piece;
}

let bucketCount = 0;

/** @param open Makes a store; it need not be empty. */
export function describeObjects(name: string, open: () => Promise<ObjectsRig>, traits: ObjectsTraits = {}): void {
  const { isForeign = false, lacks = [] } = traits;
  const own = test.skipIf(isForeign);
  const unless = (part: (typeof lacks)[number]) => test.skipIf(lacks.includes(part));

  describe(`${name}: objects`, () => {
    let rig: ObjectsRig;
    let objects: Objects;
    beforeAll(async () => {
      rig = await open();
      objects = rig.objects;
    });
    afterAll(async () => {
      await objects.close();
      await rig.end?.();
    });

    async function newBucket(more: Partial<Bucket> = {}): Promise<BucketName> {
      bucketCount += 1;
      const bucket = bucketOf(`bucket-${process.pid}-${bucketCount}`, more);
      await objects.createBucket({ ...bucket, versioning: 'Off' });
      if (bucket.versioning !== 'Off') await objects.updateBucket(bucket.name, { versioning: 'Enabled' });
      if (bucket.versioning === 'Suspended') await objects.updateBucket(bucket.name, { versioning: 'Suspended' });
      return bucket.name;
    }

    async function textOf(bucket: BucketName, key: string, versionId?: string): Promise<string | undefined> {
      const found = await objects.get(bucket, keyOf(key), versionId === undefined ? {} : { versionId });
      return found && Buffer.from(await readBody(found.body)).toString();
    }

    async function keysOf(bucket: BucketName): Promise<string[]> {
      return (await objects.list(bucket, { limit: 1_000 })).objects.map(({ key }) => key);
    }

    describe('buckets', () => {
      own('a bucket is read as it was made, and listed for its owner by name', async () => {
        const owner = '000000000777' as AccountId;
        await objects.createBucket(bucketOf('zz-own', { owner }));
        await objects.createBucket(bucketOf('aa-own', { owner, policy: '{"Statement":[]}' }));
        expect(await objects.getBucket('aa-own' as BucketName)).toEqual(bucketOf('aa-own', { owner, policy: '{"Statement":[]}' }));
        expect((await objects.listBuckets(owner)).map((bucket) => bucket.name)).toEqual(['aa-own', 'zz-own']);
        expect(await objects.listBuckets('000000000778' as AccountId)).toEqual([]);
      });

      test('a bucket that is not there is absent, and nothing can be done in it', async () => {
        const none = 'no-such-bucket-here' as BucketName;
        expect(await objects.getBucket(none)).toBeUndefined();
        const attempts = [
          () => objects.updateBucket(none, { versioning: 'Enabled' }),
          () => objects.deleteBucket(none),
          () => objects.put(none, keyOf('a'), bytesOf('a')),
          () => objects.put(none, keyOf('a'), bytesOf('a'), { ifNoneMatch: true }),
          () => objects.head(none, keyOf('a')),
          () => objects.get(none, keyOf('a')),
          () => objects.list(none, { limit: 1 }),
          () => objects.listVersions(none, { limit: 1 }),
          () => objects.delete(none, keyOf('a')),
        ];
        for (const attempt of attempts) await expect(attempt()).rejects.toThrow(BucketMissing);
        expect(await objects.getBucket(none)).toBeUndefined();
      });

      own('a name is taken once, by whomever, and only names that S3 allows are', async () => {
        const bucket = await newBucket();
        const other = bucketOf(bucket, { owner: '999999999999' as AccountId });
        await expect(objects.createBucket(other)).rejects.toThrow(BucketExists);
        const race = await Promise.allSettled(Array.from({ length: 8 }, () => objects.createBucket(bucketOf('raced-bucket'))));
        expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const bad of ['ab', 'UPPER', '.snowtrail', 'a..b', '../etc', 'a/b', '-a-', '1.2.3.4', 'a'.repeat(64), 'nul\0l']) {
          await expect(objects.createBucket(bucketOf(bad))).rejects.toMatchObject({ reason: 'InvalidBucketName' });
        }
      });

      test('policy and versioning are changed each by itself', async () => {
        const bucket = await newBucket();
        const policy = JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` }],
        });
        expect(await objects.getBucket(bucket)).toMatchObject({ name: bucket, region: REGION, versioning: 'Off' });
        await objects.updateBucket(bucket, { policy });
        await objects.updateBucket(bucket, { versioning: 'Enabled' });
        const found = await objects.getBucket(bucket);
        expect(found?.versioning).toBe('Enabled');
        expect(JSON.parse(found?.policy ?? '')).toEqual(JSON.parse(policy));
        await objects.updateBucket(bucket, { policy: null });
        const after = await objects.getBucket(bucket);
        expect([after?.versioning, after?.policy]).toEqual(['Enabled', undefined]);
      });

      own('of two changes of one setting that were decided on the same state, the second is refused and changes nothing', async () => {
        const bucket = await newBucket();
        const seen = await objects.getBucket(bucket);
        await objects.updateBucket(bucket, { tags: [['Team', 'Red']] }, seen);
        const second = objects.updateBucket(bucket, { tags: [['Team', 'Blue']] }, seen);
        await expect(second).rejects.toMatchObject({ name: 'ChangedMeanwhile', reason: 'OperationAborted' });
        // Another setting is as it was.
        await objects.updateBucket(bucket, { versioning: 'Enabled' }, seen);
        expect(await objects.getBucket(bucket)).toMatchObject({ tags: [['Team', 'Red']], versioning: 'Enabled' });
      });

      test('a bucket is deleted when it is empty, and not before', async () => {
        const bucket = await newBucket();
        await objects.put(bucket, keyOf('a/b'), bytesOf('x'));
        await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
        await objects.delete(bucket, keyOf('a/b'));
        await objects.deleteBucket(bucket);
        expect(await objects.getBucket(bucket)).toBeUndefined();
        await objects.createBucket(bucketOf(bucket));
        expect(await keysOf(bucket)).toEqual([]);
      });

      test('a bucket with old versions or delete markers is not empty', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        await objects.put(bucket, keyOf('a'), bytesOf('x'));
        await objects.delete(bucket, keyOf('a'));
        expect(await keysOf(bucket)).toEqual([]);
        await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
        const { versions } = await objects.listVersions(bucket, { limit: 10 });
        for (const { key, versionId } of versions) await objects.delete(bucket, key, versionId ?? 'null');
        await objects.deleteBucket(bucket);
      });
    });

    describe('put and get', () => {
      test('an object is read with the bytes, type, encoding and metadata that were put', async () => {
        const bucket = await newBucket();
        const key = keyOf('AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/file.json.gz');
        const body = Uint8Array.from({ length: 3_000 }, (_, index) => (index * 7) % 256);
        const metadata = { signature: 'ab'.repeat(256), 'signature-algorithm': 'SHA256withRSA' };
        const put = await objects.put(bucket, key, body, { contentType: 'application/json', contentEncoding: 'gzip', metadata });
        const expected = {
          key,
          sizeBytes: 3_000,
          etag: hash('md5', body),
          isLatest: true,
          isDeleteMarker: false,
          contentType: 'application/json',
          contentEncoding: 'gzip',
          metadata,
        };
        expect(put).toMatchObject(expected);
        expect(await objects.head(bucket, key)).toMatchObject(expected);
        const got = await objects.get(bucket, key);
        expect(got?.info).toMatchObject(expected);
        expect(got && (await readBody(got.body))).toEqual(body);
      });

      own('checksums, further headers and a multipart ETag are kept', async () => {
        const bucket = await newBucket();
        const options = { etag: `${'0'.repeat(32)}-2`, headers: { 'cache-control': 'no-store' }, checksums: { SHA256: 'x=' } };
        const put = await objects.put(bucket, keyOf('a'), bytesOf('x'), options);
        expect(put).toMatchObject(options);
        expect(await objects.head(bucket, keyOf('a'))).toEqual(put);
        expect((await objects.list(bucket, { limit: 1 })).objects).toEqual([put]);
      });

      test('an empty object is an object', async () => {
        const bucket = await newBucket();
        await objects.put(bucket, keyOf('AWSLogs/123456789012/'), new Uint8Array());
        const got = await objects.get(bucket, keyOf('AWSLogs/123456789012/'));
        expect(got?.info).toMatchObject({ sizeBytes: 0, etag: 'd41d8cd98f00b204e9800998ecf8427e' });
        expect(got && (await readBody(got.body))).toEqual(new Uint8Array());
      });

      test('what is not there is absent', async () => {
        const bucket = await newBucket();
        expect(await objects.head(bucket, keyOf('a'))).toBeUndefined();
        expect(await objects.get(bucket, keyOf('a'))).toBeUndefined();
        await objects.put(bucket, keyOf('a/b'), bytesOf('x'));
        expect(await objects.get(bucket, keyOf('a'))).toBeUndefined();
        expect(await objects.get(bucket, keyOf('a/'))).toBeUndefined();
      });

      test('a second put replaces the first, and who began to read the first reads it to its end', async () => {
        const bucket = await newBucket();
        const first = new Uint8Array(2 * 1024 * 1024).fill(1);
        await objects.put(bucket, keyOf('a'), first);
        const reading = await objects.get(bucket, keyOf('a'));
        await objects.put(bucket, keyOf('a'), bytesOf('second'), { metadata: { second: 'yes' } });
        expect(await textOf(bucket, 'a')).toBe('second');
        expect((await objects.head(bucket, keyOf('a')))?.metadata).toEqual({ second: 'yes' });
        expect(reading && Buffer.compare(await readBody(reading.body), first)).toBe(0);
      });

      test('the bytes are those of the moment of the put', async () => {
        const bucket = await newBucket();
        const body = bytesOf('before');
        const putting = objects.put(bucket, keyOf('a'), body);
        await putting;
        body.fill(0);
        expect(await textOf(bucket, 'a')).toBe('before');
      });

      test('a range gives its bytes, clamped at the end; one behind the end is refused', async () => {
        const bucket = await newBucket();
        await objects.put(bucket, keyOf('a'), bytesOf('0123456789'));
        const part = async (first: number, last: number) => {
          const got = await objects.get(bucket, keyOf('a'), { range: [first, last] });
          return got && [Buffer.from(await readBody(got.body)).toString(), got.info.sizeBytes];
        };
        expect(await part(0, 0)).toEqual(['0', 10]);
        expect(await part(3, 5)).toEqual(['345', 10]);
        expect(await part(8, 100)).toEqual(['89', 10]);
        await expect(part(10, 11)).rejects.toMatchObject({ reason: 'InvalidRange' });
      });

      test('a deleted object is gone, and deleting it again is fine', async () => {
        const bucket = await newBucket();
        await objects.put(bucket, keyOf('a'), bytesOf('x'));
        expect(await objects.delete(bucket, keyOf('a'))).toEqual({});
        expect(await objects.delete(bucket, keyOf('a'))).toEqual({});
        expect(await objects.get(bucket, keyOf('a'))).toBeUndefined();
        expect(await keysOf(bucket)).toEqual([]);
      });
    });

    describe('conditional put', () => {
      const options = { ifNoneMatch: true, contentType: 'application/json', metadata: { signature: 'aa' } };

      test('stores on a free key, succeeds again with the same bytes and metadata, and refuses others', async () => {
        const bucket = await newBucket();
        const first = await objects.put(bucket, keyOf('digest'), bytesOf('bytes'), options);
        const again = await objects.put(bucket, keyOf('digest'), bytesOf('bytes'), options);
        expect(again.etag).toBe(first.etag);
        await expect(objects.put(bucket, keyOf('digest'), bytesOf('other'), options)).rejects.toThrow(ObjectConflict);
        await expect(objects.put(bucket, keyOf('digest'), bytesOf('longer bytes'), options)).rejects.toThrow(ObjectConflict);
        const otherMetadata = { ...options, metadata: { signature: 'bb' } };
        await expect(objects.put(bucket, keyOf('digest'), bytesOf('bytes'), otherMetadata)).rejects.toThrow(ObjectConflict);
        await expect(objects.put(bucket, keyOf('digest'), bytesOf('bytes'), { ifNoneMatch: true })).rejects.toThrow(ObjectConflict);
        expect(await textOf(bucket, 'digest')).toBe('bytes');
        expect((await objects.head(bucket, keyOf('digest')))?.metadata).toEqual({ signature: 'aa' });
      });

      test('a put on a free key only is refused by the same bytes as well, and of several at once one is stored', async () => {
        const bucket = await newBucket();
        const put = () => objects.put(bucket, keyOf('lock'), bytesOf('mine'), { mustBeFree: true });
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, put));
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        await expect(put()).rejects.toThrow(ObjectConflict);
        await objects.delete(bucket, keyOf('lock'));
        await put();
      });

      test('in a bucket with versions, the repeat makes no second version and other bytes are refused', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        await objects.put(bucket, keyOf('digest'), bytesOf('bytes'), options);
        await objects.put(bucket, keyOf('digest'), bytesOf('bytes'), options);
        await expect(objects.put(bucket, keyOf('digest'), bytesOf('other'), options)).rejects.toThrow(ObjectConflict);
        expect((await objects.listVersions(bucket, { limit: 10 })).versions).toHaveLength(1);
      });

      test('a key that was deleted is free again', async () => {
        for (const versioning of ['Off', 'Enabled'] as const) {
          const bucket = await newBucket({ versioning });
          await objects.put(bucket, keyOf('a'), bytesOf('one'), options);
          await objects.delete(bucket, keyOf('a'));
          await objects.put(bucket, keyOf('a'), bytesOf('two'), options);
          expect(await textOf(bucket, 'a')).toBe('two');
        }
      });

      test('of 16 writers with different bytes one wins, and all are told the truth', async () => {
        for (const versioning of ['Off', 'Enabled'] as const) {
          const bucket = await newBucket({ versioning });
          const attempts = Array.from({ length: 16 }, (_, index) =>
            objects.put(bucket, keyOf('raced'), bytesOf(`writer ${index}`), options),
          );
          const results = await Promise.allSettled(attempts);
          const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
          expect(winners).toHaveLength(1);
          for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ObjectConflict);
          expect(await textOf(bucket, 'raced')).toBe(`writer ${winners[0]}`);
          expect((await objects.listVersions(bucket, { limit: 100 })).versions).toHaveLength(1);
        }
      });

      test('16 writers of the same bytes all succeed, and there is one object', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        await Promise.all(Array.from({ length: 16 }, () => objects.put(bucket, keyOf('same'), bytesOf('same'), options)));
        expect((await objects.listVersions(bucket, { limit: 100 })).versions).toHaveLength(1);
      });
    });

    describe('staging', () => {
      test('a staged body is not visible before it is committed', async () => {
        const bucket = await newBucket();
        const staged = await objects.stage(piecesOf('01234', '', '56789'));
        expect([staged.sizeBytes, staged.md5Hex]).toEqual([10, hash('md5', '0123456789')]);
        expect(await keysOf(bucket)).toEqual([]);
        expect(Buffer.from(await readBody(staged.read())).toString()).toBe('0123456789');
        const info = await staged.commit(bucket, keyOf('a'), { contentType: 'text/plain' });
        expect(info).toMatchObject({ sizeBytes: 10, contentType: 'text/plain', isLatest: true });
        expect(await textOf(bucket, 'a')).toBe('0123456789');
        await staged.discard();
        expect(await textOf(bucket, 'a')).toBe('0123456789');
      });

      test('a staged body that is discarded leaves nothing', async () => {
        const bucket = await newBucket();
        const staged = await objects.stage(piecesOf('x'));
        await staged.discard();
        await staged.discard();
        expect(await keysOf(bucket)).toEqual([]);
      });

      test('parts are joined in the order given, and stay as they are', async () => {
        const bucket = await newBucket();
        const big = new Uint8Array(300_000).fill(7);
        const parts = await Promise.all([piecesOf('one,'), piecesOf(big), piecesOf('three')].map((part) => objects.stage(part)));
        const [one, two, three] = parts as [(typeof parts)[0], (typeof parts)[0], (typeof parts)[0]];
        const joined = await objects.join([three, one, two]);
        const whole = Buffer.concat([bytesOf('three'), bytesOf('one,'), big]);
        expect([joined.sizeBytes, joined.md5Hex]).toEqual([whole.length, hash('md5', whole)]);
        await joined.commit(bucket, keyOf('joined'), {});
        await one.commit(bucket, keyOf('one'), {});
        const got = await objects.get(bucket, keyOf('joined'));
        expect(got && Buffer.compare(await readBody(got.body), whole)).toBe(0);
        expect(await textOf(bucket, 'one')).toBe('one,');
        await Promise.all(parts.map((part) => part.discard()));
      });

      test('a commit obeys the condition as a put does, and may be tried again elsewhere', async () => {
        const bucket = await newBucket();
        await objects.put(bucket, keyOf('a'), bytesOf('taken'));
        const staged = await objects.stage(piecesOf('other'));
        await expect(staged.commit(bucket, keyOf('a'), { ifNoneMatch: true })).rejects.toThrow(ObjectConflict);
        await expect(staged.commit('no-such-bucket-here' as BucketName, keyOf('a'), {})).rejects.toThrow(BucketMissing);
        await staged.commit(bucket, keyOf('b'), { ifNoneMatch: true });
        expect([await textOf(bucket, 'a'), await textOf(bucket, 'b')]).toEqual(['taken', 'other']);
      });

      test('a body that breaks off leaves nothing, and the fault comes out', async () => {
        const bucket = await newBucket();
        async function* broken(): AsyncGenerator<Uint8Array> {
          yield bytesOf('begun');
          throw new Error('the client went away');
        }
        await expect(objects.stage(broken())).rejects.toThrow('the client went away');
        expect(await keysOf(bucket)).toEqual([]);
      });
    });

    describe('keys', () => {
      const keys = [
        'plain',
        'a/b/c.json.gz',
        'with space/and+plus/ümläut/日本語/😀',
        '100%25/%2f/%',
        'quote"s\'/<xml>&amp;',
        'back\\slash',
        'tab\tand\nnewline',
        '~tilde/#hash/?query',
        'x'.repeat(255),
        `${'y'.repeat(300)}/z`,
        'k'.repeat(1_024),
      ];
      const oddKeys = [
        'trailing/',
        'double//slash',
        '/leading',
        '//',
        '.',
        '..',
        '../../escape',
        'a/./b',
        'a/../b',
        '.snowtrail/index',
        '\u0001',
      ];

      test('every key is a key of its own', async () => {
        const bucket = await newBucket();
        const all = keys.filter((key) => !lacks.includes('odd-keys') || !/[\n\\]/.test(key));
        for (const key of all) await objects.put(bucket, keyOf(key), bytesOf(`body of ${key}`));
        for (const key of all) expect(await textOf(bucket, key)).toBe(`body of ${key}`);
        const sorted = [...all].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
        expect(await keysOf(bucket)).toEqual(sorted);
        for (const key of all) await objects.delete(bucket, keyOf(key));
        expect(await keysOf(bucket)).toEqual([]);
      });

      unless('odd-keys')('keys that no path could be are keys like others', async () => {
        const bucket = await newBucket();
        for (const key of oddKeys) await objects.put(bucket, keyOf(key), bytesOf(`body of ${key}`));
        for (const key of oddKeys) expect(await textOf(bucket, key)).toBe(`body of ${key}`);
        expect((await keysOf(bucket)).toSorted()).toEqual(oddKeys.toSorted());
        for (const key of oddKeys) await objects.delete(bucket, keyOf(key));
        await objects.deleteBucket(bucket);
      });

      test('a key may be the beginning of others, in whichever order they come and go', async () => {
        const bucket = await newBucket();
        const chain = ['a', 'a/', 'a/b', 'a/b/c', 'a/b/c/d'];
        for (const order of [chain, chain.toReversed(), ['a/b', 'a/b/c/d', 'a', 'a/b/c', 'a/']]) {
          for (const key of order) await objects.put(bucket, keyOf(key), bytesOf(key));
          for (const key of chain) expect(await textOf(bucket, key)).toBe(key);
          for (const key of order) await objects.put(bucket, keyOf(key), bytesOf(`${key} again`));
          for (const key of chain) expect(await textOf(bucket, key)).toBe(`${key} again`);
          expect(await keysOf(bucket)).toEqual(chain);
          for (const key of order) await objects.delete(bucket, keyOf(key));
        }
        await Promise.all(chain.map((key) => objects.put(bucket, keyOf(key), bytesOf(key))));
        for (const key of chain) expect(await textOf(bucket, key)).toBe(key);
      });

      own('a key that no object can have is refused', async () => {
        const bucket = await newBucket();
        const refused: [string, string][] = [
          ['', 'InvalidArgument'],
          ['nul\0l', 'InvalidArgument'],
          ['half\ud800', 'InvalidArgument'],
          ['k'.repeat(1_025), 'KeyTooLongError'],
          ['ü'.repeat(513), 'KeyTooLongError'],
        ];
        for (const [key, reason] of refused) {
          await expect(objects.put(bucket, keyOf(key), bytesOf('x'))).rejects.toMatchObject({ reason });
          await expect(objects.get(bucket, keyOf(key))).rejects.toMatchObject({ reason });
          await expect(objects.delete(bucket, keyOf(key))).rejects.toThrow(ObjectsError);
        }
        expect(await keysOf(bucket)).toEqual([]);
      });
    });

    describe('listing', () => {
      const all = ['a', 'a/1', 'a/2', 'a/b/1', 'a/b/2', 'a0', 'b', 'c/d/e/f', 'c/d/e/g', '\uffee', '😀'];

      test('keys come in the order of their UTF-8 bytes, below the prefix, after the key given', async () => {
        const bucket = await newBucket();
        for (const key of all.toReversed()) await objects.put(bucket, keyOf(key), bytesOf(key));
        expect(await keysOf(bucket)).toEqual(all);
        const list = async (options: { prefix?: string; after?: string }) =>
          (await objects.list(bucket, { ...options, limit: 1_000 })).objects.map(({ key }) => key);
        expect(await list({ prefix: 'a/' })).toEqual(['a/1', 'a/2', 'a/b/1', 'a/b/2']);
        expect(await list({ prefix: 'a', after: 'a/2' })).toEqual(['a/b/1', 'a/b/2', 'a0']);
        expect(await list({ after: 'a/3' })).toEqual(['a/b/1', 'a/b/2', 'a0', 'b', 'c/d/e/f', 'c/d/e/g', '\uffee', '😀']);
        expect(await list({ prefix: 'a/', after: '0' })).toEqual(['a/1', 'a/2', 'a/b/1', 'a/b/2']);
        expect(await list({ prefix: 'zzz' })).toEqual([]);
        expect(await list({ after: '😀' })).toEqual([]);
      });

      test('keys are folded up to the delimiter into common prefixes', async () => {
        const bucket = await newBucket();
        for (const key of all) await objects.put(bucket, keyOf(key), bytesOf(key));
        const fold = async (prefix: string) => {
          const { objects: found, commonPrefixes, next } = await objects.list(bucket, { prefix, delimiter: '/', limit: 1_000 });
          return { keys: found.map(({ key }) => key), commonPrefixes, next };
        };
        expect(await fold('')).toEqual({ keys: ['a', 'a0', 'b', '\uffee', '😀'], commonPrefixes: ['a/', 'c/'], next: undefined });
        expect(await fold('a/')).toEqual({ keys: ['a/1', 'a/2'], commonPrefixes: ['a/b/'], next: undefined });
        expect(await fold('c/d')).toEqual({ keys: [], commonPrefixes: ['c/d/'], next: undefined });
        expect((await objects.list(bucket, { delimiter: '/e/', limit: 10 })).commonPrefixes).toEqual(['c/d/e/']);
      });

      test('pages of every size give the whole, each key and common prefix once', async () => {
        const bucket = await newBucket();
        for (const key of all) await objects.put(bucket, keyOf(key), bytesOf(key));
        for (const delimiter of [undefined, '/']) {
          for (const limit of [1, 2, 3, 7]) {
            const seen: string[] = [];
            let after: string | undefined;
            do {
              const page = await objects.list(bucket, { limit, ...(delimiter && { delimiter }), ...(after !== undefined && { after }) });
              const found = [...page.objects.map(({ key }) => key), ...page.commonPrefixes];
              expect(found.length).toBeLessThanOrEqual(limit);
              expect(page.next === undefined || found.length > 0).toBe(true);
              seen.push(...found);
              after = page.next;
            } while (after !== undefined);
            const whole = delimiter === undefined ? all : ['a', 'a/', 'a0', 'b', 'c/', '\uffee', '😀'];
            const sort = (keys: readonly string[]) => [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
            expect(sort(seen)).toEqual(sort(whole));
          }
        }
      });
    });

    own.each(['Off', 'Enabled'] as const)('a deletion of the object of one time spares a newer one (versioning %s)', async (versioning) => {
      const bucket = await newBucket({ versioning });
      const { modifiedAtMs } = await objects.put(bucket, keyOf('a'), bytesOf('old'));
      await rig.clock!.advance(1);
      await objects.put(bucket, keyOf('a'), bytesOf('new'));
      const attempt = objects.delete(bucket, keyOf('a'), undefined, { ifModifiedAtMs: modifiedAtMs });
      await expect(attempt).rejects.toThrow(ObjectConflict);
      expect(await textOf(bucket, 'a')).toBe('new');
      await objects.delete(bucket, keyOf('a'), undefined, { ifModifiedAtMs: modifiedAtMs + 1 });
      expect(await textOf(bucket, 'a')).toBeUndefined();
    });

    describe('Object Lock', () => {
      const DAY_MS = 24 * 3_600_000;
      const nowMs = () => rig.clock?.nowMs() ?? Date.now();
      /** Whole seconds: some services keep no more. */
      const inDays = (days: number) => Math.ceil(nowMs() / 1_000) * 1_000 + days * DAY_MS;
      const isLocked = { reason: 'AccessDenied' };

      async function lockedBucket(objectLock: NonNullable<Bucket['objectLock']> = {}): Promise<BucketName> {
        bucketCount += 1;
        const bucket = bucketOf(`locked-${process.pid}-${bucketCount}`, { versioning: 'Enabled', objectLock });
        await objects.createBucket(bucket);
        return bucket.name;
      }

      test('a bucket says that it has Object Lock, and its default retention', async () => {
        const bucket = await lockedBucket();
        expect(await objects.getBucket(bucket)).toMatchObject({ versioning: 'Enabled', objectLock: {} });
        await objects.updateBucket(bucket, { objectLock: { default: { mode: 'COMPLIANCE', years: 2 } } });
        expect((await objects.getBucket(bucket))?.objectLock).toEqual({ default: { mode: 'COMPLIANCE', years: 2 } });
        await objects.updateBucket(bucket, { objectLock: { default: { mode: 'GOVERNANCE', days: 3 } } });
        expect((await objects.getBucket(bucket))?.objectLock).toEqual({ default: { mode: 'GOVERNANCE', days: 3 } });
        await objects.updateBucket(bucket, { objectLock: {} });
        expect((await objects.getBucket(bucket))?.objectLock).toEqual({});
        expect((await objects.getBucket(await newBucket({ versioning: 'Enabled' })))?.objectLock).toBeUndefined();
      });

      unless('lock-rules')('versioning stays on where Object Lock is, and is needed to turn it on', async () => {
        const bucket = await lockedBucket();
        await expect(objects.updateBucket(bucket, { versioning: 'Suspended' })).rejects.toMatchObject({ reason: 'InvalidBucketState' });
        const plain = await newBucket();
        await expect(objects.updateBucket(plain, { objectLock: {} })).rejects.toMatchObject({ reason: 'InvalidBucketState' });
      });

      test('an object gets the default retention, or the one it is put with', async () => {
        const bucket = await lockedBucket({ default: { mode: 'COMPLIANCE', days: 1 } });
        await objects.put(bucket, keyOf('default'), bytesOf('a'));
        const retention = { mode: 'GOVERNANCE' as const, untilMs: inDays(9) };
        await objects.put(bucket, keyOf('own'), bytesOf('a'), { retention, legalHold: true });
        const [byDefault, own] = [await objects.head(bucket, keyOf('default')), await objects.head(bucket, keyOf('own'))];
        expect(byDefault?.retention?.mode).toBe('COMPLIANCE');
        expect(Math.abs((byDefault?.retention?.untilMs ?? 0) - inDays(1))).toBeLessThan(60_000);
        expect([byDefault?.legalHold === true, own?.retention, own?.legalHold]).toEqual([false, retention, true]);
      });

      unless('lock-rules')('nothing is locked in a bucket without Object Lock', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        const retention = { mode: 'COMPLIANCE' as const, untilMs: inDays(1) };
        await expect(objects.put(bucket, keyOf('a'), bytesOf('a'), { retention })).rejects.toMatchObject({ reason: 'InvalidRequest' });
        await objects.put(bucket, keyOf('a'), bytesOf('a'));
        await expect(objects.protect(bucket, keyOf('a'), undefined, { retention })).rejects.toMatchObject({ reason: 'InvalidRequest' });
      });

      test('a version under COMPLIANCE is not deleted, whoever asks; a delete marker before it may be', async () => {
        const bucket = await lockedBucket({ default: { mode: 'COMPLIANCE', days: 1 } });
        const { versionId } = await objects.put(bucket, keyOf('a'), bytesOf('kept'));
        await expect(objects.delete(bucket, keyOf('a'), versionId!)).rejects.toMatchObject(isLocked);
        await expect(objects.delete(bucket, keyOf('a'), versionId!, { bypassGovernance: true })).rejects.toMatchObject(isLocked);
        const { deleteMarkerVersionId } = await objects.delete(bucket, keyOf('a'));
        await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
        expect(await textOf(bucket, 'a', versionId!)).toBe('kept');
        await objects.delete(bucket, keyOf('a'), deleteMarkerVersionId!);
        expect(await textOf(bucket, 'a')).toBe('kept');
      });

      unless('lock-rules')('COMPLIANCE is made longer, and never shorter, looser or nothing', async () => {
        const bucket = await lockedBucket();
        await objects.put(bucket, keyOf('a'), bytesOf('a'), { retention: { mode: 'COMPLIANCE', untilMs: inDays(5) } });
        const changes = [
          { mode: 'COMPLIANCE' as const, untilMs: inDays(4) },
          { mode: 'GOVERNANCE' as const, untilMs: inDays(9) },
        ];
        for (const retention of changes)
          await expect(objects.protect(bucket, keyOf('a'), undefined, { retention, bypassGovernance: true })).rejects.toMatchObject(
            isLocked,
          );
        const longer = { mode: 'COMPLIANCE' as const, untilMs: inDays(6) };
        expect((await objects.protect(bucket, keyOf('a'), undefined, { retention: longer }))?.retention).toEqual(longer);
      });

      own('COMPLIANCE is not taken away', async () => {
        const bucket = await lockedBucket();
        await objects.put(bucket, keyOf('a'), bytesOf('a'), { retention: { mode: 'COMPLIANCE', untilMs: inDays(5) } });
        const nothing = { retention: null, bypassGovernance: true };
        await expect(objects.protect(bucket, keyOf('a'), undefined, nothing)).rejects.toMatchObject(isLocked);
      });

      unless('lock-rules')('GOVERNANCE is shortened, and a version under it deleted, only by who bypasses it', async () => {
        const bucket = await lockedBucket();
        const put = () => objects.put(bucket, keyOf('a'), bytesOf('a'), { retention: { mode: 'GOVERNANCE', untilMs: inDays(5) } });
        const { versionId } = await put();
        const shorter = { retention: { mode: 'GOVERNANCE' as const, untilMs: inDays(4) } };
        await expect(objects.protect(bucket, keyOf('a'), versionId!, shorter)).rejects.toMatchObject(isLocked);
        await expect(objects.delete(bucket, keyOf('a'), versionId!)).rejects.toMatchObject(isLocked);
        const changed = await objects.protect(bucket, keyOf('a'), versionId!, { ...shorter, bypassGovernance: true });
        expect(changed?.retention).toEqual(shorter.retention);
        await objects.delete(bucket, keyOf('a'), versionId!, { bypassGovernance: true });
        expect(await objects.head(bucket, keyOf('a'), versionId!)).toBeUndefined();
      });

      test('a legal hold keeps a version until it is lifted', async () => {
        const bucket = await lockedBucket();
        const { versionId } = await objects.put(bucket, keyOf('a'), bytesOf('a'));
        expect((await objects.protect(bucket, keyOf('a'), versionId!, { legalHold: true }))?.legalHold).toBe(true);
        await expect(objects.delete(bucket, keyOf('a'), versionId!, { bypassGovernance: true })).rejects.toMatchObject(isLocked);
        expect((await objects.protect(bucket, keyOf('a'), versionId!, { legalHold: false }))?.legalHold).not.toBe(true);
        await objects.delete(bucket, keyOf('a'), versionId!);
        expect(await objects.head(bucket, keyOf('a'))).toBeUndefined();
      });

      test('the same put again is one version, whatever locks it', async () => {
        const bucket = await lockedBucket({ default: { mode: 'COMPLIANCE', days: 1 } });
        const first = await objects.put(bucket, keyOf('a'), bytesOf('a'), { ifNoneMatch: true });
        const again = await objects.put(bucket, keyOf('a'), bytesOf('a'), { ifNoneMatch: true });
        expect(again.versionId).toBe(first.versionId);
        expect((await objects.listVersions(bucket, { limit: 10 })).versions).toHaveLength(1);
      });

      unless('lock-rules')('what is not there, and a delete marker, is not protected', async () => {
        const bucket = await lockedBucket();
        expect(await objects.protect(bucket, keyOf('none'), undefined, { legalHold: true })).toBeUndefined();
        await objects.put(bucket, keyOf('a'), bytesOf('a'));
        const { deleteMarkerVersionId } = await objects.delete(bucket, keyOf('a'));
        expect(await objects.protect(bucket, keyOf('a'), deleteMarkerVersionId, { legalHold: true })).toBeUndefined();
      });

      own('retention ends by time that passes: not by a clock that is set ahead, or back', async () => {
        const bucket = await lockedBucket();
        const lock = (days: number) => ({ retention: { mode: 'COMPLIANCE' as const, untilMs: inDays(days) } });
        const { versionId } = await objects.put(bucket, keyOf('a'), bytesOf('a'), lock(10));
        rig.clock!.jump(11 * DAY_MS);
        await expect(objects.delete(bucket, keyOf('a'), versionId!)).rejects.toMatchObject(isLocked);
        rig.clock!.jump(-12 * DAY_MS);
        await expect(objects.delete(bucket, keyOf('a'), versionId!)).rejects.toMatchObject(isLocked);
        // A clock that is a day back makes no retention that is over by then.
        await expect(objects.put(bucket, keyOf('b'), bytesOf('b'), lock(0.5))).rejects.toMatchObject({ reason: 'InvalidArgument' });
        rig.clock!.jump(DAY_MS);
        await rig.clock!.advance(9 * DAY_MS);
        await expect(objects.delete(bucket, keyOf('a'), versionId!)).rejects.toMatchObject(isLocked);
        await rig.clock!.advance(DAY_MS + 1_000);
        await objects.delete(bucket, keyOf('a'), versionId!);
        expect(await objects.head(bucket, keyOf('a'))).toBeUndefined();
      });
    });

    describe('versions', () => {
      const shape = ({ versionId: _, modifiedAtMs: __, ...rest }: ObjectInfo) => [
        rest.key,
        rest.sizeBytes,
        rest.isLatest,
        rest.isDeleteMarker,
      ];

      test('each put adds a version, each can be read by its id, and the newest is current', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        const ids: string[] = [];
        for (const text of ['one', 'three', 'fifteen']) ids.push((await objects.put(bucket, keyOf('a/k'), bytesOf(text))).versionId ?? '');
        expect(new Set(ids).size).toBe(3);
        expect(await textOf(bucket, 'a/k')).toBe('fifteen');
        expect([await textOf(bucket, 'a/k', ids[0]), await textOf(bucket, 'a/k', ids[1])]).toEqual(['one', 'three']);
        expect(await objects.head(bucket, keyOf('a/k'), ids[1]!)).toMatchObject({ versionId: ids[1], isLatest: false, sizeBytes: 5 });
        expect(await keysOf(bucket)).toEqual(['a/k']);
        const { versions } = await objects.listVersions(bucket, { limit: 10 });
        expect(versions.map(shape)).toEqual([
          ['a/k', 7, true, false],
          ['a/k', 5, false, false],
          ['a/k', 3, false, false],
        ]);
        expect(versions.map(({ versionId }) => versionId)).toEqual(ids.toReversed());
      });

      test('a deletion places a marker that hides the object, and removing the marker brings it back', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        const { versionId } = await objects.put(bucket, keyOf('k'), bytesOf('kept'));
        const { deleteMarkerVersionId } = await objects.delete(bucket, keyOf('k'));
        expect(deleteMarkerVersionId).toBeTruthy();
        expect([await objects.head(bucket, keyOf('k')), await objects.get(bucket, keyOf('k'))]).toEqual([undefined, undefined]);
        expect(await keysOf(bucket)).toEqual([]);
        expect(await textOf(bucket, 'k', versionId!)).toBe('kept');
        expect((await objects.listVersions(bucket, { limit: 10 })).versions.map(shape)).toEqual([
          ['k', 0, true, true],
          ['k', 4, false, false],
        ]);
        await objects.delete(bucket, keyOf('k'), deleteMarkerVersionId!);
        expect(await textOf(bucket, 'k')).toBe('kept');
        expect(await objects.head(bucket, keyOf('k'))).toMatchObject({ versionId, isLatest: true });
      });

      test('deleting the newest version brings back the one before, and deleting an old one changes nothing else', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        const ids: string[] = [];
        for (const text of ['1', '22', '333']) ids.push((await objects.put(bucket, keyOf('k'), bytesOf(text))).versionId ?? '');
        await objects.delete(bucket, keyOf('k'), ids[0]!);
        expect(await objects.get(bucket, keyOf('k'), { versionId: ids[0]! })).toBeUndefined();
        expect(await textOf(bucket, 'k')).toBe('333');
        await objects.delete(bucket, keyOf('k'), ids[2]!);
        expect(await textOf(bucket, 'k')).toBe('22');
        expect((await objects.listVersions(bucket, { limit: 10 })).versions.map(shape)).toEqual([['k', 2, true, false]]);
        await objects.delete(bucket, keyOf('k'), ids[1]!);
        await objects.delete(bucket, keyOf('k'), ids[1]!);
        await objects.deleteBucket(bucket);
      });

      test('what was put before versioning was on is the version `null`, and stays', async () => {
        const bucket = await newBucket();
        const { versionId } = await objects.put(bucket, keyOf('k'), bytesOf('old'));
        expect(versionId).toBeNull();
        await objects.updateBucket(bucket, { versioning: 'Enabled' });
        const second = await objects.put(bucket, keyOf('k'), bytesOf('newer'));
        expect([await textOf(bucket, 'k', 'null'), await textOf(bucket, 'k')]).toEqual(['old', 'newer']);
        expect((await objects.listVersions(bucket, { limit: 10 })).versions.map((info) => info.versionId)).toEqual([
          second.versionId,
          null,
        ]);
        await objects.delete(bucket, keyOf('k'), second.versionId!);
        expect(await textOf(bucket, 'k')).toBe('old');
      });

      unless('suspended')('while versioning is suspended, puts and deletions replace the version `null` alone', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        await objects.put(bucket, keyOf('k'), bytesOf('1'));
        await objects.updateBucket(bucket, { versioning: 'Suspended' });
        expect((await objects.put(bucket, keyOf('k'), bytesOf('22'))).versionId).toBeNull();
        await objects.put(bucket, keyOf('k'), bytesOf('333'));
        const list = async () => (await objects.listVersions(bucket, { limit: 10 })).versions.map(shape);
        expect(await list()).toEqual([
          ['k', 3, true, false],
          ['k', 1, false, false],
        ]);
        await objects.delete(bucket, keyOf('k'));
        expect(await list()).toEqual([
          ['k', 0, true, true],
          ['k', 1, false, false],
        ]);
        await objects.updateBucket(bucket, { versioning: 'Enabled' });
        await objects.put(bucket, keyOf('k'), bytesOf('4444'));
        await objects.updateBucket(bucket, { versioning: 'Suspended' });
        await objects.put(bucket, keyOf('k'), bytesOf('55555'));
        expect(await list()).toEqual([
          ['k', 5, true, false],
          ['k', 4, false, false],
          ['k', 1, false, false],
        ]);
      });

      unless('version-pages')('pages of versions give the whole, newest first within a key, folded by the delimiter', async () => {
        const bucket = await newBucket({ versioning: 'Enabled' });
        for (const key of ['a', 'b', 'c/1', 'c/2', 'd']) {
          for (let size = 1; size <= 3; size++) await objects.put(bucket, keyOf(key), new Uint8Array(size));
        }
        await objects.delete(bucket, keyOf('b'));
        const expected = [
          ...['3', '2', '1'].map((size) => `a ${size}`),
          ...['0', '3', '2', '1'].map((size) => `b ${size}`),
          ...['3', '2', '1'].map((size) => `c/1 ${size}`),
          ...['3', '2', '1'].map((size) => `c/2 ${size}`),
          ...['3', '2', '1'].map((size) => `d ${size}`),
        ];
        const markersLast = (lines: readonly string[]) => [...lines].sort((one, other) => Number(one === 'b 0') - Number(other === 'b 0'));
        for (const delimiter of [undefined, '/']) {
          for (const limit of [1, 2, 5, 1_000]) {
            const seen: string[] = [];
            const prefixes: string[] = [];
            let next: { key: string; versionId: string } | undefined;
            do {
              const page = await objects.listVersions(bucket, {
                limit,
                ...(delimiter && { delimiter }),
                ...(next && { after: next.key, ...(next.versionId !== '' && { afterVersionId: next.versionId }) }),
              });
              seen.push(...page.versions.map(({ key, sizeBytes }) => `${key} ${sizeBytes}`));
              prefixes.push(...page.commonPrefixes);
              next = page.next;
            } while (next !== undefined);
            const whole = delimiter === undefined ? expected : expected.filter((line) => !line.startsWith('c/'));
            // S3's XML keeps markers apart from versions, so a client cannot tell their order within a page.
            if (lacks.includes('page-order')) expect(markersLast(seen)).toEqual(markersLast(whole));
            else expect(seen).toEqual(whole);
            expect(prefixes).toEqual(delimiter === undefined ? [] : ['c/']);
          }
        }
      });
    });

    test('a new process finds buckets, objects, versions and their order', async () => {
      if (rig.reopen === undefined) return expect(await objects.getBucket('no-such-bucket-here' as BucketName)).toBeUndefined();
      const bucket = await newBucket({ versioning: 'Enabled' });
      for (const text of ['1', '22']) await objects.put(bucket, keyOf('a/k'), bytesOf(text), { metadata: { text } });
      await objects.put(bucket, keyOf('gone'), bytesOf('x'));
      await objects.delete(bucket, keyOf('gone'));
      const [before, document] = [await objects.listVersions(bucket, { limit: 100 }), await objects.getBucket(bucket)];
      await objects.close();
      objects = await rig.reopen();
      expect(await objects.getBucket(bucket)).toEqual(document);
      expect(await objects.listVersions(bucket, { limit: 100 })).toEqual(before);
      expect(await textOf(bucket, 'a/k')).toBe('22');
      expect(await textOf(bucket, 'a/k', before.versions[1]!.versionId!)).toBe('1');
      await objects.put(bucket, keyOf('a/k'), bytesOf('333'));
      expect((await objects.listVersions(bucket, { prefix: 'a/', limit: 100 })).versions.map(({ sizeBytes }) => sizeBytes)).toEqual([
        3, 2, 1,
      ]);
    });
  });
}
