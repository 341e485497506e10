import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gzip, gzipInline } from './compress.ts';

describe('gzip', () => {
  test('gives the content back, with nothing of time, name or machine in the header', async () => {
    const content = new TextEncoder().encode('{"Records":[]}'.repeat(5_000));
    const member = await gzip(content);
    expect(gunzipSync(member).equals(content)).toBe(true);
    expect([...member.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  });

  test('gives the same bytes on and off the main thread, at any size', async () => {
    const sizes = fc.integer({ min: 0, max: 200_000 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.uint8Array({ minLength: 1, maxLength: 64 }), async (size, piece) => {
        const content = new Uint8Array(size).map((_, index) => piece[index % piece.length]! ^ (index >> 7));
        expect(Buffer.compare(await gzip(content), await gzipInline(content))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
