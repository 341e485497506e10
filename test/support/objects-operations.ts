/**
 * What the child of the objects' crash test does, so that the test knows what should be there.
 */
import { createSystemChance } from '../../src/store/disk/chance.ts';
import { createSeededChance } from '../../src/store/memory/clock.ts';
import type { DataKey, Objects } from '../../src/store/objects.ts';
import { sealObjects } from '../../src/store/sealed-objects.ts';

export const PLAIN = 'plain-bucket';
export const VERSIONED = 'versioned-bucket';

/** Some are in each other's way. */
export const KEYS = [PLAIN, VERSIONED].flatMap((bucket) => ['AWSLogs/1/a', 'AWSLogs/1', 'AWSLogs/1/b/'].map((key) => ({ bucket, key })));

/** A put of `text`, or a deletion where it is absent. */
export interface Operation {
  readonly bucket: string;
  readonly key: string;
  readonly text: string | undefined;
}

/** Texts are all different, and of sizes from nothing to some blocks. */
export function operationsOf(seed: number, count: number): readonly Operation[] {
  const chance = createSeededChance(seed);
  return Array.from({ length: count }, (_, index) => {
    const { bucket, key } = KEYS[Math.floor(chance.fraction() * KEYS.length)]!;
    const isDeletion = chance.fraction() < 0.3;
    const text = `${index}/${'x'.repeat(Math.floor(chance.fraction() ** 3 * 20_000))}`;
    return { bucket, key, text: isDeletion ? undefined : text };
  });
}

/** What objects are encrypted with where they are. */
export const DATA_KEY: DataKey = { plain: new Uint8Array(32).fill(7), encryption: { algorithm: 'AES256', dataKey: 'd3JhcA==' } };

/** The store as one that can encrypt, and that opens what it encrypted for every reader. */
export function sealed(disk: Objects): Objects {
  const objects = sealObjects(disk, { contentKey: new Uint8Array(32), chance: createSystemChance() });
  const openKey = async () => DATA_KEY.plain;
  return { ...objects, get: (bucket, key, options) => objects.get(bucket, key, { ...options, openKey }) };
}
