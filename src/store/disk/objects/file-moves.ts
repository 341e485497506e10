/**
 * Carries out the moves that the index wrote down, so that the folders agree with it.
 *
 * A move is carried out under its key's lock before its caller is answered; that it was is made durable and crossed out
 * in the background, for many moves at once. Before the next change of the same key it has to be crossed out: so a move
 * that is repeated after a crash never meets the files of a later one.
 *
 * After a crash at any point every step may be repeated. An old file is linked to its new name before the new file takes
 * its place, so there is no moment at which a key that has an object has no file.
 */
import { link, lstat, mkdir, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../sync-folder.ts';
import type { Move, NumberedMove, ObjectIndex } from './object-index.ts';

/** A move that is not crossed out yet. */
interface Outstanding {
  moving: NumberedMove;
  isCarriedOut: boolean;
}

/** Folders whose own names are known to be durable; more are forgotten, and synced once more. */
const DURABLE_FOLDERS_MAX = 20_000;
/** How often a folder is made again that somebody removes because it is empty. */
const ATTEMPTS_MAX = 100;

export class FileMoves {
  readonly #root: string;
  readonly #index: ObjectIndex;
  readonly #outstanding = new Map<string, Outstanding>();
  /** Carried out, but not crossed out. */
  #carriedOut: { readonly name: string; readonly outstanding: Outstanding }[] = [];
  /** Under way; it takes what was carried out when it began. */
  #pass: Promise<void> | undefined;
  readonly #durableFolders = new Set<string>();

  constructor(root: string, index: ObjectIndex) {
    this.#root = root;
    this.#index = index;
  }

  /** Finishes what an earlier process left. Run once, before anything else. */
  async recover(): Promise<void> {
    for (const moving of this.#index.moves()) await this.run(`recovered ${moving.id}`, moving);
    await this.finish();
  }

  /**
   * Carries out a move, under the lock of `name`.
   * @throws Error when a file cannot be moved. The next `settle` of this name tries again.
   */
  async run(name: string, moving: NumberedMove): Promise<void> {
    this.#outstanding.set(name, { moving, isCarriedOut: false });
    await this.settle(name);
  }

  /** Returns once the files of `name` lie where the index says, under its lock. */
  async settle(name: string): Promise<void> {
    const outstanding = this.#outstanding.get(name);
    if (outstanding === undefined || outstanding.isCarriedOut) return;
    await this.#carryOut(outstanding);
    outstanding.isCarriedOut = true;
    this.#carriedOut.push({ name, outstanding });
    // Whoever must know waits for `finish`, or for the pass to be tried again.
    this.#startPass().catch(() => undefined);
  }

  /** Returns once every move of `name` is crossed out, under its lock. */
  async settleDurably(name: string): Promise<void> {
    await this.settle(name);
    while (this.#outstanding.has(name)) await this.#startPass();
  }

  /** Returns once every move that was carried out before is crossed out. */
  async finish(): Promise<void> {
    while (this.#pass !== undefined || this.#carriedOut.length > 0) await this.#startPass();
  }

  #startPass(): Promise<void> {
    this.#pass ??= this.#crossOut().finally(() => {
      this.#pass = undefined;
      if (this.#carriedOut.length > 0) this.#startPass().catch(() => undefined);
    });
    return this.#pass;
  }

  async #crossOut(): Promise<void> {
    const taken = this.#carriedOut;
    this.#carriedOut = [];
    try {
      const folders = new Set(taken.flatMap(({ outstanding }) => foldersOf(outstanding.moving.move)));
      for (const folder of folders) await this.#makeDurable(folder);
      await this.#index.finish(taken.map(({ outstanding }) => outstanding.moving.id));
    } catch (error) {
      this.#carriedOut.unshift(...taken);
      throw error;
    }
    for (const { name } of taken) this.#outstanding.delete(name);
  }

  async #carryOut(outstanding: Outstanding): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#perform(outstanding.moving.move);
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX || !isObstacle(error)) throw error;
        const { bring } = outstanding.moving.move;
        // The folder was removed between making it and moving the file into it: again. Else something is in the way.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' || bring === undefined) continue;
        if (await isEmptyFolderRemoved(join(this.#root, bring.to))) continue;
        outstanding.moving = await this.#index.divert(outstanding.moving);
      }
    }
  }

  async #perform({ bucket, retire, bring, drop = [] }: Move): Promise<void> {
    const at = (path: string) => join(this.#root, path);
    const pruned: string[] = [];
    // The last step of the two: when it is done, both are.
    const isBrought = bring !== undefined && !(await exists(at(bring.from)));
    if (!isBrought) {
      if (retire !== undefined) {
        await mkdir(dirname(at(retire.to)), { recursive: true, mode: 0o700 });
        await linkUnlessDone(at(retire.from), at(retire.to));
        if (retire.from !== bring?.to) {
          await remove(at(retire.from));
          pruned.push(retire.from);
        }
      }
      if (bring !== undefined) {
        await mkdir(dirname(at(bring.to)), { recursive: true, mode: 0o700 });
        await rename(at(bring.from), at(bring.to));
      }
    }
    for (const path of drop) {
      await remove(at(path));
      pruned.push(path);
    }
    for (const path of pruned) if (path.startsWith(`${bucket}/`)) await this.#prune(dirname(path), bucket);
  }

  /** Removes the folders that a removed file leaves empty, up to before the bucket's own. */
  async #prune(folder: string, bucket: string): Promise<void> {
    for (let path = folder; path !== bucket && path !== '.'; path = dirname(path)) {
      this.#durableFolders.delete(path);
      try {
        await rmdir(join(this.#root, path));
      } catch {
        // Not empty, or gone already.
        return;
      }
    }
  }

  /** Syncs a folder's entries, and its own name and those above it where nobody did yet. */
  async #makeDurable(folder: string): Promise<void> {
    const isThere = await syncIfThere(join(this.#root, folder));
    if (folder === '.') return;
    const parent = dirname(folder);
    // A folder that was pruned: that it is gone lies in the entries of the one above.
    if (!isThere) return this.#makeDurable(parent);
    if (this.#durableFolders.has(folder)) return;
    await this.#makeDurable(parent);
    if (this.#durableFolders.size >= DURABLE_FOLDERS_MAX) this.#durableFolders.clear();
    this.#durableFolders.add(folder);
  }
}

function foldersOf({ retire, bring, drop = [] }: Move): string[] {
  return [retire?.from, retire?.to, bring?.to, ...drop].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
}

/** Whether something on the way to the target is a file where a folder should be, or the other way round, or went away. */
function isObstacle(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ENOTDIR', 'EEXIST', 'EISDIR', 'ENOTEMPTY'].includes(code);
}

async function isEmptyFolderRemoved(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch {
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Gives the file a second name. Fine when it has it, or when there is no file: then somebody removed it from the disk. */
async function linkUnlessDone(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: it is a folder.
    if (code !== 'EEXIST' && code !== 'EPERM' && !isGone(error)) throw error;
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EISDIR' && code !== 'EPERM' && !isGone(error)) throw error;
  }
}

/** Whether an error says that there is no such file. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

async function syncIfThere(folder: string): Promise<boolean> {
  try {
    await syncFolder(folder);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Removes a folder and those in it that hold no file. */
export async function removeEmptyFolders(path: string): Promise<void> {
  // `rm` of a folder with files would remove them, so folders go one by one, innermost first.
  try {
    for (const entry of await readdir(path, { withFileTypes: true }))
      if (entry.isDirectory()) await removeEmptyFolders(join(path, entry.name));
    await rmdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && !isGone(error)) throw error;
  }
}
