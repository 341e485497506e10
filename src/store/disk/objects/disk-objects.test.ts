/**
 * What the disk store promises beyond the contract: the files in the folder, and what happens when somebody touches them.
 */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bucketOf, bytesOf, keyOf, OWNER, readBody } from '../../../../test/stores/objects.contract.ts';
import type { BucketName } from '../../../event/types.ts';
import { createManualClock, createSeededChance } from '../../memory/clock.ts';
import { createMemoryObjects } from '../../memory/objects.ts';
import { BucketNotEmpty, ObjectConflict, ObjectDamaged, type Objects } from '../../objects.ts';
import { openDiskObjects } from './disk-objects.ts';

const bucket = 'trail-bucket' as BucketName;
const key = keyOf('AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/log.json.gz');
let folder: string;
let objects: Objects;

const open = () => openDiskObjects({ folder, clock: createManualClock({ startMs: 1_000 }), chance: createSeededChance(1) });
const pathOf = (text: string) => join(folder, bucket, text);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-disk-objects-'));
  objects = await open();
  await objects.createBucket(bucketOf(bucket));
});
afterEach(async () => {
  await objects.close();
  await rm(folder, { recursive: true, force: true });
});

/** Files below a bucket's folder, by their paths. */
function filesIn(path: string, below = ''): string[] {
  return readdirSync(join(path, below), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesIn(path, `${below}${entry.name}/`) : [`${below}${entry.name}`]))
    .sort();
}

async function textOf(at: string, versionId?: string): Promise<string | undefined> {
  const found = await objects.get(bucket, keyOf(at), versionId === undefined ? {} : { versionId });
  return found && Buffer.from(await readBody(found.body)).toString();
}

describe('the folder of a bucket', () => {
  test('holds the current objects at their keys, and nothing else', async () => {
    await objects.updateBucket(bucket, { versioning: 'Enabled' });
    await objects.put(bucket, key, bytesOf('old'));
    await objects.put(bucket, key, bytesOf('new'));
    await objects.put(bucket, keyOf('AWSLogs/123456789012/'), bytesOf(''));
    await objects.put(bucket, keyOf('gone'), bytesOf('x'));
    await objects.delete(bucket, keyOf('gone'));
    expect(filesIn(pathOf(''))).toEqual(['AWSLogs/123456789012/%', key]);
    expect(readFileSync(pathOf(key), 'utf8')).toBe('new');
  });

  test('has no file and no empty folder left when everything is deleted', async () => {
    for (const each of ['a/b/c', 'a/b', 'a', 'a/b/c/d/e', '..', 'x//y']) await objects.put(bucket, keyOf(each), bytesOf(each));
    for (const each of ['a/b', 'a/b/c', '..', 'x//y', 'a/b/c/d/e', 'a']) await objects.delete(bucket, keyOf(each));
    expect(readdirSync(pathOf(''))).toEqual([]);
    await objects.deleteBucket(bucket);
    expect(existsSync(pathOf(''))).toBe(false);
  });

  test('the object that comes second lies aside when the path of its key is not free', async () => {
    await objects.put(bucket, keyOf('a'), bytesOf('file'));
    await objects.put(bucket, keyOf('a/b'), bytesOf('below'));
    expect(filesIn(pathOf(''))).toEqual([`%=${hash('sha256', 'a/b')}`, 'a']);
    expect([await textOf('a'), await textOf('a/b')]).toEqual(['file', 'below']);
    await objects.delete(bucket, keyOf('a'));
    await objects.put(bucket, keyOf('a/b'), bytesOf('below again'));
    expect(filesIn(pathOf(''))).toEqual(['a/b']);
  });

  test('files that are not ours are no objects, and stay', async () => {
    mkdirSync(dirname(pathOf(key)), { recursive: true });
    writeFileSync(pathOf('AWSLogs/note.txt'), 'mine');
    expect((await objects.list(bucket, { limit: 10 })).objects).toEqual([]);
    expect(await objects.get(bucket, keyOf('AWSLogs/note.txt'))).toBeUndefined();
    await objects.put(bucket, key, bytesOf('x'));
    await objects.delete(bucket, key);
    await objects.deleteBucket(bucket);
    expect(readFileSync(pathOf('AWSLogs/note.txt'), 'utf8')).toBe('mine');
  });
});

describe('a file that somebody touched', () => {
  const delivery = { ifNoneMatch: true, contentType: 'application/json' };

  test('removed: the object is missing everywhere, also in listings, and its key is free', async () => {
    await objects.put(bucket, key, bytesOf('evidence'), delivery);
    await objects.put(bucket, keyOf('z'), bytesOf('other'));
    rmSync(pathOf(key));
    expect([await objects.head(bucket, key), await objects.get(bucket, key)]).toEqual([undefined, undefined]);
    expect((await objects.list(bucket, { limit: 10 })).objects.map((each) => each.key)).toEqual(['z']);
    expect((await objects.listVersions(bucket, { limit: 10 })).versions.map((each) => each.key)).toEqual(['z']);
    await objects.put(bucket, key, bytesOf('evidence'), delivery);
    expect(await textOf(key)).toBe('evidence');
    rmSync(pathOf('AWSLogs'), { recursive: true });
    expect(await objects.get(bucket, key)).toBeUndefined();
    await objects.delete(bucket, key);
  });

  test('removed, with versions: the next put and deletion go on, and the older versions stay', async () => {
    await objects.updateBucket(bucket, { versioning: 'Enabled' });
    const first = await objects.put(bucket, key, bytesOf('1'));
    await objects.put(bucket, key, bytesOf('2'));
    rmSync(pathOf(key));
    await objects.put(bucket, key, bytesOf('3'));
    expect([await textOf(key), await textOf(key, first.versionId!)]).toEqual(['3', '1']);
    expect((await objects.listVersions(bucket, { limit: 10 })).versions).toHaveLength(2);
    rmSync(pathOf(key));
    await objects.delete(bucket, key);
    expect(await textOf(key, first.versionId!)).toBe('1');
  });

  test('removed, under a lock: its bucket is not deleted, so that the index goes on telling of it', async () => {
    await objects.updateBucket(bucket, { versioning: 'Enabled' });
    await objects.updateBucket(bucket, { objectLock: { default: { mode: 'COMPLIANCE', days: 1 } } });
    await objects.put(bucket, key, bytesOf('evidence'));
    rmSync(pathOf(''), { recursive: true });
    await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
  });

  test('removed: a bucket with nothing else in it is empty, and can be deleted', async () => {
    await objects.updateBucket(bucket, { versioning: 'Enabled' });
    const old = await objects.put(bucket, key, bytesOf('old'));
    await objects.put(bucket, key, bytesOf('new'));
    await objects.put(bucket, keyOf('other'), bytesOf('x'));
    rmSync(pathOf(''), { recursive: true });
    await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
    expect(await textOf(key, old.versionId ?? 'null')).toBe('old');
    rmSync(join(folder, '.snowtrail', 'versions'), { recursive: true });
    await objects.deleteBucket(bucket);
    expect(await objects.getBucket(bucket)).toBeUndefined();
    await objects.createBucket(bucketOf(bucket));
    await objects.put(bucket, key, bytesOf('again'));
    await objects.close();
    objects = await open();
    expect([await textOf(key), (await objects.listVersions(bucket, { limit: 9 })).versions.length]).toEqual(['again', 1]);
  });

  test('removed: also more than a page of files', async () => {
    await Promise.all(Array.from({ length: 1_100 }, (_, n) => objects.put(bucket, keyOf(`k/${n}`), bytesOf(''))));
    rmSync(pathOf('k'), { recursive: true });
    await objects.put(bucket, keyOf('z'), bytesOf('here'));
    await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
    rmSync(pathOf('z'));
    await objects.deleteBucket(bucket);
    expect(await objects.getBucket(bucket)).toBeUndefined();
  });

  test('removed: a delete marker has no file, and its bucket is not empty', async () => {
    await objects.updateBucket(bucket, { versioning: 'Enabled' });
    await objects.put(bucket, key, bytesOf('x'));
    await objects.delete(bucket, key);
    rmSync(join(folder, '.snowtrail', 'versions'), { recursive: true });
    await expect(objects.deleteBucket(bucket)).rejects.toThrow(BucketNotEmpty);
  });

  test('changed: it is damaged, whole or in part, and is never served as if it were whole', async () => {
    await objects.put(bucket, key, bytesOf('evidence'), delivery);
    writeFileSync(pathOf(key), 'evidencE');
    await expect(objects.get(bucket, key)).rejects.toThrow(ObjectDamaged);
    await expect(objects.get(bucket, key, { range: [0, 3] })).rejects.toThrow(ObjectDamaged);
    writeFileSync(pathOf(key), 'evidence and more');
    await expect(objects.get(bucket, key)).rejects.toThrow(ObjectDamaged);
    await expect(objects.put(bucket, key, bytesOf('evidence'), delivery)).rejects.toThrow(ObjectDamaged);
    await expect(objects.put(bucket, key, bytesOf('other'), delivery)).rejects.toThrow(ObjectConflict);
  });

  test('changed, and large: the last piece does not come', async () => {
    const body = new Uint8Array(3 * 1024 * 1024).fill(7);
    await objects.put(bucket, key, body);
    const changed = body.slice();
    changed[5] = 8;
    writeFileSync(pathOf(key), changed);
    const found = await objects.get(bucket, key);
    let readBytes = 0;
    const reading = async () => {
      for await (const piece of found!.body) readBytes += piece.length;
    };
    await expect(reading()).rejects.toThrow(ObjectDamaged);
    expect(readBytes).toBeLessThan(body.length);
  });

  test('replaced by a link or a folder: it is missing, and nothing outside is read', async () => {
    writeFileSync(join(folder, 'secret'), 'secret!!');
    await objects.put(bucket, key, bytesOf('evidence'));
    rmSync(pathOf(key));
    symlinkSync(join(folder, 'secret'), pathOf(key));
    expect(await objects.get(bucket, key)).toBeUndefined();
    expect((await objects.list(bucket, { limit: 10 })).objects).toEqual([]);
    await objects.put(bucket, key, bytesOf('again'));
    expect([await textOf(key), readFileSync(join(folder, 'secret'), 'utf8')]).toEqual(['again', 'secret!!']);
    rmSync(pathOf(key));
    mkdirSync(pathOf(key));
    writeFileSync(join(pathOf(key), 'x'), 'x');
    expect(await objects.get(bucket, key)).toBeUndefined();
    await objects.put(bucket, key, bytesOf('aside'));
    expect(await textOf(key)).toBe('aside');
  });
});

describe('the disk store', () => {
  test('a reader that leaves early leaves no open file', async () => {
    await objects.put(bucket, key, new Uint8Array(3 * 1024 * 1024));
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let turn = 0; turn < 20; turn++) {
      const found = await objects.get(bucket, key);
      for await (const _ of found!.body) break;
    }
    expect(openFiles()).toBeLessThanOrEqual(before + 2);
  });

  test('leaves nothing staged behind: not after a refusal, not after a broken body, not from an earlier process', async () => {
    await objects.put(bucket, key, bytesOf('one'), { ifNoneMatch: true });
    await expect(objects.put(bucket, key, bytesOf('two'), { ifNoneMatch: true })).rejects.toThrow(ObjectConflict);
    async function* broken() {
      yield bytesOf('x');
      throw new Error('gone');
    }
    await expect(objects.stage(broken())).rejects.toThrow('gone');
    const staged = join(folder, '.snowtrail/staged');
    expect(readdirSync(staged)).toEqual([]);
    await objects.stage((async function* () {})());
    await objects.close();
    writeFileSync(join(staged, '99'), 'left by a crash');
    objects = await open();
    expect(readdirSync(staged)).toEqual([]);
  });

  test('lists thousands of keys, folded and page by page, without reading what it skips', async () => {
    const days = Array.from({ length: 20 }, (_, day) => `AWSLogs/1/${String(day).padStart(3, '0')}`);
    for (const day of days) {
      await Promise.all(
        Array.from({ length: 100 }, (_, file) => objects.put(bucket, keyOf(`${day}/${String(file).padStart(3, '0')}`), bytesOf('x'))),
      );
    }
    const startMs = performance.now();
    const { commonPrefixes } = await objects.list(bucket, { prefix: 'AWSLogs/1/', delimiter: '/', limit: 1_000 });
    const foldedMs = performance.now() - startMs;
    expect(commonPrefixes).toEqual(days.map((day) => `${day}/`));
    let [count, pages] = [0, 0];
    for (let after: string | undefined = ''; after !== undefined; pages++) {
      const page = await objects.list(bucket, { limit: 1_000, ...(after !== '' && { after }) });
      count += page.objects.length;
      after = page.next;
    }
    expect([count, pages]).toEqual([2_000, 2]);
    const wholeMs = performance.now() - startMs;
    // Far above what it takes (2 ms and 200 ms when this was written), far below what reading all of it would.
    expect(foldedMs).toBeLessThan(1_000);
    expect(wholeMs).toBeLessThan(10_000);
  }, 120_000);

  test('a store that a newer Snowtrail wrote is not opened', async () => {
    await objects.close();
    const { DurableLmdb } = await import('../../lmdb/durable-lmdb.ts');
    const lmdb = await DurableLmdb.open(join(folder, '.snowtrail/index'));
    await lmdb.transact(() => void lmdb.table('state').put(Buffer.from('format'), Buffer.from('2')));
    await lmdb.close();
    await expect(open()).rejects.toThrow(/format `2`/);
    const again = await DurableLmdb.open(join(folder, '.snowtrail/index'));
    await again.transact(() => void again.table('state').put(Buffer.from('format'), Buffer.from('1')));
    await again.close();
    objects = await open();
  });
});

describe('the disk store and the store in memory', () => {
  const keys = ['a', 'a/b'];
  const anyKey = fc.constantFrom(...keys);
  const command = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        key: anyKey,
        text: fc.constantFrom('1', '22', '333'),
        ifNoneMatch: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: anyKey }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete-version' as const), at: fc.nat(20) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('versioning' as const),
        versioning: fc.constantFrom('Enabled' as const, 'Suspended' as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  );

  test('do the same, whatever is done to them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 30, size: 'max' }), async (commands) => {
        const root = await mkdtemp(join(tmpdir(), 'snowtrail-model-'));
        const clock = createManualClock({ startMs: 1_000 });
        const [diskChance, memoryChance] = [createSeededChance(7), createSeededChance(7)];
        const openReal = () => openDiskObjects({ folder: root, clock, chance: diskChance });
        let real = await openReal();
        const model = createMemoryObjects({ clock, chance: memoryChance });
        const outcome = (doing: Promise<unknown>) =>
          doing.then(
            (value) => ({ value }),
            (error: Error) => ({ error: error.name }),
          );
        const both = async (work: (store: Objects) => Promise<unknown>) =>
          expect(await outcome(work(real))).toEqual(await outcome(work(model)));
        try {
          await both((store) => store.createBucket(bucketOf(bucket)));
          for (const each of commands) {
            clock.jump(1_000);
            if (each.kind === 'put')
              await both((store) => store.put(bucket, keyOf(each.key), bytesOf(each.text), { ifNoneMatch: each.ifNoneMatch }));
            else if (each.kind === 'delete') await both((store) => store.delete(bucket, keyOf(each.key)));
            else if (each.kind === 'versioning') await both((store) => store.updateBucket(bucket, { versioning: each.versioning }));
            else if (each.kind === 'reopen') {
              await real.close();
              real = await openReal();
            } else {
              const { versions } = await model.listVersions(bucket, { limit: 1_000 });
              const chosen = versions[each.at % Math.max(versions.length, 1)];
              if (chosen) await both((store) => store.delete(bucket, chosen.key, chosen.versionId ?? 'null'));
            }
            await both((store) => store.listVersions(bucket, { limit: 1_000 }));
          }
          await both((store) => store.list(bucket, { limit: 1_000, delimiter: '/' }));
          await both((store) => store.getBucket(bucket));
          await both((store) => store.listBuckets(OWNER));
          const { versions } = await model.listVersions(bucket, { limit: 1_000 });
          for (const { key: at, versionId, isDeleteMarker } of versions) {
            const read = async (store: Objects) => {
              const found = await store.get(bucket, at, { versionId: versionId ?? 'null' });
              return found && Buffer.from(await readBody(found.body)).toString();
            };
            if (!isDeleteMarker) await both(read);
          }
        } finally {
          await real.close();
          await rm(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 30 },
    );
  }, 120_000);
});
