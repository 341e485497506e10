import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeUtf8, fromBase64, fromHex, toBase64, toHex } from './text.ts';

describe('hexadecimal digits and base64', () => {
  test('are written as Node writes them, and read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect([toHex(bytes), toBase64(bytes)]).toEqual([Buffer.from(bytes).toString('hex'), Buffer.from(bytes).toString('base64')]);
        expect([fromHex(toHex(bytes)), fromBase64(toBase64(bytes))]).toEqual([bytes, bytes]);
      }),
    );
  });

  test('have one spelling for each value', () => {
    expect(['AB', 'abc', 'zz', ' 00', '0x'].map(fromHex)).toEqual(Array(5).fill(undefined));
    const other = ['AB==', 'AAB=', 'AA', 'AAA', 'A===', '=AAA', 'AA=A', 'AA\n=', 'AA-_', 'AAAA====', 'AAAA ', '===='];
    expect(other.map(fromBase64)).toEqual(other.map(() => undefined));
  });

  test('any text that is read as base64 is the one that is written', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12, unit: fc.constantFrom('A', 'B', 'w', 'Q', '/', '+', '=', '-', '\n') }), (text) => {
        const bytes = fromBase64(text);
        if (bytes !== undefined) expect(toBase64(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('decodeUtf8', () => {
  test('keeps a byte order mark and refuses malformed bytes', () => {
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
    expect([Uint8Array.of(0xff), Uint8Array.of(0xc0, 0x80), Uint8Array.of(0xed, 0xa0, 0x80)].map(decodeUtf8)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
