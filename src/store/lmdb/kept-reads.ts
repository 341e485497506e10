/**
 * What was read from the catalog, kept until a change of it begins: most calls ask for the same few documents.
 *
 * While a change is under way, whether a read sees it is known to the disk alone; so reads of what it touches are not kept then,
 * and nobody reads an older state after a newer one. What is kept is frozen, for all who ask get the same value.
 */
import type { CatalogKey } from '../catalog.ts';
import { freezeWhole } from '../catalog-rules.ts';

/** All together, and one of them; as bytes on the disk. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;
const READ_BYTES_MAX = 256 * 1024;
/** About what a name and its place cost beside the documents. */
const NAME_BYTES = 200;

/** One read: of a document, or of all below a prefix. Its key is one that `encodeCatalogKey` takes: with a NUL in a part it could be another's. */
export interface ReadName {
  readonly kind: 'get' | 'list';
  readonly key: CatalogKey;
}

/** What the disk gave, and how many bytes it was. */
export interface FromDisk {
  readonly value: unknown;
  readonly bytes: number;
}

export class KeptReads {
  /** The one that was asked for longest ago first. */
  readonly #kept = new Map<string, FromDisk>();
  #bytes = 0;
  /** How many changes under way touch a read. */
  readonly #changing = new Map<string, number>();

  /** What is kept, or what `fromDisk` gives; `fromDisk` reads at once. */
  read({ kind, key }: ReadName, fromDisk: () => FromDisk): unknown {
    const name = nameOf(kind, key);
    const kept = this.#kept.get(name);
    if (kept !== undefined) {
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept.value;
    }
    const found = fromDisk();
    if (found.bytes <= READ_BYTES_MAX && !this.#changing.has(name)) this.#keep(name, { ...found, bytes: found.bytes + NAME_BYTES });
    return found.value;
  }

  /** Forgets what a change touches. @returns what is called when the change has ended, done or not */
  change(keys: readonly CatalogKey[]): () => void {
    const names = new Set(keys.flatMap((key) => [nameOf('get', key), ...key.map((_, at) => nameOf('list', key.slice(0, at + 1)))]));
    for (const name of names) {
      this.#forget(name);
      this.#changing.set(name, (this.#changing.get(name) ?? 0) + 1);
    }
    return () => {
      for (const name of names) {
        const others = this.#changing.get(name)! - 1;
        if (others === 0) this.#changing.delete(name);
        else this.#changing.set(name, others);
      }
    };
  }

  #keep(name: string, found: FromDisk): void {
    freezeWhole(found.value);
    this.#kept.set(name, found);
    this.#bytes += found.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX) return;
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    this.#bytes -= this.#kept.get(name)?.bytes ?? 0;
    this.#kept.delete(name);
  }
}

function nameOf(kind: ReadName['kind'], key: readonly string[]): string {
  return `${kind}\0${key.join('\0')}`;
}
