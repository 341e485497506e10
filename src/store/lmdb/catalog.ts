/**
 * The catalog in an LMDB file: the embedded default.
 *
 * Commits that are under way at the same time share one transaction and one sync. `overlappingSync` is off, so a commit
 * resolves only after its pages were synced to disk.
 */
import { mkdir } from 'node:fs/promises';
import { open, type RootDatabase } from 'lmdb';
import { type Catalog, type CatalogChange, CatalogConflict, type CatalogDocument, type CatalogKey } from '../catalog.ts';
import { decodeCatalogKey, encodeCatalogKey, encodeDocument } from '../catalog-key.ts';

/** As it lies in the file: version, then the document's JSON text. */
type Stored = string;

/**
 * Opens the catalog of a folder, making it when it is missing.
 * @param options.folder Trusted: who can write there can change every setting.
 */
export async function openLmdbCatalog(options: { readonly folder: string }): Promise<Catalog> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const database: RootDatabase<Stored, Buffer> = open({
    path: options.folder,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'string',
    overlappingSync: false,
    // Reads follow our own commits at once; the file grows by itself.
    cache: false,
  });
  return new LmdbCatalog(database);
}

class LmdbCatalog implements Catalog {
  readonly #database: RootDatabase<Stored, Buffer>;

  constructor(database: RootDatabase<Stored, Buffer>) {
    this.#database = database;
  }

  async get<T>(key: CatalogKey): Promise<CatalogDocument<T> | undefined> {
    const stored = this.#database.get(encodeCatalogKey(key));
    return stored === undefined ? undefined : decode<T>(key, stored);
  }

  async list<T>(
    prefix: CatalogKey,
    options: { readonly after?: CatalogKey; readonly limit?: number } = {},
  ): Promise<readonly CatalogDocument<T>[]> {
    const begin = encodeCatalogKey(prefix);
    const first = Buffer.concat([begin, Buffer.from([0])]);
    const last = Buffer.concat([begin, Buffer.from([1])]);
    const after = options.after === undefined ? undefined : Buffer.concat([encodeCatalogKey(options.after), Buffer.from([0])]);
    const start = after !== undefined && Buffer.compare(after, first) > 0 ? after : first;
    const found: CatalogDocument<T>[] = [];
    // One synchronous walk, hence one snapshot.
    for (const { key, value } of this.#database.getRange({
      start,
      end: last,
      ...(options.limit === undefined ? {} : { limit: options.limit }),
    })) {
      found.push(decode<T>(decodeCatalogKey(Buffer.from(key)), value));
    }
    return found;
  }

  async commit(changes: readonly CatalogChange[]): Promise<void> {
    const writes = changes.map((change) => ({ change, key: encodeCatalogKey(change.key), text: encodeDocument(change) }));
    const conflict = await this.#database.transaction(() => {
      // All versions are compared before anything is written: a conflict leaves nothing to undo.
      for (const { change, key } of writes) {
        if (change.expected !== 'any' && change.expected !== this.#versionOf(key)) return change.key;
      }
      for (const { key, text } of writes) {
        if (text === undefined) void this.#database.remove(key);
        else void this.#database.put(key, `${this.#versionOf(key) + 1}\n${text}`);
      }
      return undefined;
    });
    if (conflict !== undefined) throw new CatalogConflict(conflict);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #versionOf(key: Buffer): number {
    const stored = this.#database.get(key);
    return stored === undefined ? 0 : Number(stored.slice(0, stored.indexOf('\n')));
  }
}

function decode<T>(key: CatalogKey, stored: Stored): CatalogDocument<T> {
  const split = stored.indexOf('\n');
  return { key, value: JSON.parse(stored.slice(split + 1)) as T, version: Number(stored.slice(0, split)) };
}
