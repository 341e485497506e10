/**
 * Makes names durable: a file that was created, renamed or removed is so for certain once its folder was synced.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Syncs the entries of a folder. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a folder with all those above it that are missing, and syncs each folder that got a new entry. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}
