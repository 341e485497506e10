/**
 * Which lost objects of a trail are to be put again, and are not known to be back.
 *
 * A put that fails is tried again by the next look, half a day later: it is the same loss then, found when it was found first. So
 * an object is kept here before its loss is put on record, and until a look sees it in the bucket or puts it there.
 */
import type { BucketName, EpochMs, ObjectKey } from '../event/types.ts';
import type { Catalog, CatalogKey } from '../store/catalog.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import type { TrailId } from './trail.ts';

interface OpenLoss {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  readonly foundAtMs: EpochMs;
}

interface OpenLossesDeps {
  readonly catalog: Pick<Catalog, 'list' | 'commit'>;
  readonly sha256: Sha256;
}

/** Those of one trail, for the time of one look. */
export class OpenLosses {
  readonly #deps: OpenLossesDeps;
  readonly #trail: TrailId;
  /** By the hash that their catalog keys end with. */
  readonly #open: Map<string, OpenLoss>;
  readonly #lookedAt = new Set<string>();

  static async read(deps: OpenLossesDeps, trail: TrailId): Promise<OpenLosses> {
    const documents = await deps.catalog.list<OpenLoss>(openLossesKey(trail));
    return new OpenLosses(deps, trail, new Map(documents.map(({ key, value }) => [key.at(-1)!, value])));
  }

  private constructor(deps: OpenLossesDeps, trail: TrailId, open: Map<string, OpenLoss>) {
    this.#deps = deps;
    this.#trail = trail;
    this.#open = open;
  }

  /** The object is gone. @returns When that was found first; it is remembered before this resolves. */
  async begin(bucket: BucketName, key: ObjectKey, nowMs: EpochMs): Promise<EpochMs> {
    const name = this.#nameOf(bucket, key);
    const before = this.#open.get(name);
    if (before !== undefined) return before.foundAtMs;
    await this.#save(name, { bucket, key, foundAtMs: nowMs });
    return nowMs;
  }

  /** The object is there. */
  async end(bucket: BucketName, key: ObjectKey): Promise<void> {
    const name = this.#nameOf(bucket, key);
    if (this.#open.has(name)) await this.#save(name, undefined);
  }

  /** Forgets those that a whole look did not come to: they are too old to be put again, or belong to another place. */
  async forgetOthers(): Promise<void> {
    for (const name of [...this.#open.keys()]) if (!this.#lookedAt.has(name)) await this.#save(name, undefined);
  }

  #nameOf(bucket: BucketName, key: ObjectKey): string {
    const name = toHex(this.#deps.sha256(utf8(`${bucket}\n${key}`)));
    this.#lookedAt.add(name);
    return name;
  }

  async #save(name: string, value: OpenLoss | undefined): Promise<void> {
    await this.#deps.catalog.commit([{ key: [...openLossesKey(this.#trail), name], value, expected: 'any' }]);
    if (value === undefined) this.#open.delete(name);
    else this.#open.set(name, value);
  }
}

const openLossesKey = ({ account, homeRegion, name }: TrailId): CatalogKey => ['trail-open-loss', account, homeRegion, name];
