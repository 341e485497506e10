/**
 * What every implementation of `TreeHashes` promises.
 */
import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { TreeHashes } from '../../src/store/tree-hashes.ts';
import { hashNode, type Sha256 } from '../../src/tlog/hash.ts';
import { toHex } from '../../src/tlog/text.ts';
import { consistencyProof, inclusionProof, treeHead, verifyConsistency, verifyInclusion } from '../../src/tlog/tree.ts';

export const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');
export const hashChildren = (left: Uint8Array, right: Uint8Array) => hashNode(sha256, left, right);

/** Hashes of leaves `from` up to before `to`, one after the other. */
export function leafHashes(from: number, to: number): Uint8Array {
  return Buffer.concat(Array.from({ length: to - from }, (_, index) => leafHash(from + index)));
}

function leafHash(index: number): Uint8Array {
  return sha256(Buffer.from(`leaf ${index}`));
}

/** Store under test; `cutPower` gives what is found when the machine is up again. */
export interface TreeHashesRig {
  readonly hashes: TreeHashes;
  readonly cutPower: () => Promise<TreeHashes>;
}

/** @param open Makes a new, empty store. */
export function describeTreeHashes(name: string, open: () => Promise<TreeHashesRig>): void {
  const read = (hashes: TreeHashes) => (level: number, index: bigint) => hashes.read(level, index);

  describe(`${name}: tree hashes`, () => {
    test('every complete subtree can be read, and no other', async () => {
      const { hashes } = await open();
      const size = 1_000;
      await hashes.append(leafHashes(0, size));
      let row = Array.from({ length: size }, (_, index) => leafHash(index));
      for (let level = 0; row.length > 0; level++) {
        const found = await Promise.all(row.map((_, index) => hashes.read(level, BigInt(index))));
        expect(found.map(toHex)).toEqual(row.map(toHex));
        await expect(hashes.read(level, BigInt(row.length))).rejects.toThrow(RangeError);
        await expect(hashes.read(level, -1n)).rejects.toThrow(RangeError);
        row = Array.from({ length: Math.floor(row.length / 2) }, (_, index) => hashChildren(row[2 * index]!, row[2 * index + 1]!));
      }
    });

    test('the tree is the same however the leaves were grouped', async () => {
      const heads: string[] = [];
      for (const group of [1, 7, 255, 256, 257, 700]) {
        const { hashes } = await open();
        for (let from = 0; from < 700; from += group) await hashes.append(leafHashes(from, Math.min(from + group, 700)));
        expect(hashes.size()).toBe(700n);
        heads.push(toHex(await treeHead(sha256, 700n, read(hashes))));
      }
      expect(new Set(heads).size).toBe(1);
    });

    test('proofs over more than one stored level verify', async () => {
      const { hashes } = await open();
      const sizes = [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000];
      let size = 0;
      for (const next of sizes) {
        await hashes.append(leafHashes(size, next));
        size = next;
      }
      const heads = new Map<number, Uint8Array>();
      for (const each of sizes) heads.set(each, await treeHead(sha256, BigInt(each), read(hashes)));
      for (const from of sizes) {
        const toRoot = heads.get(size)!;
        const proof = await consistencyProof(sha256, BigInt(from), BigInt(size), read(hashes));
        const claim = { fromSize: BigInt(from), fromRoot: heads.get(from)!, toSize: BigInt(size), toRoot };
        expect(verifyConsistency(sha256, claim, proof)).toBe(true);
        const inclusion = await inclusionProof(sha256, BigInt(from - 1), BigInt(size), read(hashes));
        const included = { leafHash: leafHash(from - 1), index: BigInt(from - 1), size: BigInt(size), root: toRoot };
        expect(verifyInclusion(sha256, included, inclusion)).toBe(true);
      }
    });

    test('after a power cut, what was synced is there, the rest is not relied on, and the tree grows on', async () => {
      const { hashes, cutPower } = await open();
      await hashes.append(leafHashes(0, 300));
      await hashes.sync();
      expect([hashes.size(), hashes.durableSize()]).toEqual([300n, 300n]);
      await hashes.append(leafHashes(300, 600));
      expect([hashes.size(), hashes.durableSize()]).toEqual([600n, 300n]);

      const after = await cutPower();
      expect([after.size(), after.durableSize()]).toEqual([300n, 300n]);
      await after.append(leafHashes(300, 1_000));
      await after.sync();
      const whole = (await open()).hashes;
      await whole.append(leafHashes(0, 1_000));
      expect(await treeHead(sha256, 1_000n, read(after))).toEqual(await treeHead(sha256, 1_000n, read(whole)));
    });

    test('nothing added is nothing; parts of a hash are refused', async () => {
      const { hashes } = await open();
      await hashes.append(new Uint8Array(0));
      await expect(hashes.append(new Uint8Array(33))).rejects.toThrow(RangeError);
      expect([hashes.size(), hashes.durableSize()]).toEqual([0n, 0n]);
      await hashes.sync();
      await expect(hashes.read(0, 0n)).rejects.toThrow(RangeError);
    });

    test('closing keeps every leaf', async () => {
      const { hashes, cutPower } = await open();
      await hashes.append(leafHashes(0, 10));
      await hashes.close();
      expect((await cutPower()).size()).toBe(10n);
    });
  });
}
