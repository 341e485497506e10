/**
 * The catalog on LMDB: one table of documents, `version NUL json` under the joined key.
 *
 * A commit is one durable transaction that checks every version first; commits that are asked for at once share a sync.
 * `list` reads one snapshot, at once and without waiting.
 */
import { type Catalog, CatalogConflict, type CatalogDocument, type CatalogKey } from '../catalog.ts';
import { decodeCatalogKey, encodeCatalogKey, encodeChanges } from '../catalog-rules.ts';
import { DurableLmdb } from './durable-lmdb.ts';

export interface LmdbCatalogOptions {
  /** Made when it is missing. One process uses it at a time; the data directory's lock sees to that. */
  readonly folder: string;
}

export interface LmdbCatalog extends Catalog {
  /** Why nothing is taken any more; `undefined` while the device works. */
  failure(): Error | undefined;
}

/**
 * Opens the catalog of a data directory.
 *
 * `commit` throws LmdbFull when the disk is full (nothing was applied, it may be tried again) and LmdbFailed when the
 * device failed (nothing more is taken).
 */
export async function openLmdbCatalog(options: LmdbCatalogOptions): Promise<LmdbCatalog> {
  const lmdb = await DurableLmdb.open(options.folder);
  const documents = lmdb.table('documents');

  return {
    async get<T>(key: CatalogKey) {
      const bytes = documents.get(encodeCatalogKey(key));
      return bytes && (decode(key, bytes) as CatalogDocument<T>);
    },

    async list<T>(prefix: CatalogKey, { after, limit }: { readonly after?: CatalogKey; readonly limit?: number } = {}) {
      const first = encodeCatalogKey(prefix);
      // A key that goes on after the prefix has a NUL there; anything else that begins alike is greater than this end.
      const end = Buffer.concat([first, Buffer.of(1)]);
      // Nothing lies between a key and the same key with a NUL more.
      const afterFirst = after && Buffer.concat([encodeCatalogKey(after), Buffer.of(0)]);
      const start = afterFirst !== undefined && Buffer.compare(afterFirst, first) > 0 ? afterFirst : first;
      const found: CatalogDocument<T>[] = [];
      for (const { key, value } of documents.getRange({ start, end, ...(limit === undefined ? {} : { limit }) }))
        found.push(decode(decodeCatalogKey(key), value) as CatalogDocument<T>);
      return found;
    },

    async commit(changes) {
      const encoded = encodeChanges(changes);
      const conflict = await lmdb.transact(() => {
        const versions = encoded.map(({ keyBytes }) => versionOf(documents.get(keyBytes)));
        const at = encoded.findIndex(({ expected }, index) => expected !== 'any' && expected !== versions[index]);
        if (at >= 0) return encoded[at]!.key;
        for (const [index, { keyBytes, text }] of encoded.entries()) {
          if (text === undefined) void documents.remove(keyBytes);
          else void documents.put(keyBytes, Buffer.from(`${versions[index]! + 1}\0${text}`));
        }
        return undefined;
      });
      if (conflict !== undefined) throw new CatalogConflict(conflict);
    },

    failure: () => lmdb.failure(),
    close: () => lmdb.close(),
  };
}

function versionOf(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : Number(Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString('latin1'));
}

function decode(key: CatalogKey, bytes: Uint8Array): CatalogDocument<unknown> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const at = text.indexOf('\0');
  return { key, value: JSON.parse(text.slice(at + 1)), version: Number(text.slice(0, at)) };
}
