/**
 * The catalog: small documents with compare-and-set. Accounts, keys, trails, cursors, jobs.
 *
 * Promises, for every implementation (`test/stores/catalog.contract.ts`):
 * - `commit` applies all changes or none, and returns when they would survive a power cut.
 * - A change names the version that it replaces; when another came first, nothing is applied and it says so.
 * - `list` gives documents in the order of their keys, as one snapshot.
 * - What is given cannot be changed by who gets it, for another may hold the same.
 * - A commit that has returned is seen by every read that begins later.
 *
 * The tenant is in every key: `['trail', account, …]`. A key part is 1 to 512 bytes and holds no NUL.
 */
import type { Json } from '../event/types.ts';

export type CatalogKey = readonly [kind: string, ...parts: string[]];

export interface CatalogDocument<T> {
  readonly key: CatalogKey;
  readonly value: T;
  /** Counts from 1; each change adds 1. */
  readonly version: number;
}

export interface CatalogChange {
  readonly key: CatalogKey;
  /** The new document (JSON; at most 1 MiB as text), or `undefined` to delete it. */
  readonly value: Json | object | undefined;
  /** Version that is replaced: `0` = the document must not exist; `'any'` = whatever is there. */
  readonly expected: number | 'any';
}

export interface Catalog {
  get<T>(key: CatalogKey): Promise<CatalogDocument<T> | undefined>;
  /** Documents whose key begins with all of `prefix`'s parts, ordered by key. */
  list<T>(prefix: CatalogKey, options?: { readonly after?: CatalogKey; readonly limit?: number }): Promise<readonly CatalogDocument<T>[]>;
  /** @throws CatalogConflict when a version did not match; nothing was applied. */
  commit(changes: readonly CatalogChange[]): Promise<void>;
  close(): Promise<void>;
}

/** Another change came first. The caller reads again and decides anew. */
export class CatalogConflict extends Error {
  override readonly name = 'CatalogConflict';
  readonly key: CatalogKey;

  constructor(key: CatalogKey) {
    super(`document ${JSON.stringify(key)} was changed by someone else meanwhile; read it again`);
    this.key = key;
  }
}
