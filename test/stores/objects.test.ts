import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, ObjectKey, Region } from '../../src/event/types.ts';
import { openDiskObjects } from '../../src/store/disk/objects/objects.ts';
import { createMemoryObjects } from '../../src/store/memory/objects.ts';
import { ObjectDamaged } from '../../src/store/objects.ts';
import { createSystemChance, createSystemClock } from '../../src/store/system-clock.ts';
import { objectsContract } from './objects.contract.ts';

const system = { clock: createSystemClock(), chance: createSystemChance() };
const newFolder = async () => join(await mkdtemp(join(tmpdir(), 'snowtrail-objects-')), 'objects');

objectsContract('memory', async () => createMemoryObjects(system));
objectsContract('disk', async () => openDiskObjects({ folder: await newFolder(), ...system }));

describe('objects on disk', () => {
  const bucket = 'b-1' as BucketName;
  const key = 'AWSLogs/1/file' as ObjectKey;

  async function open(folder: string) {
    const objects = await openDiskObjects({ folder, ...system });
    if ((await objects.getBucket(bucket)) === undefined) {
      await objects.createBucket({
        name: bucket,
        owner: '111111111111' as AccountId,
        region: 'us-east-1' as Region,
        createdAtMs: 1,
        versioning: 'Off',
      });
    }
    return objects;
  }

  test('an object lies under its own key and is there after closing and opening again', async () => {
    const folder = await newFolder();
    const objects = await open(folder);
    await objects.put(bucket, key, Buffer.from('kept'));
    await objects.close();
    expect(await readFile(join(folder, bucket, key), 'utf8')).toBe('kept');
    const again = await open(folder);
    expect((await again.head(bucket, key))?.sizeBytes).toBe(4);
    await again.close();
  });

  test('bytes that were changed on the disk are reported as damage and never handed out', async () => {
    const folder = await newFolder();
    const objects = await open(folder);
    await objects.put(bucket, key, Buffer.from('true'));
    await writeFile(join(folder, bucket, key), 'fals');
    await expect(objects.get(bucket, key)).rejects.toThrow(ObjectDamaged);
    await rm(join(folder, bucket, key));
    expect(await objects.get(bucket, key)).toBeUndefined();
    await objects.close();
  });

  test('F02 a crash between the commit and the move to the path loses nothing: opening finishes the move', async () => {
    const folder = await newFolder();
    const objects = await open(folder);
    const staged = await objects.stage(
      (async function* () {
        yield Buffer.from('kept');
      })(),
    );
    await staged.commit(bucket, key, {});
    await objects.close();
    // The disk as the crash leaves it: the index knows the body, which still lies where it was staged.
    const index = await openDiskObjects({ folder, ...system });
    await index.close();
    const { openLmdbObjectIndex } = await import('../../src/store/lmdb/object-index.ts');
    const lmdb = await openLmdbObjectIndex(join(folder, '.snowtrail/index'));
    const { bodyId } = lmdb.read((read) => [...read.range(Buffer.from('o\0'), Buffer.from('o\x01'))][0]!.value as { bodyId: string });
    await lmdb.close();
    await rename(join(folder, bucket, key), join(folder, '.snowtrail/staged', bodyId));
    await writeFile(join(folder, '.snowtrail/staged/never-committed'), 'half');
    const again = await open(folder);
    expect(await readFile(join(folder, bucket, key), 'utf8')).toBe('kept');
    await expect(stat(join(folder, '.snowtrail/staged/never-committed'))).rejects.toThrow('ENOENT');
    await again.close();
  });
});
