import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseXml, xmlDocument, xmlExactText, xmlText, xmlTextDocument } from './xml.ts';

const parse = (text: string) => parseXml(Buffer.from(text));
const refusal = expect.objectContaining({ code: 'MalformedXML' });

/** Text of any characters, control characters among them. */
const anyText = (minLength: number) =>
  fc
    .array(fc.integer({ min: 0, max: 0x10ffff }), { minLength, maxLength: 12 })
    .map((codes) => String.fromCodePoint(...codes.map((code) => (code >= 0xd800 && code < 0xe000 ? code - 0x800 : code))));

describe('parseXml', () => {
  test('elements, text, references, CDATA, comments and a declaration are read', () => {
    const root = parse(
      '<?xml version="1.0" encoding="UTF-8"?>\n<!-- c --><s3:Delete xmlns:s3="http://x"><Object><Key>a&amp;b &#x41;&#66;<![CDATA[<c>]]></Key></Object><Quiet/></s3:Delete>',
    );
    expect(root.name).toBe('Delete');
    expect(xmlText(root.children[0]!, 'Key')).toBe('a&b AB<c>');
    expect(xmlText(root, 'Quiet')).toBe('');
    expect(xmlText(root, 'Other')).toBeUndefined();
  });

  test.each([
    ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'],
    ['an unknown entity', '<x>&a;</x>'],
    ['a reference without an end', '<x>&amp</x>'],
    ['half a surrogate pair', '<x>&#xd800;</x>'],
    ['a character beyond Unicode', '<x>&#x110000;</x>'],
    ['a processing instruction', '<x><?php ?></x>'],
    ['an element that does not end', '<x><y></x>'],
    ['crossed elements', '<x><y></x></y>'],
    ['two outer elements', '<x/><y/>'],
    ['text outside', 'x<x/>'],
    ['an empty document', ''],
    ['a lone opening', '<'],
    ['a tag in an attribute', '<x a="<b>"/>'],
  ])('%s is refused', (_, text) => {
    expect(() => parse(text)).toThrow(refusal);
  });

  test('bytes that are no UTF-8 are refused', () => {
    expect(() => parseXml(Buffer.from([0x3c, 0x78, 0x3e, 0xff, 0x3c, 0x2f, 0x78, 0x3e]))).toThrow(refusal);
  });

  test('a deep or wide document is refused before it costs anything', () => {
    expect(() => parse('<a>'.repeat(100_000))).toThrow(refusal);
    expect(() => parse(`<a>${'<b/>'.repeat(100_001)}</a>`)).toThrow(refusal);
  });

  test('whatever text is written is read back as it was', () => {
    // Carriage returns and other control characters are written as references, which a reader takes as themselves.
    fc.assert(
      fc.property(anyText(0), (text) => {
        expect(xmlExactText(parse(xmlDocument('R', { Key: text }, 'http://n')), 'Key')).toBe(text);
      }),
    );
  });
});

describe('xmlDocument', () => {
  test('absent members are left out, lists repeat their element, empty text is an empty element', () => {
    expect(xmlDocument('R', { A: undefined, B: [{ C: 1 }, { C: 2 }], D: '', E: true })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<R><B><C>1</C></B><B><C>2</C></B><D/><E>true</E></R>',
    );
  });

  test('text alone stands in the outer element', () => {
    expect(xmlTextDocument('L', 'a<b', 'http://n')).toBe('<?xml version="1.0" encoding="UTF-8"?>\n<L xmlns="http://n">a&lt;b</L>');
  });
});
