/**
 * The blocks of sealed segments that were read last, inflated, up to a number of bytes.
 *
 * A block that is being read is in it as well, so that a hundred readers of one block read it once.
 */
export class BlockCache<Block extends { readonly costBytes: number }> {
  readonly #bytesMax: number;
  /** In order of use, oldest first. Keys are unique across all segments. */
  readonly #blocks = new Map<number, { readonly block: Promise<Block>; costBytes: number }>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The block, from memory or by `read`. A failure isn't kept: the next caller tries again. */
  get(key: number, read: () => Promise<Block>): Promise<Block> {
    const held = this.#blocks.get(key);
    if (held !== undefined) {
      this.#blocks.delete(key);
      this.#blocks.set(key, held);
      return held.block;
    }
    const block = read();
    const slot = { block, costBytes: 0 };
    this.#blocks.set(key, slot);
    void block.then(
      ({ costBytes }) => {
        if (this.#blocks.get(key) !== slot) return;
        slot.costBytes = costBytes;
        this.#bytes += costBytes;
        this.#evict();
      },
      () => this.#drop(key, slot),
    );
    return block;
  }

  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
  }

  #drop(key: number, slot: object): void {
    if (this.#blocks.get(key) === slot) this.#blocks.delete(key);
  }

  #evict(): void {
    for (const [key, { costBytes }] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#blocks.delete(key);
      this.#bytes -= costBytes;
    }
  }
}
