/**
 * The catalog in memory: the reference for every other implementation, and what simulations run on.
 *
 * A document is kept as its JSON text, so that what was written stays its writer's; what is read is frozen.
 */
import { type Catalog, CatalogConflict, type CatalogDocument, type CatalogKey } from '../catalog.ts';
import { encodeCatalogKey, encodeChanges, freezeWhole } from '../catalog-rules.ts';

interface Stored {
  readonly key: CatalogKey;
  readonly keyBytes: Buffer;
  readonly text: string;
  readonly version: number;
}

/** Makes an empty catalog. */
export function createMemoryCatalog(): Catalog {
  const documents = new Map<string, Stored>();
  let isClosed = false;

  function requireOpen(): void {
    if (isClosed) throw new Error('the catalog is closed');
  }

  return {
    async get<T>(key: CatalogKey) {
      requireOpen();
      const found = documents.get(nameOf(encodeCatalogKey(key)));
      return found && (documentOf(found) as CatalogDocument<T>);
    },

    async list<T>(prefix: CatalogKey, options: { readonly after?: CatalogKey; readonly limit?: number } = {}) {
      requireOpen();
      const from = encodeCatalogKey(prefix);
      const after = options.after && encodeCatalogKey(options.after);
      const found = [...documents.values()]
        .filter(({ keyBytes }) => isBelow(keyBytes, from) && (after === undefined || Buffer.compare(keyBytes, after) > 0))
        .sort((one, other) => Buffer.compare(one.keyBytes, other.keyBytes));
      return found.slice(0, options.limit).map((stored) => documentOf(stored) as CatalogDocument<T>);
    },

    async commit(changes) {
      requireOpen();
      const encoded = encodeChanges(changes);
      const versionOf = (keyBytes: Buffer) => documents.get(nameOf(keyBytes))?.version ?? 0;
      for (const { key, keyBytes, expected } of encoded) {
        if (expected !== 'any' && expected !== versionOf(keyBytes)) throw new CatalogConflict(key);
      }
      for (const { key, keyBytes, text } of encoded) {
        if (text === undefined) documents.delete(nameOf(keyBytes));
        else documents.set(nameOf(keyBytes), { key: [...key], keyBytes, text, version: versionOf(keyBytes) + 1 });
      }
    },

    async close() {
      isClosed = true;
    },
  };
}

function nameOf(keyBytes: Buffer): string {
  return keyBytes.toString('latin1');
}

function documentOf({ key, text, version }: Stored): CatalogDocument<unknown> {
  const document = { key, value: JSON.parse(text) as unknown, version };
  freezeWhole(document);
  return document;
}

/** Whether the key is the prefix itself, or goes on after it with further parts. */
function isBelow(key: Buffer, prefix: Buffer): boolean {
  return key.subarray(0, prefix.length).equals(prefix) && (key.length === prefix.length || key[prefix.length] === 0);
}
