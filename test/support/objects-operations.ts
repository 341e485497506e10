/**
 * What the child of the objects' crash test does, so that the test knows what should be there.
 */
import { createSeededChance } from '../../src/store/memory/clock.ts';

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
