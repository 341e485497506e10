/**
 * The index of the objects in an LMDB file. A commit resolves after its pages were synced to disk.
 */
import { mkdir } from 'node:fs/promises';
import { open, type RootDatabase } from 'lmdb';
import type { IndexTransaction, ObjectIndex } from '../indexed-objects.ts';

/** Opens the index in a folder, making it when it is missing. */
export async function openLmdbObjectIndex(folder: string): Promise<ObjectIndex> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const database: RootDatabase<object, Buffer> = open({
    path: folder,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'json',
    overlappingSync: false,
  });
  const reader: Pick<IndexTransaction, 'get' | 'range'> = {
    get: (key) => database.get(key),
    range: function* (start, end) {
      for (const { key, value } of database.getRange({ start, end })) yield { key: Buffer.from(key), value };
    },
  };
  return {
    commit: (work) =>
      database.transaction(() =>
        work({
          ...reader,
          put: (key, value) => void database.put(key, value),
          remove: (key) => void database.remove(key),
        }),
      ),
    read: (work) => work(reader),
    close: () => database.close(),
  };
}
