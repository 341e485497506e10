/**
 * The catalog in memory: the reference that other implementations are held against, and the simulation's catalog.
 */
import { type Catalog, type CatalogChange, CatalogConflict, type CatalogDocument, type CatalogKey } from '../catalog.ts';
import { decodeCatalogKey, encodeCatalogKey, encodeDocument } from '../catalog-key.ts';

interface Stored {
  readonly text: string;
  readonly version: number;
}

export function createMemoryCatalog(): Catalog {
  /** Documents by key as Latin-1 text of its bytes: text order is then byte order. */
  const documents = new Map<string, Stored>();
  const keyText = (key: CatalogKey) => encodeCatalogKey(key).toString('latin1');

  const open = <T>(text: string, { text: json, version }: Stored): CatalogDocument<T> => ({
    key: decodeCatalogKey(Buffer.from(text, 'latin1')),
    value: JSON.parse(json) as T,
    version,
  });

  return {
    get: async <T>(key: CatalogKey) => {
      const found = documents.get(keyText(key));
      return found === undefined ? undefined : open<T>(keyText(key), found);
    },
    list: async <T>(prefix: CatalogKey, options: { readonly after?: CatalogKey; readonly limit?: number } = {}) => {
      const begin = `${keyText(prefix)}\0`;
      const after = options.after === undefined ? '' : keyText(options.after);
      const keys = [...documents.keys()].filter((key) => key.startsWith(begin) && key > after).sort();
      return keys.slice(0, options.limit).map((key) => open<T>(key, documents.get(key)!));
    },
    commit: async (changes: readonly CatalogChange[]) => {
      const writes = changes.map((change) => ({ change, key: keyText(change.key), text: encodeDocument(change) }));
      for (const { change, key } of writes) {
        if (change.expected !== 'any' && change.expected !== (documents.get(key)?.version ?? 0)) throw new CatalogConflict(change.key);
      }
      for (const { key, text } of writes) {
        if (text === undefined) documents.delete(key);
        else documents.set(key, { text, version: (documents.get(key)?.version ?? 0) + 1 });
      }
    },
    close: async () => undefined,
  };
}
