/**
 * The catalog of an installation whose data contradict each other (F46): it stays as it is.
 *
 * What it says belongs to the journal that is to be put back. A change that was made over an older journal would be
 * counted, or taken for done, beside that.
 */
import type { Catalog } from '../store/catalog.ts';
import { JournalReadOnly } from '../store/journal.ts';

/** Refuses every change, as the journal refuses every entry. @param reason What contradicts, and what to do. */
export function readOnlyCatalog(catalog: Catalog, reason: string): Catalog {
  return withCommit(catalog, () => Promise.reject(new JournalReadOnly(reason)));
}

/**
 * Lets followers go on in memory alone, so that what the journal holds can be looked up: what they save is forgotten, and the next
 * start goes on where the catalog says.
 */
export function forgetfulCatalog(catalog: Catalog): Catalog {
  return withCommit(catalog, () => Promise.resolve());
}

function withCommit(catalog: Catalog, commit: Catalog['commit']): Catalog {
  return { commit, get: (key) => catalog.get(key), list: (prefix, options) => catalog.list(prefix, options), close: () => catalog.close() };
}
