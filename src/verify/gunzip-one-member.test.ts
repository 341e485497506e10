import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gunzipOneMember } from './gunzip-one-member.ts';

describe('gunzipOneMember', () => {
  test('gives back what was compressed, with any header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (content) => {
        expect(gunzipOneMember(gzipSync(content), 5_000)).toEqual({ kind: 'content', content: Buffer.from(content) });
      }),
      { numRuns: 50 },
    );
    const plain = gzipSync('content');
    const withName = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([8]),
      plain.subarray(4, 10),
      Buffer.from('log.json\0'),
      plain.subarray(10),
    ]);
    expect(gunzipOneMember(withName, 100)).toEqual({ kind: 'content', content: Buffer.from('content') });
  });

  test('refuses a second member, trailing bytes, a wrong checksum and a cut file, and says which', () => {
    const one = gzipSync('content');
    const wrong = Buffer.from(one);
    wrong[one.length - 8]! ^= 1;
    const reasons = [
      Buffer.concat([one, gzipSync('more')]),
      Buffer.concat([one, Buffer.from('xyz')]),
      wrong,
      one.subarray(0, -1),
      one.subarray(0, 12),
      Buffer.from('{}'),
    ].map((bytes) => gunzipOneMember(bytes, 100));
    expect(reasons).toEqual([
      { kind: 'refused', reason: 'has a second gzip member (24 bytes) after its gzip member' },
      { kind: 'refused', reason: 'has 3 bytes after its gzip member' },
      { kind: 'refused', reason: 'has a wrong gzip checksum' },
      { kind: 'refused', reason: expect.stringMatching(/ends before|wrong/) },
      { kind: 'refused', reason: 'ends before its gzip member does' },
      { kind: 'refused', reason: 'is not gzip' },
    ]);
  });

  test('stops a bomb at the limit, whatever length it claims', () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    bomb.writeUInt32LE(5, bomb.length - 4);
    expect(gunzipOneMember(bomb, 1_000_000)).toEqual({ kind: 'refused', reason: 'holds more than 1000000 bytes' });
  });

  test('throws for no bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isGzipLike) => {
        const input = isGzipLike ? Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), bytes]) : bytes;
        gunzipOneMember(input, 1_000);
      }),
    );
  });
});
