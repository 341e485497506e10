/**
 * Chance of the operating system: bytes that nobody can guess.
 */
import { randomBytes, randomFillSync, randomUUID } from 'node:crypto';
import type { Chance } from '../clock.ts';

/** Small requests share one draw: each event takes 16 bytes, and a draw costs more than the bytes. */
const POOL_BYTES = 4_096;

export function createSystemChance(): Chance {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;

  function bytes(count: number): Uint8Array {
    if (count > POOL_BYTES / 4) return new Uint8Array(randomBytes(count));
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const taken = pool.slice(used, used + count);
    // What was given away stays nowhere else.
    pool.fill(0, used, used + count);
    used += count;
    return taken;
  }

  return {
    bytes,
    uuid: () => randomUUID(),
    fraction: () => new DataView(bytes(4).buffer).getUint32(0) / 2 ** 32,
  };
}
