import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeCheckpoint, parseCheckpoint } from './checkpoint.ts';
import {
  formatNote,
  formatNoteKey,
  isKeyName,
  keyHash,
  NOTE_BYTES_MAX,
  type Note,
  type NoteKey,
  parseNote,
  parseNoteKey,
  type VerifyEd25519,
  verifyNote,
} from './note.ts';
import type { Parsed } from './parsed.ts';
import { toBase64, utf8 } from './text.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const verifyEd25519: VerifyEd25519 = (publicKey, message, signature) => {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }, format: 'jwk' });
  return verify(null, message, key, signature);
};

/** The example in the documentation of Go's `golang.org/x/mod/sumdb/note`. */
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_NOTE =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n" +
  '\n' +
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';

function value<T>(parsed: Parsed<T>): T {
  if (parsed.kind !== 'ok') throw new Error(parsed.reason);
  return parsed.value;
}

function newSigner(name: string): { key: NoteKey; sign: (text: string) => string } {
  const pair = generateKeyPairSync('ed25519');
  const publicKey = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x!, 'base64url');
  const key = { name, keyHash: keyHash(sha256, name, publicKey), publicKey };
  return { key, sign: (text) => formatNote(text, [{ ...key, signature: sign(null, utf8(text), pair.privateKey) }]) };
}

describe('signed notes', () => {
  test("Go's example verifies under Go's key, and is written again byte for byte", () => {
    const key = value(parseNoteKey(sha256, GO_KEY));
    const note = value(parseNote(GO_NOTE));
    expect(verifyNote(note, [key], verifyEd25519)).toEqual({ kind: 'signed', by: [key] });
    expect(formatNote(note.text, note.signatures)).toBe(GO_NOTE);
    expect(formatNoteKey(key)).toBe(GO_KEY);
  });

  test('a changed text under a known key is a bad signature', () => {
    const key = value(parseNoteKey(sha256, GO_KEY));
    const note = value(parseNote(GO_NOTE.replace('answer', 'Answer')));
    expect(verifyNote(note, [key], verifyEd25519)).toEqual({ kind: 'bad-signature', key });
  });

  test('a signature of another length is refused before it is checked', () => {
    const key = value(parseNoteKey(sha256, GO_KEY));
    const note = value(parseNote(GO_NOTE));
    const longer: Note = { ...note, signatures: [{ ...note.signatures[0]!, signature: new Uint8Array(65) }] };
    expect(verifyNote(longer, [key], () => true)).toEqual({ kind: 'bad-signature', key });
  });

  test('signatures of unknown keys are passed over, and do not make a note signed', () => {
    const [one, other] = [newSigner('log.example/1'), newSigner('log.example/1')];
    const note = value(parseNote(one.sign('text\n')));
    expect(verifyNote(note, [other.key], verifyEd25519)).toEqual({ kind: 'no-known-key' });
    expect(verifyNote(note, [other.key, one.key], verifyEd25519)).toEqual({ kind: 'signed', by: [one.key] });
  });

  test('the identity is the one that the verifier pinned, not the one that the note names', () => {
    const [ours, theirs] = [newSigner('log.example/ours'), newSigner('log.example/theirs')];
    const note = value(parseNote(theirs.sign('text\n')));
    const renamed: Note = {
      ...note,
      signatures: note.signatures.map((signature) => ({ ...signature, name: ours.key.name, keyHash: ours.key.keyHash })),
    };
    expect(verifyNote(renamed, [ours.key], verifyEd25519)).toEqual({ kind: 'bad-signature', key: ours.key });
  });

  test('a note signed by two keys verifies under both', () => {
    const [one, other] = [newSigner('log.example/1'), newSigner('log.example/2')];
    const signatures = [one, other].map((signer) => value(parseNote(signer.sign('rotation\n'))).signatures[0]!);
    const note = value(parseNote(formatNote('rotation\n', signatures)));
    expect(verifyNote(note, [one.key, other.key], verifyEd25519)).toEqual({ kind: 'signed', by: [one.key, other.key] });
  });

  test('what is formatted is parsed back, from text and from bytes', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replace(/[\u0000-\u001f]/g, ''));
    const signature = fc.record({
      name: fc.constantFrom('a', 'log.example/x', 'schlüssel'),
      keyHash: fc.constantFrom('00000000', 'ffffffff', '0a1b2c3d'),
      signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    });
    const signatures = fc.uniqueArray(signature, { minLength: 1, maxLength: 4, selector: (each) => `${each.name} ${each.keyHash}` });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), signatures, (lines, given) => {
        const text = `x${lines.join('\n')}\n`;
        const note = formatNote(text, given);
        expect(value(parseNote(note))).toEqual({ text, signatures: given });
        expect(value(parseNote(utf8(note)))).toEqual({ text, signatures: given });
      }),
    );
  });

  test('malformed notes are refused', () => {
    const line = GO_NOTE.split('\n')[3]!;
    const malformed = [
      '',
      '\n\n',
      'text\n',
      `text\n${line}\n`,
      'text\n\n',
      `text\n\n${line}`,
      `\n\n${line}\n`,
      `te\rxt\n\n${line}\n`,
      `te\u0000xt\n\n${line}\n`,
      `te\ud800xt\n\n${line}\n`,
      `text\n\n${line}\n${line}\n`,
      `text\n\n${line} \n`,
      `text\n\n${line.replace('—', '-')}\n`,
      `text\n\n${line.replace('Peter', 'Peter ')}\n`,
      `text\n\n${line.replace('Peter', 'Peter+')}\n`,
      `text\n\n${line.replace('=', '')}\n`,
      'text\n\n— name AAAAAA==\n',
      `text\n\n${Array.from({ length: 101 }, (_, index) => `— n${index} x08goAAA\n`).join('')}`,
      `${'x'.repeat(NOTE_BYTES_MAX)}\n\n${line}\n`,
    ];
    expect(malformed.map((note) => parseNote(note).kind)).toEqual(malformed.map(() => 'malformed'));
    expect(parseNote(Uint8Array.of(0x61, 0x0a, 0x0a, 0xff)).kind).toBe('malformed');
  });

  test('a text that cannot be a note is not signed', () => {
    const signature = { name: 'a', keyHash: '00000000', signature: Uint8Array.of(1) };
    for (const text of ['', '\n', 'no line end', 'tab\t\n', 'lone \udc00\n'])
      expect(() => formatNote(text, [signature])).toThrow(RangeError);
    expect(() => formatNote('text\n', [])).toThrow(RangeError);
    expect(() => formatNote('text\n', [{ ...signature, name: 'a b' }])).toThrow(RangeError);
  });
});

describe('parseNoteKey', () => {
  test('refuses a key whose hash is not its own, or that is not Ed25519', () => {
    const malformed = [
      GO_KEY.replace('c74f20a3', 'c74f20a4'),
      GO_KEY.replace('PeterNeumann', 'PeterNeuman'),
      GO_KEY.replace('+AR', '+AA'),
      GO_KEY.slice(0, -4),
      `${GO_KEY}\n`,
      GO_KEY.replace('c74f20a3', 'C74F20A3'),
      'PeterNeumann+c74f20a3',
      '',
    ];
    expect(malformed.map((text) => parseNoteKey(sha256, text).kind)).toEqual(malformed.map(() => 'malformed'));
  });

  test('a key name holds no white space, plus sign or control character', () => {
    expect(['a', 'snowtrail/1f', 'é'].map(isKeyName)).toEqual([true, true, true]);
    expect(['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u007f', 'a\ud800'].map(isKeyName)).toEqual(Array(7).fill(false));
  });
});

describe('checkpoints', () => {
  const root = sha256(utf8('root'));

  test('are three lines, read back as written', () => {
    const checkpoint = { origin: 'snowtrail/3a', size: 2n ** 63n - 1n, root };
    const text = encodeCheckpoint(checkpoint);
    expect(text).toBe(`snowtrail/3a\n9223372036854775807\n${toBase64(root)}\n`);
    expect(value(parseCheckpoint(text))).toEqual({ ...checkpoint, root: Uint8Array.from(root) });
  });

  test('malformed ones are refused', () => {
    const good = encodeCheckpoint({ origin: 'o', size: 10n, root });
    const malformed = [
      good.slice(0, -1),
      `${good}extension\n`,
      `${good}\n`,
      good.replace('10', '010'),
      good.replace('10', '-1'),
      good.replace('10', '1e1'),
      good.replace('10', '9223372036854775808'),
      good.replace('10', ''),
      good.replace('o\n', '\n'),
      good.replace('o\n', 'o o\n'),
      good.replace('=', ''),
      good.replace(toBase64(root), toBase64(root.subarray(1))),
      good.replaceAll('\n', '\r\n'),
      '',
    ];
    expect(malformed.map((text) => parseCheckpoint(text).kind)).toEqual(malformed.map(() => 'malformed'));
  });

  test('are not written with values that could not be read', () => {
    const good = { origin: 'o', size: 1n, root };
    for (const bad of [
      { ...good, origin: 'a b' },
      { ...good, size: -1n },
      { ...good, size: 2n ** 63n },
      { ...good, root: root.subarray(1) },
    ])
      expect(() => encodeCheckpoint(bad)).toThrow(RangeError);
  });
});
