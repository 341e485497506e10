import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashInTurns } from './hash-in-turns.ts';

test.each([0, 1, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 5_000_000])(
  '%s bytes hashed in turns have the hash that they have at once',
  async (size) => {
    const content = randomBytes(size);
    expect(Buffer.from(await hashInTurns(content))).toEqual(createHash('sha256').update(content).digest());
  },
);
