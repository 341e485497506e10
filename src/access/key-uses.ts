/**
 * When and where the keys of users were used last.
 *
 * Kept in memory, and in the catalog at most once a minute for each key: it is a hint for people who look for keys that nobody
 * needs, and a crash may lose the last minute of it. What was done with a key is in the record.
 * Source: IAM API Reference, "GetAccessKeyLastUsed".
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import type { Catalog, CatalogKey } from '../store/catalog.ts';

export interface KeyUse {
  readonly atMs: EpochMs;
  /** Such as `cloudtrail`. */
  readonly service: string;
  readonly region: Region;
}

/** How long a use may wait for the catalog. */
const SAVE_EVERY_MS = 60_000;

export class KeyUses {
  readonly #catalog: Catalog;
  /** Newest use of each key that was used since the start, and when one was saved last. Keys exist, so there are not too many. */
  readonly #newest = new Map<string, { readonly use: KeyUse; readonly savedAtMs: EpochMs }>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Notes a use. Never fails: what cannot be saved now is saved with a later use. */
  note(account: AccountId, accessKeyId: string, use: KeyUse): void {
    const savedAtMs = this.#newest.get(accessKeyId)?.savedAtMs ?? Number.NEGATIVE_INFINITY;
    const isDue = use.atMs - savedAtMs >= SAVE_EVERY_MS;
    this.#newest.set(accessKeyId, { use, savedAtMs: isDue ? use.atMs : savedAtMs });
    if (!isDue) return;
    this.#catalog
      .commit([{ key: keyUseKey(account, accessKeyId), value: use, expected: 'any' }])
      .catch(() => this.#newest.set(accessKeyId, { use, savedAtMs: Number.NEGATIVE_INFINITY }));
  }

  /** `undefined` when the key was never used. */
  async last(account: AccountId, accessKeyId: string): Promise<KeyUse | undefined> {
    const newest = this.#newest.get(accessKeyId)?.use;
    return newest ?? (await this.#catalog.get<KeyUse>(keyUseKey(account, accessKeyId)))?.value;
  }

  /** Forgets a key that is gone. */
  forget(accessKeyId: string): void {
    this.#newest.delete(accessKeyId);
  }
}

/** Where the last use of a key is kept; deleted with the key. */
export function keyUseKey(account: AccountId, accessKeyId: string): CatalogKey {
  return ['access-key-use', account, accessKeyId];
}
