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
  /** Work that was handed over by `add` and is not done. */
  readonly #added = new Set<Promise<void>>();

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
   * never lies in memory. A failure shows in the next `add` or in `done`.
   */
  async add(bytes: number, work: () => Promise<void>): Promise<void> {
    const running = this.run(bytes, work).finally(() => this.#added.delete(running));
    // `done` waits for it as well: until then a failure must not count as unhandled.
    running.catch(() => undefined);
    this.#added.add(running);
    while (this.#added.size >= 2 * this.#jobsMax) await Promise.race(this.#added);
  }

  /** Resolves when all that was added is done. @throws what any of it threw */
  async done(): Promise<void> {
    while (this.#added.size > 0) await Promise.all(this.#added);
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
