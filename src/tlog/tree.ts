/**
 * Tree heads, inclusion proofs and consistency proofs of an append-only Merkle tree: made from stored hashes, and
 * checked by somebody who has none.
 *
 * The store keeps the hash of every complete subtree: level 0 holds the leaf hashes, and `(level, index)` is the hash
 * over leaves `index · 2^level` up to before `(index + 1) · 2^level`. Everything else follows from those.
 *
 * The checkers treat their whole input as untrusted. They use each element of a proof exactly once and refuse a proof
 * that is too short or too long, so that no part of it stays unchecked (CVE-2022-36111 of immudb was such a part), and
 * they take sizes and roots from their caller, never from the proof (CVE-2022-39199 let the server choose).
 * Source: RFC 6962 §2.1; RFC 9162 §2.1.3.2 and §2.1.4.2 for the checks.
 */
import { HASH_BYTES, hashNode, isSameHash, type Sha256 } from './hash.ts';

/** Reads the hash of a complete subtree. Throws when the tree is not that large. */
export type ReadHash = (level: number, index: bigint) => Uint8Array | Promise<Uint8Array>;

/** Most leaves of a tree. Larger sizes are refused everywhere. */
export const TREE_SIZE_MAX = 2n ** 63n - 1n;

/** Root hash of the first `size` leaves. The empty tree's is the SHA-256 of nothing. */
export async function treeHead(sha256: Sha256, size: bigint, read: ReadHash): Promise<Uint8Array> {
  assertSize(size);
  return size === 0n ? sha256(new Uint8Array(0)) : rangeHash(sha256, 0n, size, read);
}

/**
 * The hashes that lead from one leaf to the root of the first `size` leaves, lowest first.
 * @throws RangeError unless 0 ≤ index < size.
 */
export async function inclusionProof(sha256: Sha256, index: bigint, size: bigint, read: ReadHash): Promise<Uint8Array[]> {
  assertSize(size);
  if (index < 0n || index >= size) throw new RangeError(`leaf index \`${index}\` is not in a tree of ${size} leaves`);
  const path: Promise<Uint8Array>[] = [];
  let [from, to] = [0n, size];
  while (to - from > 1n) {
    const middle = from + largestPowerBelow(to - from);
    if (index < middle) {
      path.push(rangeHash(sha256, middle, to, read));
      to = middle;
    } else {
      path.push(rangeHash(sha256, from, middle, read));
      from = middle;
    }
  }
  return Promise.all(path.reverse());
}

/**
 * The hashes that show that the tree of `fromSize` leaves is the beginning of the tree of `toSize` leaves.
 * @returns Empty when one of them needs no proof: equal sizes, or `fromSize` 0.
 * @throws RangeError unless 0 ≤ fromSize ≤ toSize.
 */
export async function consistencyProof(sha256: Sha256, fromSize: bigint, toSize: bigint, read: ReadHash): Promise<Uint8Array[]> {
  assertSize(toSize);
  if (fromSize < 0n || fromSize > toSize) throw new RangeError(`a tree of \`${fromSize}\` leaves does not begin one of ${toSize}`);
  if (fromSize === 0n || fromSize === toSize) return [];
  const path: Promise<Uint8Array>[] = [];
  let [from, to] = [0n, toSize];
  // The checker knows the old root already: it is left out as long as the old tree is the left edge of the new one.
  let isOldRoot = true;
  while (to !== fromSize) {
    const middle = from + largestPowerBelow(to - from);
    if (fromSize <= middle) {
      path.push(rangeHash(sha256, middle, to, read));
      to = middle;
    } else {
      path.push(rangeHash(sha256, from, middle, read));
      from = middle;
      isOldRoot = false;
    }
  }
  if (!isOldRoot) path.push(rangeHash(sha256, from, to, read));
  return Promise.all(path.reverse());
}

/** What an inclusion proof is held against. Size and root come from a checkpoint whose signature was checked. */
export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: bigint;
  readonly size: bigint;
  readonly root: Uint8Array;
}

/** True when `proof` (untrusted) shows the leaf at its place in the tree; false for every malformed input. */
export function verifyInclusion(sha256: Sha256, claim: InclusionClaim, proof: readonly Uint8Array[]): boolean {
  const { index, size } = claim;
  if (!isSize(size) || index < 0n || index >= size) return false;
  if (!areHashes([claim.leafHash, claim.root, ...proof])) return false;
  let place = index;
  let last = size - 1n;
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0n) return false;
    if (isOdd(place) || place === last) {
      hash = hashNode(sha256, sibling, hash);
      // At the right edge a level without a sibling is passed over.
      while (!isOdd(place) && place !== 0n) [place, last] = [place >> 1n, last >> 1n];
    } else {
      hash = hashNode(sha256, hash, sibling);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  return last === 0n && isSameHash(hash, claim.root);
}

/** What a consistency proof is held against: two tree heads, each from a checkpoint whose signature was checked. */
export interface ConsistencyClaim {
  readonly fromSize: bigint;
  readonly fromRoot: Uint8Array;
  readonly toSize: bigint;
  readonly toRoot: Uint8Array;
}

/** True when `proof` (untrusted) shows that the first tree begins the second; false for every malformed input. */
export function verifyConsistency(sha256: Sha256, claim: ConsistencyClaim, proof: readonly Uint8Array[]): boolean {
  const { fromSize, toSize, fromRoot, toRoot } = claim;
  if (!isSize(fromSize) || !isSize(toSize) || fromSize > toSize) return false;
  if (!areHashes([fromRoot, toRoot, ...proof])) return false;
  if (fromSize === toSize) return proof.length === 0 && isSameHash(fromRoot, toRoot);
  if (fromSize === 0n) return proof.length === 0 && isSameHash(fromRoot, sha256(new Uint8Array(0)));

  // A tree whose size is a power of two is one complete subtree: its root is the first element, known already.
  const path = isPowerOfTwo(fromSize) ? [fromRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined || proof.length === 0) return false;
  let place = fromSize - 1n;
  let last = toSize - 1n;
  while (isOdd(place)) [place, last] = [place >> 1n, last >> 1n];
  let oldHash = first;
  let newHash = first;
  for (const hash of rest) {
    if (last === 0n) return false;
    if (isOdd(place) || place === last) {
      oldHash = hashNode(sha256, hash, oldHash);
      newHash = hashNode(sha256, hash, newHash);
      while (!isOdd(place) && place !== 0n) [place, last] = [place >> 1n, last >> 1n];
    } else {
      newHash = hashNode(sha256, newHash, hash);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  return last === 0n && isSameHash(oldHash, fromRoot) && isSameHash(newHash, toRoot);
}

/**
 * Hash over leaves `from` up to before `to`, where `from` is a multiple of a power of two that is at least their
 * number, as it is for every range that RFC 6962 splits off. Such a range is a row of complete subtrees, the largest
 * first, folded from the right.
 */
async function rangeHash(sha256: Sha256, from: bigint, to: bigint, read: ReadHash): Promise<Uint8Array> {
  const subtrees: (Uint8Array | Promise<Uint8Array>)[] = [];
  let at = from;
  for (let level = (to - from).toString(2).length - 1; level >= 0; level--) {
    const width = 1n << BigInt(level);
    if (to - at < width) continue;
    subtrees.push(read(level, at >> BigInt(level)));
    at += width;
  }
  // eslint-disable-next-line @typescript-eslint/await-thenable -- a reader in memory answers at once, one on disk later
  const hashes = await Promise.all(subtrees);
  return hashes.reduceRight((right, left) => hashNode(sha256, left, right));
}

/** The largest power of two that is less than `count`, for `count` ≥ 2. */
function largestPowerBelow(count: bigint): bigint {
  return 1n << BigInt((count - 1n).toString(2).length - 1);
}

function isOdd(value: bigint): boolean {
  return (value & 1n) === 1n;
}

function isPowerOfTwo(value: bigint): boolean {
  return (value & (value - 1n)) === 0n;
}

function isSize(size: bigint): boolean {
  return size >= 0n && size <= TREE_SIZE_MAX;
}

function assertSize(size: bigint): void {
  if (!isSize(size)) throw new RangeError(`tree size \`${size}\` is not between 0 and ${TREE_SIZE_MAX}`);
}

function areHashes(values: readonly Uint8Array[]): boolean {
  return values.every((value) => value instanceof Uint8Array && value.length === HASH_BYTES);
}
