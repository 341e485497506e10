/**
 * Writes a small file so that after a crash or a power cut it is there whole, or as it was before.
 */
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../store/disk/sync-folder.ts';

/** Replaces the file at `path`, which only its owner can read; durable when it resolves. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}
