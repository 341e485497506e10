import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashBytes, hashEntry, type LeafEntry, leafText } from './leaf.ts';
import { toHex, utf8 } from './text.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const entry: LeafEntry = {
  kind: 'event',
  sequence: 42n,
  receivedAtMs: 1_767_225_600_123,
  account: '123837392027',
  id: 'a1b2',
  nonce: new Uint8Array(16).fill(7),
  bytes: utf8('{"eventID":"a1b2"}'),
};

describe('leafText', () => {
  test('is the documented text, for an event and for a fact', () => {
    const hash = hashBytes(sha256, entry);
    const nonceAndBytes = Buffer.concat([entry.nonce, entry.bytes]);
    expect(toHex(hash)).toBe(createHash('sha256').update(nonceAndBytes).digest('hex'));
    expect(leafText(entry, hash)).toBe(`snowtrail-leaf/1\nevent\n42\n1767225600123\n123837392027\na1b2\n${toHex(hash)}\n`);
    expect(leafText({ ...entry, kind: 'fact', factKind: 'clock-jump' }, hash)).toMatch(/^snowtrail-leaf\/1\nfact:clock-jump\n42\n/);
  });

  test('the hash of an entry is the RFC 6962 leaf hash of its text', () => {
    const text = leafText(entry, hashBytes(sha256, entry));
    expect(toHex(hashEntry(sha256, entry))).toBe(createHash('sha256').update(`\0${text}`).digest('hex'));
  });

  test('the hash is the same rule for ids that are not ASCII, and for bytes and ids of any length', () => {
    for (const other of [
      { id: 'überprüft-😀' },
      { id: 'x'.repeat(70_000) },
      { bytes: new Uint8Array(1_000_000).fill(1) },
      { bytes: new Uint8Array(0) },
    ]) {
      const changed = { ...entry, ...other };
      const bytesHash = createHash('sha256').update(changed.nonce).update(changed.bytes).digest();
      const expected = createHash('sha256')
        .update(`\0${leafText(changed, bytesHash)}`)
        .digest('hex');
      expect(toHex(hashEntry(sha256, changed))).toBe(expected);
    }
  });

  test('is another one for every other entry, whatever characters an id holds', () => {
    const anyEntry = fc.record({
      sequence: fc.bigInt({ min: 1n, max: 12n }),
      receivedAtMs: fc.constantFrom(1, 12),
      account: fc.constantFrom('000000000001', '000000000012'),
      id: fc.string({ unit: fc.constantFrom('\n', '1', '2', '000000000001'), maxLength: 4 }),
    });
    fc.assert(
      fc.property(anyEntry, anyEntry, (one, other) => {
        const texts = [one, other].map((each) => leafText({ ...entry, ...each }, new Uint8Array(32)));
        const isSame = JSON.stringify(Object.values(one).map(String)) === JSON.stringify(Object.values(other).map(String));
        expect(texts[0] === texts[1]).toBe(isSame);
      }),
      { numRuns: 2000 },
    );
  });
});
