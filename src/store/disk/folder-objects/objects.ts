/**
 * Objects in a folder: the embedded default. The folder of a bucket can be copied anywhere and verified.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chance, Clock } from '../../clock.ts';
import { IndexedObjects } from '../../indexed-objects.ts';
import { openLmdbObjectIndex } from '../../lmdb/object-index.ts';
import type { Objects } from '../../objects.ts';
import { DiskBodies } from './bodies.ts';
import { RESERVED_FOLDER } from './object-path.ts';

/**
 * Opens the store of a folder, making it when it is missing, and finishes what a crash interrupted.
 * One process at a time: the data directory's lock sees to that.
 */
export async function openDiskObjects(options: {
  readonly folder: string;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<Objects> {
  const { folder, clock, chance } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const index = await openLmdbObjectIndex(join(folder, RESERVED_FOLDER, 'index'));
  const bodies = await DiskBodies.open(folder, index, chance);
  return new IndexedObjects({ index, bodies, clock, chance });
}
