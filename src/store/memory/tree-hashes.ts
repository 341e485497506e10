/**
 * Tree hashes in memory: every level as a list. The reference of the contract, and the simulation's store.
 */
import type { HashChildren, TreeHashes } from '../tree-hashes.ts';

const HASH_BYTES = 32;

export interface MemoryTreeHashes extends TreeHashes {
  /** Forgets what was not synced, as a power cut would. */
  losePower(): void;
}

export function createMemoryTreeHashes(options: { readonly hashChildren: HashChildren }): MemoryTreeHashes {
  /** `levels[l][i]` is the hash of subtree `(l, i)`. */
  const levels: Uint8Array[][] = [[]];
  let durable = 0;

  const add = (level: number, hash: Uint8Array): void => {
    levels[level] ??= [];
    const hashes = levels[level];
    hashes.push(hash);
    if (hashes.length % 2 === 0) add(level + 1, options.hashChildren(hashes.at(-2)!, hash));
  };

  return {
    size: () => BigInt(levels[0]!.length),
    durableSize: () => BigInt(durable),
    async append(leafHashes) {
      if (leafHashes.length % HASH_BYTES !== 0) throw new RangeError(`${leafHashes.length} bytes are not whole hashes of ${HASH_BYTES}`);
      for (let at = 0; at < leafHashes.length; at += HASH_BYTES) add(0, leafHashes.slice(at, at + HASH_BYTES));
    },
    async sync() {
      durable = levels[0]!.length;
    },
    async read(level, index) {
      const hash = index < 0n ? undefined : levels[level]?.[Number(index)];
      if (hash === undefined)
        throw new RangeError(`the tree of ${levels[0]!.length} leaves has no complete subtree \`${index}\` at level \`${level}\``);
      return hash;
    },
    async close() {
      durable = levels[0]!.length;
    },
    losePower() {
      levels.forEach((hashes, level) => {
        hashes.length = Math.floor(durable / 2 ** level);
      });
    },
  };
}
