/**
 * Puts, replaces and deletes objects in a folder until it is killed, and says before and after each what it does.
 *
 * Arguments: folder, seed, number of operations, `sealed` to encrypt each object. Lines on standard output: `try NAME` and `done NAME`, where NAME is the
 * index of the operation in `operationsOf`. Three keys at a time, each key's operations one after the other.
 */
import { writeSync } from 'node:fs';
import type { BucketName, ObjectKey } from '../../src/event/types.ts';
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSystemClock } from '../../src/store/disk/clock.ts';
import { openDiskObjects } from '../../src/store/disk/objects/disk-objects.ts';
import { DATA_KEY, KEYS, operationsOf, sealed } from './objects-operations.ts';

const [folder = '', seed = '0', count = '0', how] = process.argv.slice(2);
const isSealed = how === 'sealed';
const disk = await openDiskObjects({ folder, clock: createSystemClock(), chance: createSystemChance() });
const objects = isSealed ? sealed(disk) : disk;
writeSync(1, 'open\n');

const operations = operationsOf(Number(seed), Number(count));
await Promise.all(
  KEYS.map(async ({ bucket, key }) => {
    for (const [index, operation] of operations.entries()) {
      if (operation.bucket !== bucket || operation.key !== key) continue;
      writeSync(1, `try ${index}\n`);
      if (operation.text === undefined) await objects.delete(bucket as BucketName, key as ObjectKey);
      else
        await objects.put(
          bucket as BucketName,
          key as ObjectKey,
          new TextEncoder().encode(operation.text),
          isSealed ? { dataKey: DATA_KEY } : {},
        );
      writeSync(1, `done ${index}\n`);
    }
  }),
);
await objects.close();
writeSync(1, 'closed\n');
