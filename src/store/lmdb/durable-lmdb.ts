/**
 * One LMDB environment with durable transactions: what `transact` resolved with would survive a power cut.
 *
 * LMDB syncs its data pages before the page that refers to them, so a crash leaves the last whole transaction. We use it
 * with `overlappingSync` off: then lmdb-js resolves a transaction after that sync (with it on, before). Transactions that
 * are asked for while one is being synced share the next one. They run one after the other on the main thread, in the
 * order they were asked for.
 *
 * Refuses to go on after the device failed: a later sync proves nothing about earlier writes (P7). A full disk is not
 * such a failure: LMDB drops the transaction, and the next one may succeed (P9).
 */
import { mkdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { syncFolder } from '../disk/sync-folder.ts';

/** A table: keys and values are bytes, ordered by the keys' bytes. */
export type LmdbTable = Database<Uint8Array, Uint8Array>;

/** The transaction was dropped: the disk is full. It may be tried again later. */
export class LmdbFull extends Error {
  override readonly name = 'LmdbFull';
}

/** The device failed, now or before. The process must start anew from what is on the disk. */
export class LmdbFailed extends Error {
  override readonly name = 'LmdbFailed';
}

/** With less than this left a failed write is taken for a full disk: LMDB reports both in the same words. */
const FULL_BELOW_BYTES = 4 * 1024 * 1024;

export class DurableLmdb {
  readonly #folder: string;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  /** Set once, by the first transaction that the device refused. */
  #failure: LmdbFailed | undefined;
  #isClosing = false;
  /** Transactions that have not settled. */
  readonly #underWay = new Set<Promise<unknown>>();

  /** @param folder Made when it is missing; holds nothing else. One process uses it at a time. */
  static async open(folder: string): Promise<DurableLmdb> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const root = open<Uint8Array, Uint8Array>({
      path: folder,
      // A folder, whatever its name looks like.
      noSubdir: false,
      overlappingSync: false,
      // On, it makes a promise of its own for each batch, and nobody could handle its rejection.
      eventTurnBatching: false,
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    await syncFolder(folder);
    await syncFolder(dirname(folder));
    return new DurableLmdb(folder, root);
  }

  private constructor(folder: string, root: RootDatabase<Uint8Array, Uint8Array>) {
    this.#folder = folder;
    this.#root = root;
  }

  table(name: string): LmdbTable {
    return this.#root.openDB<Uint8Array, Uint8Array>({ name, encoding: 'binary', keyEncoding: 'binary' });
  }

  /**
   * Runs `change` in a transaction; its reads see what is committed and its own writes.
   * INVARIANT: `change` throws before its first write or not at all: what it wrote stays in the transaction.
   *
   * @returns What `change` returned, once it is durable.
   * @throws LmdbFull | LmdbFailed, and whatever `change` throws.
   */
  async transact<T>(change: () => T): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosing) throw new LmdbFailed(`\`${this.#folder}\` is closed`);
    const transaction = this.#root.transaction(change);
    this.#underWay.add(transaction);
    try {
      return await transaction;
    } catch (error) {
      const commitError = (error as { commitError?: PromiseLike<unknown> }).commitError;
      if (commitError === undefined) throw error;
      const cause = await commitError.then(
        () => error,
        (reason: unknown) => reason,
      );
      if (await this.#isDiskFull()) throw new LmdbFull(`the disk of \`${this.#folder}\` is full; free some space`, { cause });
      this.#failure ??= new LmdbFailed(`\`${this.#folder}\` cannot be written; the server must start anew`, { cause });
      throw this.#failure;
    } finally {
      this.#underWay.delete(transaction);
    }
  }

  /** Why nothing is taken any more; `undefined` while the device works. */
  failure(): LmdbFailed | undefined {
    return this.#failure;
  }

  /** Waits for transactions under way, and takes no more: lmdb-js never ends closing while transactions go on. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#underWay);
    await this.#root.close();
  }

  async #isDiskFull(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize < FULL_BELOW_BYTES;
  }
}
