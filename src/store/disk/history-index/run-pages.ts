/**
 * Reads pages of run data: checked once, kept a while.
 *
 * One cache serves all runs of an index. A page is checked against its CRC-32 when it is read from disk, so whatever is
 * answered from was written here. Reads are plain positioned reads and not mappings: a device error is an exception
 * here, not a signal.
 */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { PAGE_BYTES, RunDamaged } from './run-directory.ts';

/** The pages used last, of all runs. */
export class PageCache {
  readonly #pagesMax: number;
  /** Least recently used first. Keys are run number · 2^20 + page. */
  readonly #pages = new Map<number, Buffer>();
  #runs = 0;

  constructor(bytesMax: number) {
    this.#pagesMax = Math.max(8, Math.floor(bytesMax / PAGE_BYTES));
  }

  /** A number for a run that has just been opened. */
  nextRun(): number {
    this.#runs += 1;
    return this.#runs;
  }

  get(key: number): Buffer | undefined {
    const page = this.#pages.get(key);
    if (page !== undefined) {
      this.#pages.delete(key);
      this.#pages.set(key, page);
    }
    return page;
  }

  put(key: number, page: Buffer): void {
    this.#pages.set(key, page);
    if (this.#pages.size > this.#pagesMax) this.#pages.delete(this.#pages.keys().next().value!);
  }
}

/** The data of one run. */
export class RunPages {
  readonly #name: string;
  readonly #file: number;
  readonly #dataBytes: number;
  readonly #crcs: Uint32Array;
  readonly #cache: PageCache;
  readonly #keyBase: number;
  /** The page used last: most reads follow each other closely. */
  #lastPage = -1;
  #last: Buffer = Buffer.alloc(0);

  constructor(name: string, file: number, dataBytes: number, crcs: Uint32Array, cache: PageCache) {
    this.#name = name;
    this.#file = file;
    this.#dataBytes = dataBytes;
    this.#crcs = crcs;
    this.#cache = cache;
    this.#keyBase = cache.nextRun() * 2 ** 20;
  }

  /**
   * `length` bytes at `offset`. A view into a page where it can be; not to be changed.
   * @throws RunDamaged when they cannot be read or are not what was written.
   */
  read(offset: number, length: number): Buffer {
    const first = Math.floor(offset / PAGE_BYTES);
    const within = offset - first * PAGE_BYTES;
    if (offset + length > this.#dataBytes) throw new RunDamaged(this.#name, `it points past its end, at ${offset} + ${length}`);
    if (within + length <= PAGE_BYTES) return this.#page(first).subarray(within, within + length);
    const joined = Buffer.allocUnsafe(length);
    let done = 0;
    for (let page = first; done < length; page += 1) {
      const from = page === first ? within : 0;
      done += this.#page(page).copy(joined, done, from, Math.min(PAGE_BYTES, from + length - done));
    }
    return joined;
  }

  #page(page: number): Buffer {
    if (page === this.#lastPage) return this.#last;
    const key = this.#keyBase + page;
    let bytes = this.#cache.get(key);
    if (bytes === undefined) {
      bytes = this.#load(page);
      this.#cache.put(key, bytes);
    }
    this.#lastPage = page;
    this.#last = bytes;
    return bytes;
  }

  #load(page: number): Buffer {
    const length = Math.min(PAGE_BYTES, this.#dataBytes - page * PAGE_BYTES);
    const bytes = Buffer.allocUnsafeSlow(length);
    try {
      for (let at = 0; at < length; ) {
        const count = readSync(this.#file, bytes, at, length - at, page * PAGE_BYTES + at);
        if (count === 0) throw new RunDamaged(this.#name, `its data ends before page ${page} does`);
        at += count;
      }
    } catch (cause) {
      if (cause instanceof RunDamaged) throw cause;
      throw new RunDamaged(this.#name, `page ${page} cannot be read: ${(cause as Error).message}`, { cause });
    }
    if (crc32(bytes) !== this.#crcs[page]) throw new RunDamaged(this.#name, `page ${page} fails its CRC-32`);
    return bytes;
  }
}
