/**
 * The catalog on LMDB: one table of documents, `version NUL json` under the joined key.
 *
 * A commit is one durable transaction that checks every version first; commits that are asked for at once share a sync.
 * `list` reads one snapshot, at once and without waiting. What was read is kept until a change of it begins (`kept-reads.ts`).
 */
import { type Catalog, CatalogConflict, type CatalogDocument, type CatalogKey } from '../catalog.ts';
import { decodeCatalogKey, encodeCatalogKey, encodeChanges } from '../catalog-rules.ts';
import { DurableLmdb } from './durable-lmdb.ts';
import { KeptReads } from './kept-reads.ts';

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
  const reads = new KeptReads();

  function range(first: Buffer, { after, limit }: { readonly after?: CatalogKey; readonly limit?: number } = {}) {
    // A key that goes on after the prefix has a NUL there; anything else that begins alike is greater than this end.
    const end = Buffer.concat([first, Buffer.of(1)]);
    // Nothing lies between a key and the same key with a NUL more.
    const afterFirst = after && Buffer.concat([encodeCatalogKey(after), Buffer.of(0)]);
    const start = afterFirst !== undefined && Buffer.compare(afterFirst, first) > 0 ? afterFirst : first;
    const value: CatalogDocument<unknown>[] = [];
    let bytes = 0;
    for (const found of documents.getRange({ start, end, ...(limit === undefined ? {} : { limit }) })) {
      bytes += found.key.length + found.value.length;
      value.push(decode(decodeCatalogKey(found.key), found.value));
    }
    return { value, bytes };
  }

  return {
    async get<T>(key: CatalogKey) {
      const keyBytes = encodeCatalogKey(key);
      const read = () => {
        const bytes = documents.get(keyBytes);
        return { value: bytes && decode([...key], bytes), bytes: bytes?.length ?? 0 };
      };
      return reads.read({ kind: 'get', key }, read) as CatalogDocument<T> | undefined;
    },

    async list<T>(prefix: CatalogKey, options: { readonly after?: CatalogKey; readonly limit?: number } = {}) {
      const first = encodeCatalogKey(prefix);
      const isPart = options.after !== undefined || options.limit !== undefined;
      const found = isPart ? range(first, options).value : reads.read({ kind: 'list', key: prefix }, () => range(first));
      return found as readonly CatalogDocument<T>[];
    },

    async commit(changes) {
      const encoded = encodeChanges(changes);
      const ended = reads.change(changes.map(({ key }) => key));
      const transaction = lmdb.transact(() => {
        const versions = encoded.map(({ keyBytes }) => versionOf(documents.get(keyBytes)));
        const at = encoded.findIndex(({ expected }, index) => expected !== 'any' && expected !== versions[index]);
        if (at >= 0) return encoded[at]!.key;
        for (const [index, { keyBytes, text }] of encoded.entries()) {
          if (text === undefined) void documents.remove(keyBytes);
          else void documents.put(keyBytes, Buffer.from(`${versions[index]! + 1}\0${text}`));
        }
        return undefined;
      });
      const conflict = await transaction.finally(ended);
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
