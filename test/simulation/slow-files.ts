/**
 * Files whose calls take a few turns of the event loop, as real ones do: others act meanwhile, and may see too early what
 * is not on the disk yet.
 */
import type { Files, OpenFile } from '../../src/store/disk/files.ts';

/** @param pause Waits a while with a probability, before a call takes effect; a sync always takes its time. */
export function slowFiles(files: Files, pause: (probability?: number) => Promise<void>): Files {
  const slowFile = (file: OpenFile): OpenFile => ({
    read: (into, position) => file.read(into, position),
    write: async (parts, position) => {
      await pause();
      return file.write(parts, position);
    },
    truncate: async (size) => {
      await pause();
      await file.truncate(size);
    },
    datasync: async () => {
      await pause(1);
      await file.datasync();
    },
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  });
  return {
    makeFolder: (path) => files.makeFolder(path),
    list: (folder) => files.list(folder),
    open: async (path, mode) => slowFile(await files.open(path, mode)),
    rename: async (from, to) => {
      await pause();
      await files.rename(from, to);
    },
    remove: async (path) => {
      await pause();
      await files.remove(path);
    },
    syncFolder: async (path) => {
      await pause();
      await files.syncFolder(path);
    },
    space: (path) => files.space(path),
  };
}
