/**
 * Writes a small file so that after a crash or a power cut it is there whole, or as it was before.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/** Puts `content` at `path`, readable by its owner alone; durable when it resolves. */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const beside = `${path}.new`;
  // One that a crash left behind may have any mode.
  await rm(beside, { force: true });
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  await syncFolder(dirname(path));
}
