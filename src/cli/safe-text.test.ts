import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { safeJson, safeText } from './safe-text.ts';

/** What a terminal obeys or hides. */
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

describe('safeText', () => {
  test('control characters, DEL, C1 and marks that turn the reading direction are written out', () => {
    expect(safeText('a\u001b[31mb\u0007\r\n\t\u007f\u009b2J\u202eevil\u2066\u0000')).toBe(
      'a\\u001b[31mb\\u0007\\u000d\\u000a\\u0009\\u007f\\u009b2J\\u202eevil\\u2066\\u0000',
    );
  });

  test('text of any language stays as it is', () => {
    expect(safeText('Ünïcode 日本語 עברית 👩‍👧 %0a')).toBe('Ünïcode 日本語 עברית 👩‍👧 %0a');
  });

  test('no text comes out with a character that a terminal obeys', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !OBEYED.test(safeText(text))));
  });
});

describe('safeJson', () => {
  test('every value means the same after it, and holds nothing that a terminal obeys but line ends', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const safe = safeJson(JSON.stringify(value, undefined, 2));
        expect(JSON.parse(safe)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(safe.replaceAll('\n', '')).not.toMatch(OBEYED);
      }),
    );
  });

  test('a carriage return between tokens becomes a space', () => {
    expect(safeJson('{"a":\r1}')).toBe('{"a": 1}');
  });
});
