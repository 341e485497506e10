/**
 * What every object store promises. Memory is the reference.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../../src/event/types.ts';
import { BucketExists, BucketMissing, BucketNotEmpty, ObjectConflict, type Objects } from '../../src/store/objects.ts';

const bucket = 'trail-bucket' as BucketName;
const owner = '111111111111' as AccountId;
const key = (text: string) => text as ObjectKey;
const bytes = (text: string) => new TextEncoder().encode(text);

async function textOf(
  objects: Objects,
  name: string,
  options?: { versionId?: string; range?: readonly [number, number] },
): Promise<string | undefined> {
  const found = await objects.get(bucket, key(name), options);
  if (found === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of found.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function* stream(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield bytes(text);
}

export function objectsContract(name: string, openEmpty: () => Promise<Objects>): void {
  async function open(): Promise<Objects> {
    const objects = await openEmpty();
    await objects.createBucket({ name: bucket, owner, region: 'us-east-1' as Region, createdAtMs: 1, versioning: 'Off' });
    return objects;
  }

  describe(`objects contract: ${name}`, () => {
    test('a bucket is made once, shown to its owner, changed, and deleted when it is empty', async () => {
      const objects = await open();
      await expect(
        objects.createBucket({ name: bucket, owner, region: 'eu-west-1' as Region, createdAtMs: 2, versioning: 'Off' }),
      ).rejects.toThrow(BucketExists);
      await objects.updateBucket(bucket, { policy: '{}', versioning: 'Enabled' });
      expect(await objects.listBuckets(owner)).toEqual([
        { name: bucket, owner, region: 'us-east-1', createdAtMs: 1, versioning: 'Enabled', policy: '{}' },
      ]);
      expect(await objects.listBuckets('222222222222' as AccountId)).toEqual([]);
      await objects.updateBucket(bucket, { policy: null });
      expect((await objects.getBucket(bucket))?.policy).toBeUndefined();
      await objects.put(bucket, key('a'), bytes('1'));
      await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
      const { versionId } = (await objects.head(bucket, key('a')))!;
      await objects.delete(bucket, key('a'), versionId!);
      await objects.deleteBucket(bucket);
      expect(await objects.getBucket(bucket)).toBeUndefined();
      await objects.close();
    });

    test('an object comes back byte for byte, with its metadata, and by range', async () => {
      const objects = await open();
      const info = await objects.put(bucket, key('AWSLogs/1/x.json.gz'), bytes('0123456789'), {
        contentType: 'application/json',
        contentEncoding: 'gzip',
        metadata: { signature: 'abc' },
      });
      expect(info).toMatchObject({
        sizeBytes: 10,
        etag: createHash('md5').update('0123456789').digest('hex'),
        versionId: null,
        isLatest: true,
      });
      expect(await objects.head(bucket, key('AWSLogs/1/x.json.gz'))).toEqual(info);
      expect(info).toMatchObject({ contentType: 'application/json', contentEncoding: 'gzip', metadata: { signature: 'abc' } });
      expect(await textOf(objects, 'AWSLogs/1/x.json.gz')).toBe('0123456789');
      expect(await textOf(objects, 'AWSLogs/1/x.json.gz', { range: [2, 4] })).toBe('234');
      expect(await textOf(objects, 'AWSLogs/1/missing')).toBeUndefined();
      await objects.close();
    });

    test('a key of any shape is kept and never becomes another object', async () => {
      const objects = await open();
      const names = [
        'a',
        'a/b',
        'a/',
        'a//b',
        '../../etc/passwd',
        './x',
        '/abs',
        '.snowtrail/index/data.mdb',
        'ü/ñ',
        'c\\d',
        'x'.repeat(1024),
        'tab\t',
        'a/b/c',
      ];
      for (const name of names) await objects.put(bucket, key(name), bytes(`body of ${name}`));
      for (const name of names) expect(await textOf(objects, name)).toBe(`body of ${name}`);
      const listed = (await objects.list(bucket, { limit: 1000 })).objects.map((object) => object.key as string);
      expect(listed).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      for (const name of names) await objects.delete(bucket, key(name));
      expect((await objects.list(bucket, { limit: 1000 })).objects).toEqual([]);
      await objects.close();
    });

    test('an empty key, a key above 1,024 bytes and a missing bucket are refused', async () => {
      const objects = await open();
      await expect(objects.put(bucket, key(''), bytes(''))).rejects.toThrow(/1 to 1024/);
      await expect(objects.put(bucket, key('é'.repeat(513)), bytes(''))).rejects.toThrow(/1 to 1024/);
      await expect(objects.put('no-such-bucket' as BucketName, key('a'), bytes(''))).rejects.toThrow(BucketMissing);
      await expect(objects.list('no-such-bucket' as BucketName, { limit: 1 })).rejects.toThrow(BucketMissing);
      await objects.close();
    });

    test('a conditional put succeeds again with the same bytes and conflicts with other bytes', async () => {
      const objects = await open();
      const first = await objects.put(bucket, key('a'), bytes('1'), { ifNoneMatch: true, metadata: { m: '1' } });
      expect(await objects.put(bucket, key('a'), bytes('1'), { ifNoneMatch: true, metadata: { m: '1' } })).toEqual(first);
      await expect(objects.put(bucket, key('a'), bytes('2'), { ifNoneMatch: true })).rejects.toThrow(ObjectConflict);
      await expect(objects.put(bucket, key('a'), bytes('1'), { ifNoneMatch: true, metadata: { m: '2' } })).rejects.toThrow(ObjectConflict);
      expect(await textOf(objects, 'a')).toBe('1');
      await objects.close();
    });

    test('of sixteen conditional puts that race, one wins and its bytes are the ones kept', async () => {
      const objects = await open();
      const race = await Promise.allSettled(
        Array.from({ length: 16 }, (_, index) => objects.put(bucket, key('raced'), bytes(`writer ${index}`), { ifNoneMatch: true })),
      );
      const winners = race.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(await textOf(objects, 'raced')).toBe(`writer ${winners[0]}`);
      await objects.close();
    });

    test('overwriting while others read gives each reader one of the two bodies, whole', async () => {
      const objects = await open();
      const bodies = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(1_000 + index));
      await objects.put(bucket, key('busy'), bytes(bodies[0]!));
      const writing = (async () => {
        for (const body of bodies) await objects.put(bucket, key('busy'), bytes(body));
      })();
      const read: (string | undefined)[] = [];
      for (let count = 0; count < 60; count += 1) read.push(await textOf(objects, 'busy'));
      await writing;
      for (const text of read) expect(bodies).toContain(text);
      expect(await textOf(objects, 'busy')).toBe(bodies.at(-1));
      await objects.close();
    });

    test('listings fold at the delimiter, go on where they stopped, and begin after a given key', async () => {
      const objects = await open();
      const names = ['a', 'b/1', 'b/2', 'b-', 'c/x/1', 'c/y', 'd', 'é'];
      for (const name of names) await objects.put(bucket, key(name), bytes(name));
      const whole = await objects.list(bucket, { delimiter: '/', limit: 1000 });
      expect(whole.objects.map((object) => object.key)).toEqual(['a', 'b-', 'd', 'é']);
      expect(whole.commonPrefixes).toEqual(['b/', 'c/']);
      expect((await objects.list(bucket, { prefix: 'c/', delimiter: '/', limit: 1000 })).commonPrefixes).toEqual(['c/x/']);
      for (const options of [{ delimiter: '/' }, {}, { prefix: 'b' }, { prefix: 'c/', delimiter: '/' }]) {
        const all = await objects.list(bucket, { ...options, limit: 1000 });
        const paged: string[] = [];
        for (let after: string | undefined = ''; after !== undefined; ) {
          const page: Awaited<ReturnType<Objects['list']>> = await objects.list(bucket, { ...options, limit: 1, after });
          paged.push(...page.objects.map((object) => object.key), ...page.commonPrefixes);
          after = page.next;
        }
        expect(paged.sort()).toEqual([...all.objects.map((object) => object.key as string), ...all.commonPrefixes].sort());
      }
      expect((await objects.list(bucket, { after: 'b/1', limit: 2 })).objects.map((object) => object.key)).toEqual(['b/2', 'c/x/1']);
      await objects.close();
    });

    test('with versioning every put is a version, a delete is a marker, and versions can be read and removed one by one', async () => {
      const objects = await open();
      await objects.put(bucket, key('a'), bytes('before'));
      await objects.updateBucket(bucket, { versioning: 'Enabled' });
      const second = await objects.put(bucket, key('a'), bytes('second'));
      const third = await objects.put(bucket, key('a'), bytes('third'));
      const { deleteMarkerVersionId } = await objects.delete(bucket, key('a'));
      expect(await objects.head(bucket, key('a'))).toBeUndefined();
      expect(await textOf(objects, 'a')).toBeUndefined();
      expect(await textOf(objects, 'a', { versionId: 'null' })).toBe('before');
      expect(await textOf(objects, 'a', { versionId: second.versionId! })).toBe('second');
      expect((await objects.list(bucket, { limit: 10 })).objects).toEqual([]);
      const { versions } = await objects.listVersions(bucket, { limit: 10 });
      expect(versions.map((version) => [version.versionId, version.isLatest, version.isDeleteMarker])).toEqual([
        [deleteMarkerVersionId, true, true],
        [third.versionId, false, false],
        [second.versionId, false, false],
        [null, false, false],
      ]);
      const page = await objects.listVersions(bucket, { limit: 2 });
      const rest = await objects.listVersions(bucket, { limit: 10, after: page.next!.key, afterVersionId: page.next!.versionId });
      expect(rest.versions.map((version) => version.versionId)).toEqual([second.versionId, null]);
      await objects.delete(bucket, key('a'), deleteMarkerVersionId!);
      expect(await textOf(objects, 'a')).toBe('third');
      await objects.delete(bucket, key('a'), third.versionId!);
      expect(await textOf(objects, 'a')).toBe('second');
      expect((await objects.list(bucket, { limit: 10 })).objects.map((object) => object.versionId)).toEqual([second.versionId]);
      await objects.close();
    });

    test('with versioning suspended a put replaces the null version and leaves the others', async () => {
      const objects = await open();
      await objects.updateBucket(bucket, { versioning: 'Enabled' });
      const kept = await objects.put(bucket, key('a'), bytes('kept'));
      await objects.updateBucket(bucket, { versioning: 'Suspended' });
      await objects.put(bucket, key('a'), bytes('one'));
      await objects.put(bucket, key('a'), bytes('two'));
      expect(await textOf(objects, 'a')).toBe('two');
      expect((await objects.listVersions(bucket, { limit: 10 })).versions.map((version) => version.versionId)).toEqual([
        null,
        kept.versionId,
      ]);
      expect(await textOf(objects, 'a', { versionId: kept.versionId! })).toBe('kept');
      await objects.close();
    });

    test('staged parts are joined in order into one object, and nothing is seen before the commit', async () => {
      const objects = await open();
      const parts = [await objects.stage(stream('one ', 'two ')), await objects.stage(stream('three'))];
      const whole = await objects.join(parts);
      expect(whole.sizeBytes).toBe(13);
      expect((await objects.list(bucket, { limit: 10 })).objects).toEqual([]);
      const info = await whole.commit(bucket, key('joined'), { etag: 'abc-2' });
      for (const part of parts) await part.discard();
      await whole.discard();
      expect(info.etag).toBe('abc-2');
      expect(await textOf(objects, 'joined')).toBe('one two three');
      await objects.close();
    });

    test('a body that breaks while it is taken in leaves nothing behind', async () => {
      const objects = await open();
      const broken = (async function* () {
        yield bytes('half');
        throw new Error('connection lost');
      })();
      await expect(objects.stage(broken)).rejects.toThrow('connection lost');
      expect((await objects.list(bucket, { limit: 10 })).objects).toEqual([]);
      await objects.close();
    });
  });
}
