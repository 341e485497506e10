/**
 * Signed notes: a text that people can read, with signatures below it; and the keys that sign them.
 *
 * Reading a note proves nothing yet: `verifyNote` holds it against keys that the caller trusts already. Keys are never
 * taken from a note. Signing and checking are passed in, so this file knows of no key store and no crypto library.
 * Source: C2SP signed-note, Ed25519 keys (type 0x01). Tested with the example of Go's `sumdb/note`.
 */
import type { Sha256 } from './hash.ts';
import { Malformed, outcomeOf, type Parsed } from './parsed.ts';
import { decodeUtf8, fromBase64, fromHex, toBase64, toHex, utf8 } from './text.ts';

/** Largest note that is read, as in Go's reader. */
export const NOTE_BYTES_MAX = 1_048_576;
/** Most signature lines that are read, as in Go's reader. */
const NOTE_SIGNATURES_MAX = 100;

const ED25519 = 1;
const ED25519_KEY_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
const KEY_HASH_BYTES = 4;

/** One signature line of a note. */
export interface NoteSignature {
  /** Name of the key. */
  readonly name: string;
  /** Eight lower-case hexadecimal digits that tell keys of one name apart; no proof of anything. */
  readonly keyHash: string;
  /** The signature's bytes; 64 for Ed25519. */
  readonly signature: Uint8Array;
}

export interface Note {
  /** What is signed, with its last line end. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A public key that checks notes. */
export interface NoteKey {
  readonly name: string;
  readonly keyHash: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** Checks an Ed25519 signature. Must return false, not throw, for a signature or key of the wrong form. */
export type VerifyEd25519 = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** What became of a note held against trusted keys. */
export type NoteVerdict =
  /** Each signature by one of the keys is right, and there is at least one. */
  | { readonly kind: 'signed'; readonly by: readonly NoteKey[] }
  /** None of the keys signed it. */
  | { readonly kind: 'no-known-key' }
  /** A line claims to be by this key, and is not. */
  | { readonly kind: 'bad-signature'; readonly key: NoteKey };

/** True for the name of a key or a log: not empty, no white space, no plus sign, no control character. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 255 && !/[\s+\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]/u.test(name) && name.isWellFormed();
}

/** The key hash: first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), as 8 hexadecimal digits. */
export function keyHash(sha256: Sha256, name: string, publicKey: Uint8Array): string {
  const prefix = utf8(`${name}\n`);
  const input = new Uint8Array(prefix.length + 1 + publicKey.length);
  input.set(prefix);
  input[prefix.length] = ED25519;
  input.set(publicKey, prefix.length + 1);
  return toHex(sha256(input).subarray(0, KEY_HASH_BYTES));
}

/** The key as one line of text for policies and command lines: `name+hash+base64(0x01 ‖ public key)`. */
export function formatNoteKey(key: NoteKey): string {
  const typed = new Uint8Array(1 + key.publicKey.length);
  typed[0] = ED25519;
  typed.set(key.publicKey, 1);
  return `${key.name}+${key.keyHash}+${toBase64(typed)}`;
}

/** Reads a key's line. The hash must be the key's own. */
export function parseNoteKey(sha256: Sha256, text: string): Parsed<NoteKey> {
  return outcomeOf(() => {
    // The key's base64 may hold plus signs: only the first two separate.
    const [, name, hash, key] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
    if (name === undefined || hash === undefined || key === undefined || !isKeyName(name))
      throw new Malformed('a verifier key is `name+hash+key`: a name, 8 lower-case hexadecimal digits and base64');
    const typed = fromBase64(key);
    if (typed?.length !== 1 + ED25519_KEY_BYTES || typed[0] !== ED25519) throw new Malformed('the verifier key is not an Ed25519 key');
    const publicKey = typed.subarray(1);
    if (keyHash(sha256, name, publicKey) !== hash) throw new Malformed(`the verifier key's hash \`${hash}\` is another key's`);
    return { name, keyHash: hash, publicKey };
  });
}

/**
 * Joins a text and its signatures into a note.
 * @throws RangeError when the text cannot be a note's: no line end at its end, a control character, malformed Unicode;
 *   or when nobody signed it.
 */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  const fault = faultOfText(text);
  if (fault !== undefined) throw new RangeError(fault);
  if (signatures.length === 0) throw new RangeError('a note has at least one signature');
  const lines = signatures.map(({ name, keyHash: hash, signature }) => {
    const hashBytes = fromHex(hash);
    if (!isKeyName(name) || hashBytes?.length !== KEY_HASH_BYTES) throw new RangeError(`\`${name}\`, \`${hash}\` is not a note's key`);
    const blob = new Uint8Array(KEY_HASH_BYTES + signature.length);
    blob.set(hashBytes);
    blob.set(signature, KEY_HASH_BYTES);
    return `— ${name} ${toBase64(blob)}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** Reads an untrusted note. Nothing is verified. */
export function parseNote(note: Uint8Array | string): Parsed<Note> {
  return outcomeOf(() => {
    const whole = readWhole(note);
    const split = whole.lastIndexOf('\n\n');
    if (split < 0) throw new Malformed('a note has an empty line between its text and its signatures');
    const text = whole.slice(0, split + 1);
    const fault = faultOfText(text);
    if (fault !== undefined) throw new Malformed(fault);
    const lines = whole.slice(split + 2).split('\n');
    if (lines.pop() !== '') throw new Malformed("a note's last line has a line end");
    if (lines.length === 0) throw new Malformed('a note has at least one signature');
    if (lines.length > NOTE_SIGNATURES_MAX) throw new Malformed(`a note has at most ${NOTE_SIGNATURES_MAX} signatures`);
    const signatures = lines.map(readSignature);
    const keys = new Set(signatures.map((signature) => `${signature.name} ${signature.keyHash}`));
    if (keys.size !== signatures.length) throw new Malformed('a key signs a note once');
    return { text, signatures };
  });
}

/** Checks every signature of a note that claims to be by one of `keys`. Others are passed over, as C2SP says. */
export function verifyNote(note: Note, keys: readonly NoteKey[], verify: VerifyEd25519): NoteVerdict {
  const message = utf8(note.text);
  const by: NoteKey[] = [];
  for (const { name, keyHash: hash, signature } of note.signatures) {
    const claimed = keys.filter((key) => key.name === name && key.keyHash === hash);
    for (const key of claimed) {
      const isRight = signature.length === ED25519_SIGNATURE_BYTES && verify(key.publicKey, message, signature);
      if (!isRight) return { kind: 'bad-signature', key };
      by.push(key);
    }
  }
  return by.length > 0 ? { kind: 'signed', by } : { kind: 'no-known-key' };
}

function readWhole(note: Uint8Array | string): string {
  // A text has at most as many characters as bytes, so this bounds both.
  if (note.length > NOTE_BYTES_MAX) throw new Malformed(`a note has at most ${NOTE_BYTES_MAX} bytes`);
  const whole = typeof note === 'string' ? note : decodeUtf8(note);
  if (whole === undefined) throw new Malformed('a note is UTF-8');
  return whole;
}

function readSignature(line: string): NoteSignature {
  const [dash, name, base64, ...more] = line.split(' ');
  if (dash !== '—' || name === undefined || base64 === undefined || more.length > 0 || !isKeyName(name))
    throw new Malformed("a note's signature line is `— name base64`");
  const blob = fromBase64(base64);
  if (blob === undefined || blob.length <= KEY_HASH_BYTES)
    throw new Malformed(`the signature by \`${name}\` is not base64 of a hash and a signature`);
  return { name, keyHash: toHex(blob.subarray(0, KEY_HASH_BYTES)), signature: blob.subarray(KEY_HASH_BYTES) };
}

function faultOfText(text: string): string | undefined {
  if (text.length < 2 || !text.endsWith('\n')) return "a note's text is not empty and ends with a line end";
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) return "a note's text holds no control character but line ends";
  // A text with a lone surrogate has no UTF-8 and would be signed as another one.
  if (!text.isWellFormed()) return "a note's text is well-formed Unicode";
  return undefined;
}
