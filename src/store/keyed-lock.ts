/**
 * One at a time for each name; different names do not wait for each other.
 */
export class KeyedLock {
  /** The end of the last work that was queued for a name. Names without work are not in it. */
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `work` after everything that was queued for `name` before. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name);
    const mine = before === undefined ? work() : before.then(work, work);
    this.#tails.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(name) === mine) this.#tails.delete(name);
    }
  }
}
