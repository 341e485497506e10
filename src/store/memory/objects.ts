/**
 * Objects in memory: the reference that other stores are held against, and the simulation's bucket.
 */
import { createHash } from 'node:crypto';
import type { Chance, Clock } from '../clock.ts';
import { type Bodies, IndexedObjects, type IndexTransaction, type ObjectIndex } from '../indexed-objects.ts';
import type { Objects } from '../objects.ts';

export function createMemoryObjects(options: { readonly clock: Clock; readonly chance: Chance }): Objects {
  return new IndexedObjects({ index: new MemoryIndex(), bodies: createMemoryBodies(options.chance), ...options });
}

/** Keys as Latin-1 text, so that text order is byte order. */
class MemoryIndex implements ObjectIndex {
  readonly #documents = new Map<string, string>();
  /** Keys in order; made anew after a key came or went. */
  #sorted: string[] | undefined = [];

  async commit<T>(work: (transaction: IndexTransaction) => T): Promise<T> {
    return work({
      ...this.#reader(),
      put: (key, value) => {
        if (!this.#documents.has(key.toString('latin1'))) this.#sorted = undefined;
        this.#documents.set(key.toString('latin1'), JSON.stringify(value));
      },
      remove: (key) => {
        if (this.#documents.delete(key.toString('latin1'))) this.#sorted = undefined;
      },
    });
  }

  read<T>(work: (transaction: Pick<IndexTransaction, 'get' | 'range'>) => T): T {
    return work(this.#reader());
  }

  async close(): Promise<void> {
    this.#documents.clear();
    this.#sorted = [];
  }

  #reader(): Pick<IndexTransaction, 'get' | 'range'> {
    const parse = (text: string | undefined) => (text === undefined ? undefined : (JSON.parse(text) as unknown));
    return {
      get: (key) => parse(this.#documents.get(key.toString('latin1'))),
      range: (start, end) => this.#range(start.toString('latin1'), end.toString('latin1')),
    };
  }

  *#range(start: string, end: string): Iterable<{ key: Buffer; value: unknown }> {
    this.#sorted ??= [...this.#documents.keys()].sort();
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < start) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < sorted.length && sorted[index]! < end; index += 1) {
      yield { key: Buffer.from(sorted[index]!, 'latin1'), value: JSON.parse(this.#documents.get(sorted[index]!)!) as unknown };
    }
  }
}

function createMemoryBodies(chance: Chance): Bodies {
  const bodies = new Map<string, Uint8Array>();
  const stream = async function* (bytes: Uint8Array) {
    yield bytes;
  };
  return {
    stage: async (body) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      const bytes = new Uint8Array(Buffer.concat(chunks));
      const id = chance.uuid();
      bodies.set(id, bytes);
      const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex');
      return { id, sizeBytes: bytes.length, md5Hex: digest('md5'), sha256Hex: digest('sha256') };
    },
    readStaged: (id) => stream(bodies.get(id)!),
    discard: async (id) => void bodies.delete(id),
    isSafePath: () => true,
    place: async () => undefined,
    keep: async () => undefined,
    clear: async () => undefined,
    remove: async (_bucket, version) => void bodies.delete(version.bodyId),
    read: async (_bucket, version, range) => {
      const bytes = bodies.get(version.bodyId);
      return bytes === undefined ? undefined : stream(range === undefined ? bytes : bytes.subarray(range[0], range[1] + 1));
    },
    makeBucket: async () => undefined,
    removeBucket: async () => undefined,
    close: async () => bodies.clear(),
  };
}
