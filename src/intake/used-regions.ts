/**
 * Which Regions an account has used: a Region exists for it from its first signed request or accepted event there.
 *
 * Saved in the catalog before the event is appended, so whoever finds the event in the journal finds its Region, too; a
 * multi-Region trail begins its digest chain there (DESIGN §6). Each Region costs such a trail a digest in every interval,
 * for ever: hence at most 64 of them for an account (AWS has fewer). What comes from further ones is recorded and delivered
 * all the same.
 *
 * When the event is then refused, since the journal is full, the Region stays: the other order would leave an event whose Region nobody
 * knows. Where the journal is only read (F46), nothing is saved (`server/read-only-catalog.ts`).
 */
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import { type Catalog, CatalogConflict } from '../store/catalog.ts';
import { KeyedLock } from '../store/keyed-lock.ts';

/** Most Regions that exist for one account. */
export const USED_REGIONS_MAX = 64;

/** The document at `['region', account, region]`. */
export interface UsedRegion {
  /** When the account came here first. */
  readonly usedAtMs: EpochMs;
}

export class UsedRegions {
  readonly #catalog: Pick<Catalog, 'commit' | 'list'>;
  /** Regions that are durable, of accounts that were here since the start. */
  readonly #known = new Map<AccountId, Set<Region>>();
  /** One change at a time for each account. */
  readonly #inTurn = new KeyedLock();

  constructor(catalog: Pick<Catalog, 'commit' | 'list'>) {
    this.#catalog = catalog;
  }

  /**
   * To be called before an event is appended.
   * @returns `undefined` when there is nothing to do, the usual case; else a promise that resolves once the Region is durable.
   */
  use(account: AccountId, region: Region, nowMs: EpochMs): Promise<void> | undefined {
    const regions = this.#known.get(account);
    if (regions !== undefined && (regions.has(region) || regions.size >= USED_REGIONS_MAX)) return undefined;
    return this.#inTurn.run(account, () => this.#add(account, region, nowMs));
  }

  async #add(account: AccountId, region: Region, usedAtMs: EpochMs): Promise<void> {
    const regions = this.#known.get(account) ?? (await this.#read(account));
    this.#known.set(account, regions);
    if (regions.has(region) || regions.size >= USED_REGIONS_MAX) return;
    try {
      await this.#catalog.commit([{ key: ['region', account, region], value: { usedAtMs } satisfies UsedRegion, expected: 0 }]);
    } catch (error) {
      // A save whose answer was lost has taken effect.
      if (!(error instanceof CatalogConflict)) throw error;
    }
    regions.add(region);
  }

  async #read(account: AccountId): Promise<Set<Region>> {
    const documents = await this.#catalog.list<UsedRegion>(['region', account]);
    return new Set(documents.map(({ key }) => key[2] as Region));
  }
}
