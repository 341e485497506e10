import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { describeTreeHashes, hashChildren, leafHashes, sha256 } from '../../../test/stores/tree-hashes.contract.ts';
import { treeHead } from '../../tlog/tree.ts';
import type { TreeHashes } from '../tree-hashes.ts';
import { openDiskTreeHashes } from './tree-hashes.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-tree-'));
const opened: TreeHashes[] = [];
let folders = 0;

afterAll(async () => {
  await Promise.allSettled(opened.map((hashes) => hashes.close()));
  await rm(root, { recursive: true });
});

const newFolder = () => join(root, `${folders++}`);

async function openAt(folder: string): Promise<TreeHashes> {
  const hashes = await openDiskTreeHashes({ folder, hashChildren });
  opened.push(hashes);
  return hashes;
}

const headOf = (hashes: TreeHashes) => treeHead(sha256, hashes.size(), (level, index) => hashes.read(level, index));

// A second opening beside the first one, which was not told, finds what a killed process leaves.
describeTreeHashes('disk', async () => {
  const folder = newFolder();
  return { hashes: await openAt(folder), cutPower: () => openAt(folder) };
});

describe('tree hashes on disk', () => {
  async function stored(size: number): Promise<{ folder: string; head: Uint8Array }> {
    const folder = newFolder();
    const hashes = await openAt(folder);
    await hashes.append(leafHashes(0, size));
    const head = await headOf(hashes);
    await hashes.close();
    return { folder, head };
  }

  /** Opens, adds the leaves that are missing, and gives the head. */
  async function headAfterRepair(folder: string, size: number): Promise<Uint8Array> {
    const hashes = await openAt(folder);
    await hashes.append(leafHashes(Number(hashes.size()), size));
    await hashes.sync();
    const again = await openAt(folder);
    expect(await headOf(again)).toEqual(await headOf(hashes));
    return headOf(hashes);
  }

  test('take 32 bytes a leaf, and one more hash for each 256', async () => {
    const { folder } = await stored(1_000);
    const sizes = await Promise.all(['level-00', 'level-08', 'level-16'].map(async (name) => (await stat(join(folder, name))).size));
    expect(sizes).toEqual([32_000, 96, 0]);
  });

  test('come back from files cut or prolonged at any place', async () => {
    const { folder, head } = await stored(800);
    const names = ['level-00', 'level-08', 'size'];
    const good = await Promise.all(names.map((name) => readFile(join(folder, name))));
    await fc.assert(
      fc.asyncProperty(fc.nat(names.length - 1), fc.nat(), fc.boolean(), async (which, anyLength, isCut) => {
        await Promise.all(names.map((name, index) => writeFile(join(folder, name), good[index]!)));
        const path = join(folder, names[which]!);
        const length = anyLength % (good[which]!.length + 1);
        // Garbage behind the end is what a crash leaves there; garbage in `size` fails its checksum.
        if (isCut) await truncate(path, length);
        else await writeFile(path, new Uint8Array(1 + (length % 100)).fill(length), { flag: 'a' });
        expect(await headAfterRepair(folder, 800)).toEqual(head);
      }),
      { numRuns: 60 },
    );
  });

  test('a torn or changed mark gives way to the one before it', async () => {
    const folder = newFolder();
    const hashes = await openAt(folder);
    for (const [from, to] of [
      [0, 100],
      [100, 200],
      [200, 300],
    ] as const) {
      await hashes.append(leafHashes(from, to));
      await hashes.sync();
    }
    const mark = await readFile(join(folder, 'size'));
    const newest = [0, 4096].find((place) => mark.readBigUInt64LE(place) === 300n)!;
    for (let bit = 0; bit < 96; bit++) {
      const torn = Buffer.from(mark);
      torn[newest + (bit >> 3)]! ^= 1 << (bit & 7);
      await writeFile(join(folder, 'size'), torn);
      expect((await openDiskAndClose(folder)).size).toBe(200n);
      // The opening cut the leaves: put them back.
      await writeFile(join(folder, 'level-00'), leafHashes(0, 300));
    }
  });

  test('a mark that vouches for lost leaves is not believed later', async () => {
    const { folder, head } = await stored(300);
    await truncate(join(folder, 'level-00'), 100 * 32);
    expect((await openDiskAndClose(folder)).size).toBe(100n);
    await writeFile(join(folder, 'level-00'), new Uint8Array(200 * 32), { flag: 'a' });
    expect((await openDiskAndClose(folder)).size).toBe(100n);
    expect(await headAfterRepair(folder, 300)).toEqual(head);
  });

  async function openDiskAndClose(folder: string): Promise<{ size: bigint }> {
    const hashes = await openDiskTreeHashes({ folder, hashChildren });
    const size = hashes.size();
    await hashes.close();
    return { size };
  }
});
