/**
 * Holds a folder for one process (F44).
 *
 * The lock is a Unix socket in Linux' abstract namespace, named by the folder's device and inode. The kernel frees it when the process
 * ends in whatever way, so there is no stale lock to break after `kill -9`.
 */
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * @param folder Must exist.
 * @throws Error when another process on this machine holds the folder.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const { dev, ino } = await stat(folder, { bigint: true });
  const socket = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isHeld = error.code === 'EADDRINUSE';
      reject(isHeld ? new Error(`\`${folder}\` is in use by another snowtrail process; stop that one first`, { cause: error }) : error);
    });
    socket.listen(`\0snowtrail/${dev}/${ino}`, () => resolve());
  });
  // The lock alone keeps no process alive.
  socket.unref();
  return { release: () => new Promise((resolve) => socket.close(() => resolve())) };
}
