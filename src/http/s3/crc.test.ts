import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Checksummer, joinChecksums } from './checksums.ts';
import { Crc32, Crc32c, Crc64Nvme, joinCrc } from './crc.ts';

const CHECK = Buffer.from('123456789');

/** The plainest form of a reflected CRC: one bit at a time. */
function bitwise(bytes: Uint8Array, polynomial: bigint, width: bigint): string {
  const ones = (1n << width) - 1n;
  let value = ones;
  for (const byte of bytes) {
    value ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
  }
  return (value ^ ones).toString(16).padStart(Number(width) / 4, '0');
}

describe('cyclic redundancy checks', () => {
  test('the check values of the catalogues come out', () => {
    const values = [new Crc32(), new Crc32c(), new Crc64Nvme()].map((crc) => {
      crc.update(CHECK);
      return crc.digest().toString('hex');
    });
    expect(values).toEqual(['cbf43926', 'e3069283', 'ae8b14860a799888']);
  });

  test('bytes in any pieces give what bit by bit gives', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (pieces) => {
        const [crc32c, crc64] = [new Crc32c(), new Crc64Nvme()];
        for (const piece of pieces) {
          crc32c.update(piece);
          crc64.update(piece);
        }
        const whole = Buffer.concat(pieces);
        expect(crc32c.digest().toString('hex')).toBe(bitwise(whole, 0x82f63b78n, 32n));
        expect(crc64.digest().toString('hex')).toBe(bitwise(whole, 0x9a6c9329ac4bc9b5n, 64n));
      }),
    );
  });

  test('the checks of two parts join to the check of both', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (first, second) => {
        for (const [algorithm, make] of [
          ['CRC32', () => new Crc32()],
          ['CRC32C', () => new Crc32c()],
          ['CRC64NVME', () => new Crc64Nvme()],
        ] as const) {
          const of = (bytes: Uint8Array): Buffer => {
            const crc = make();
            crc.update(bytes);
            return crc.digest();
          };
          expect(joinCrc(algorithm, of(first), of(second), second.length)).toEqual(of(Buffer.concat([first, second])));
        }
      }),
    );
  });

  test('a composite checksum is that of the checksums, with the number of parts', () => {
    const value = (text: string): string => {
      const summer = new Checksummer('CRC32');
      summer.update(Buffer.from(text));
      return summer.digest();
    };
    const parts = [
      { value: value('one'), sizeBytes: 3 },
      { value: value('two'), sizeBytes: 3 },
    ];
    const both = Buffer.alloc(4);
    both.writeUInt32BE(crc32(Buffer.concat(parts.map((part) => Buffer.from(part.value, 'base64')))));
    expect(joinChecksums('CRC32', 'COMPOSITE', parts)).toBe(`${both.toString('base64')}-2`);
    expect(joinChecksums('CRC32', 'FULL_OBJECT', parts)).toBe(value('onetwo'));
  });
});
