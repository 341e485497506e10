import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath, canonicalQuery, parseQuery, percentDecode, percentEncode, S3_PATH, SERVICE_PATH } from './canonical-request.ts';

/** Text of any characters, control characters among them. */
const anyText = (minLength: number) =>
  fc
    .array(fc.integer({ min: 0, max: 0x10ffff }), { minLength, maxLength: 12 })
    .map((codes) => String.fromCodePoint(...codes.map((code) => (code >= 0xd800 && code < 0xe000 ? code - 0x800 : code))));

describe('canonicalPath', () => {
  test('S3 keeps double slashes and dots, and encodes once', () => {
    expect(canonicalPath('/b/a//../x%20y/%c3%bc+ü', S3_PATH)).toBe('/b/a//../x%20y/%C3%BC%2B%FC');
  });

  test('other services normalise and encode once more', () => {
    expect(canonicalPath('/a/./b/../c//d%20e/', SERVICE_PATH)).toBe('/a/c/d%2520e/');
    expect(canonicalPath('', SERVICE_PATH)).toBe('/');
    expect(canonicalPath('/../..', SERVICE_PATH)).toBe('/');
  });
});

describe('canonicalQuery', () => {
  test('parameters are sorted by encoded name, then value, and the signature is left out', () => {
    expect(canonicalQuery('b=2&a=z&a=%41&c&X-Amz-Signature=1&%7E=~&d=x+y')).toBe('a=A&a=z&b=2&c=&d=x%20y&~=~');
  });

  test('two spellings of the same parameters have one canonical form', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyText(1), anyText(0))), (drawn) => {
        const pairs = drawn.filter(([name]) => name !== 'X-Amz-Signature');
        const strict = pairs.map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`).join('&');
        const plain = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
        expect(canonicalQuery(plain)).toBe(canonicalQuery(strict));
        expect(parseQuery(strict)).toEqual(pairs);
      }),
    );
  });
});

describe('percentDecode', () => {
  test('what is encoded comes back, and a plus sign is itself', () => {
    expect(percentDecode(percentEncode('a/+ ü%\u0000'))).toBe('a/+ ü%\u0000');
    expect(percentDecode('a+b%')).toBe('a+b%');
  });

  test('bytes that are no UTF-8 are refused', () => {
    expect(() => percentDecode('%ff')).toThrow(URIError);
    expect(() => percentDecode('\xff')).toThrow(URIError);
  });
});
