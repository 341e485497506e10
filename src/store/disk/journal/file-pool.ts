/**
 * Open files of sealed segments, as many as stay open at once: a journal may have thousands of segments, a process may
 * not have thousands of files.
 */
import type { Files, OpenFile } from '../files.ts';

interface Pooled {
  readonly opening: Promise<OpenFile>;
  users: number;
}

export class FilePool {
  readonly #files: Files;
  readonly #openMax: number;
  /** In order of use, oldest first. */
  readonly #open = new Map<string, Pooled>();

  constructor(files: Files, openMax: number) {
    this.#files = files;
    this.#openMax = openMax;
  }

  /** Runs `work` with the file open for reading. */
  async use<T>(path: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const held = this.#open.get(path);
    const pooled = held ?? { opening: this.#files.open(path, 'read'), users: 0 };
    this.#open.delete(path);
    this.#open.set(path, pooled);
    pooled.users += 1;
    // A file that could not be opened is tried again by the next caller.
    pooled.opening.catch(() => this.#open.delete(path));
    try {
      return await work(await pooled.opening);
    } finally {
      pooled.users -= 1;
      await this.#closeSpare();
    }
  }

  /** Closes a file, so that it is opened anew the next time. */
  async forget(path: string): Promise<void> {
    const pooled = this.#open.get(path);
    this.#open.delete(path);
    if (pooled === undefined) return;
    const file = await pooled.opening.catch(() => undefined);
    await file?.close();
  }

  async close(): Promise<void> {
    for (const path of [...this.#open.keys()]) await this.forget(path);
  }

  async #closeSpare(): Promise<void> {
    for (const [path, { users }] of this.#open) {
      if (this.#open.size <= this.#openMax) return;
      if (users === 0) await this.forget(path);
    }
  }
}
