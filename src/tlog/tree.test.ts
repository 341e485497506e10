import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashLeaf, hashNode, type Sha256 } from './hash.ts';
import { fromHex, toHex } from './text.ts';
import { consistencyProof, inclusionProof, type ReadHash, TREE_SIZE_MAX, treeHead, verifyConsistency, verifyInclusion } from './tree.ts';

const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const SIZE_MAX = 130;

const leaves = Array.from({ length: SIZE_MAX }, (_, index) => hashLeaf(sha256, Uint8Array.of(index, index >> 8)));

/** RFC 6962 §2.1 as it is written: split at the largest power of two below. */
function obviousHead(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return sha256(new Uint8Array(0));
  if (hashes.length === 1) return hashes[0]!;
  const split = splitOf(hashes.length);
  return hashNode(sha256, obviousHead(hashes.slice(0, split)), obviousHead(hashes.slice(split)));
}

/** `obviousHead` of the test's own leaves from `from` up to before `to`, remembered: the sweeps ask for each often. */
function headOf(from: number, to: number): Uint8Array {
  const place = from * 1000 + to;
  const head = remembered.get(place) ?? obviousHead(leaves.slice(from, to));
  remembered.set(place, head);
  return head;
}

const remembered = new Map<number, Uint8Array>();

/** RFC 6962 §2.1.1, PATH, for the leaves from `from` up to before `to`. */
function obviousPath(index: number, from: number, to: number): Uint8Array[] {
  if (to - from === 1) return [];
  const middle = from + splitOf(to - from);
  return index < middle
    ? [...obviousPath(index, from, middle), headOf(middle, to)]
    : [...obviousPath(index, middle, to), headOf(from, middle)];
}

/** RFC 6962 §2.1.2, SUBPROOF, for the leaves from `from` up to before `to`; the old tree ends before `old`. */
function obviousSubproof(old: number, from: number, to: number, isOld: boolean): Uint8Array[] {
  if (old === to) return isOld ? [] : [headOf(from, to)];
  const middle = from + splitOf(to - from);
  return old <= middle
    ? [...obviousSubproof(old, from, middle, isOld), headOf(middle, to)]
    : [...obviousSubproof(old, middle, to, false), headOf(from, middle)];
}

function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

const heads = Array.from({ length: SIZE_MAX + 1 }, (_, size) => headOf(0, size));

/** Complete subtrees only, as a store has them: anything else is a bug of the caller. */
const read: ReadHash = (level, index) => {
  const from = Number(index) * 2 ** level;
  const to = from + 2 ** level;
  if (to > SIZE_MAX) throw new Error(`no complete subtree at level ${level}, index ${index}`);
  return headOf(from, to);
};

const hex = (hashes: readonly Uint8Array[]) => hashes.map(toHex);

describe('treeHead', () => {
  test('gives the roots of the RFC 6962 reference leaves', async () => {
    const data = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const hashes = data.map((text) => hashLeaf(sha256, fromHex(text)!));
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const readReference: ReadHash = (level, index) => obviousHead(hashes.slice(Number(index) << level, (Number(index) + 1) << level));
    const made: string[] = [];
    for (let size = 0; size <= hashes.length; size++) made.push(toHex(await treeHead(sha256, BigInt(size), readReference)));
    expect(made).toEqual(roots);
  });

  test('agrees with the recursive definition for every size', async () => {
    const made: string[] = [];
    for (let size = 0; size <= SIZE_MAX; size++) made.push(toHex(await treeHead(sha256, BigInt(size), read)));
    expect(made).toEqual(hex(heads));
  });

  test('refuses a size beyond 2^63 − 1', async () => {
    await expect(treeHead(sha256, TREE_SIZE_MAX + 1n, read)).rejects.toThrow(RangeError);
  });
});

describe('inclusion', () => {
  test('the proof is the recursive definition’s, and verifies, for every leaf of every size', async () => {
    const wrong: object[] = [];
    for (let size = 1; size <= SIZE_MAX; size++) {
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(sha256, BigInt(index), BigInt(size), read);
        const claim = { leafHash: leaves[index]!, index: BigInt(index), size: BigInt(size), root: heads[size]! };
        const isRight = verifyInclusion(sha256, claim, proof);
        if (!isRight || !isSame(proof, obviousPath(index, 0, size))) wrong.push({ size, index });
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a proof with any part changed, added, removed or moved does not verify', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: SIZE_MAX }), fc.nat(), fc.nat(), async (size, anyIndex, anyPart) => {
        const index = anyIndex % size;
        const claim = { leafHash: leaves[index]!, index: BigInt(index), size: BigInt(size), root: heads[size]! };
        const proof = await inclusionProof(sha256, claim.index, claim.size, read);
        const part = anyPart % proof.length;
        const flipped = proof.map((hash, at) => (at === part ? flip(hash, anyPart % 256) : hash));
        const wrong: [typeof claim, readonly Uint8Array[]][] = [
          [claim, flipped],
          [claim, proof.filter((_, at) => at !== part)],
          [claim, [...proof.slice(0, part), proof[part]!, ...proof.slice(part)]],
          [claim, [...proof, heads[1]!]],
          [claim, proof.map((hash, at) => (at === part ? hash.subarray(1) : hash))],
          [{ ...claim, index: (claim.index + 1n) % claim.size }, proof],
          [{ ...claim, index: claim.size }, proof],
          [{ ...claim, size: claim.size * 2n }, proof],
          [{ ...claim, index: -1n }, proof],
          [{ ...claim, leafHash: flip(claim.leafHash, 3) }, proof],
          [{ ...claim, root: flip(claim.root, 255) }, proof],
          [{ ...claim, root: claim.root.subarray(0, 31) }, proof],
        ];
        expect(wrong.map(([changed, given]) => verifyInclusion(sha256, changed, given))).toEqual(wrong.map(() => false));
      }),
      { numRuns: 300 },
    );
  });

  test('an inner node does not pass as a leaf of a smaller tree', () => {
    const inner = hashNode(sha256, leaves[0]!, leaves[1]!);
    expect(verifyInclusion(sha256, { leafHash: inner, index: 0n, size: 3n, root: heads[3]! }, [leaves[2]!])).toBe(false);
  });

  test('nothing is in an empty tree', async () => {
    expect(verifyInclusion(sha256, { leafHash: leaves[0]!, index: 0n, size: 0n, root: heads[0]! }, [])).toBe(false);
    await expect(inclusionProof(sha256, 0n, 0n, read)).rejects.toThrow(RangeError);
  });
});

describe('consistency', () => {
  test('the proof is the recursive definition’s, and verifies, for every pair of sizes', async () => {
    const wrong: object[] = [];
    for (let to = 1; to <= SIZE_MAX; to++) {
      for (let from = 1; from <= to; from++) {
        const proof = await consistencyProof(sha256, BigInt(from), BigInt(to), read);
        const claim = { fromSize: BigInt(from), fromRoot: heads[from]!, toSize: BigInt(to), toRoot: heads[to]! };
        const isRight = verifyConsistency(sha256, claim, proof);
        if (!isRight || !isSame(proof, obviousSubproof(from, 0, to, true))) wrong.push({ from, to });
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a proof with any part changed, added, removed or moved does not verify', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: SIZE_MAX }), fc.nat(), fc.nat(), async (to, anyFrom, anyPart) => {
        const from = 1 + (anyFrom % (to - 1));
        const claim = { fromSize: BigInt(from), fromRoot: heads[from]!, toSize: BigInt(to), toRoot: heads[to]! };
        const proof = await consistencyProof(sha256, claim.fromSize, claim.toSize, read);
        const part = anyPart % proof.length;
        const wrong: [typeof claim, readonly Uint8Array[]][] = [
          [claim, proof.map((hash, at) => (at === part ? flip(hash, anyPart % 256) : hash))],
          [claim, proof.filter((_, at) => at !== part)],
          [claim, [...proof.slice(0, part), proof[part]!, ...proof.slice(part)]],
          [claim, [...proof, heads[1]!]],
          [claim, []],
          [{ ...claim, fromRoot: flip(claim.fromRoot, 0) }, proof],
          [{ ...claim, toRoot: flip(claim.toRoot, 0) }, proof],
          [{ ...claim, fromSize: claim.toSize, toSize: claim.fromSize }, proof],
          [{ ...claim, fromSize: 0n }, proof],
          [{ ...claim, toSize: claim.toSize * 2n }, proof],
          [{ ...claim, toSize: TREE_SIZE_MAX + 1n }, proof],
        ];
        expect(wrong.map(([changed, given]) => verifyConsistency(sha256, changed, given))).toEqual(wrong.map(() => false));
      }),
      { numRuns: 300 },
    );
  });

  test('two trees of one size are consistent only when their roots are the same', () => {
    const claim = { fromSize: 5n, fromRoot: heads[5]!, toSize: 5n, toRoot: heads[5]! };
    expect(verifyConsistency(sha256, claim, [])).toBe(true);
    expect(verifyConsistency(sha256, { ...claim, toRoot: heads[6]! }, [])).toBe(false);
    expect(verifyConsistency(sha256, claim, [heads[5]!])).toBe(false);
  });

  test('every tree begins with the empty one, whose root is the hash of nothing', () => {
    const claim = { fromSize: 0n, fromRoot: heads[0]!, toSize: 7n, toRoot: heads[7]! };
    expect(verifyConsistency(sha256, claim, [])).toBe(true);
    expect(verifyConsistency(sha256, { ...claim, fromRoot: heads[1]! }, [])).toBe(false);
  });
});

function isSame(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return one.length === other.length && one.every((hash, index) => Buffer.compare(hash, other[index]!) === 0);
}

function flip(hash: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(hash);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}
