/**
 * The beginning of a piece whose end has not arrived: views of chunks, joined only when the piece spans several.
 *
 * Beyond the limit it keeps the count and drops the bytes, so that an endless piece costs no memory.
 */
export class PendingBytes {
  readonly #sizeMax: number;
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  /** @param sizeMax Most bytes that are kept. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Bytes added since the last `take`, dropped ones included. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Adds a view. It is not copied: its owner must not change it. */
  add(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#sizeBytes += part.length;
    if (this.#sizeBytes > this.#sizeMax) this.#parts = [];
    else this.#parts.push(part);
  }

  /** All bytes added, as one view where they lie in one chunk; `undefined` when they were too many. Begins anew. */
  take(): Uint8Array | undefined {
    const parts = this.#parts;
    const sizeBytes = this.#sizeBytes;
    this.#parts = [];
    this.#sizeBytes = 0;
    if (sizeBytes > this.#sizeMax) return undefined;
    if (parts.length === 1) return parts[0]!;
    const joined = new Uint8Array(sizeBytes);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}
