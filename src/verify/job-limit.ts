/**
 * Runs work side by side within limits: so many at once, and so many bytes at once.
 */
export class JobLimit {
  readonly #jobsMax: number;
  readonly #bytesMax: number;
  /** Work that is running, and the bytes it holds. */
  #jobs = 0;
  #bytes = 0;
  /** Work that waits for room, first come first served. */
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = [];
  /** Pieces of work that were handed over by `add` and are not done. */
  #added = 0;
  /** The first failure of one of them. */
  #failure: { readonly error: unknown } | undefined;
  /** Called when a piece of work that was added is done. */
  readonly #watchers: (() => void)[] = [];

  constructor(jobsMax: number, bytesMax: number) {
    this.#jobsMax = Math.max(1, jobsMax);
    this.#bytesMax = bytesMax;
  }

  /** Runs `work` as soon as there is room. One that is larger than the limit runs alone. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#hasRoom(bytes)) {
      await new Promise<void>((begin) => this.#waiting.push({ bytes, begin }));
    } else this.#enter(bytes);
    try {
      return await work();
    } finally {
      this.#jobs--;
      this.#bytes -= bytes;
      while (this.#waiting.length > 0 && this.#hasRoom(this.#waiting[0]!.bytes)) {
        const next = this.#waiting.shift()!;
        this.#enter(next.bytes);
        next.begin();
      }
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#jobs === 0 || (this.#jobs < this.#jobsMax && this.#bytes + bytes <= this.#bytesMax);
  }

  #enter(bytes: number): void {
    this.#jobs++;
    this.#bytes += bytes;
  }

  /**
   * Hands work over without waiting for its end; resolves when there is room for more, so that a long list of work
   * never lies in memory.
   * @throws what earlier work threw
   */
  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    this.#added++;
    void this.run(bytes, work)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#added--;
        for (const wake of this.#watchers.splice(0)) wake();
      });
    await this.#until(2 * this.#jobsMax - 1);
  }

  /** Resolves when all that was added is done. @throws what any of it threw */
  done(): Promise<void> {
    return this.#until(0);
  }

  /** Waits until at most `count` pieces of added work are not done. */
  async #until(count: number): Promise<void> {
    while (this.#added > count && this.#failure === undefined) await new Promise<void>((wake) => this.#watchers.push(wake));
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/**
 * Does `work` for each item, up to `ahead` of them at once, and gives the results in the order of the items.
 */
export async function* inOrder<Item, T>(items: Iterable<Item>, ahead: number, work: (item: Item) => Promise<T>): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  for (const item of items) {
    const started = work(item);
    // It is awaited below, maybe much later: until then a failure must not count as unhandled.
    started.catch(() => undefined);
    running.push(started);
    if (running.length >= Math.max(1, ahead)) yield await running.shift()!;
  }
  while (running.length > 0) yield await running.shift()!;
}
