/**
 * Key statements: the log itself says which keys sign, since when, and who vouches for them.
 *
 * A statement is a signed note in a `key` fact of the journal, hence a leaf of the tree. The key that came before signs
 * as well as the new one: a key that somebody slipped in has no such line. Checkpoint keys sign the note itself. A digest
 * key is RSA, which notes don't know: its signatures, and those of its predecessor, stand in `rsaSignatures` over
 * `keyStatementToSign`, and the note is signed by the checkpoint key of the time.
 *
 * Deterministic: the same keys make the same bytes, so that a statement may be written again after a crash.
 */
import { Malformed, type ParsedVersion } from './parsed.ts';
import { asObject, checkMembers, type JsonMembers, readArray, readText, readTextOrNull, readVersioned } from './read-json.ts';
import { fromBase64, toBase64 } from './text.ts';

/** The form that is written and read here. Raise it with every change of the form. */
const STATEMENT_VERSION = 1;

export interface KeyStatement {
  readonly use: 'digest' | 'checkpoint';
  readonly fingerprint: string;
  /** Digest keys: PKCS#1 DER. Checkpoint keys: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly validFrom: string;
  /** `null` for the first key of its use. */
  readonly previousFingerprint: string | null;
}

/** A statement and, for a digest key, the signatures of the new key and the one before. */
export interface SignedKeyStatement extends KeyStatement {
  /** Empty for a checkpoint key. */
  readonly rsaSignatures: readonly { readonly fingerprint: string; readonly signature: Uint8Array }[];
}

/** What a digest key signs (RSASSA-PKCS1-v1_5 with SHA-256) to vouch for itself or its successor. */
export function keyStatementToSign(statement: KeyStatement): string {
  return `${JSON.stringify(members(statement))}\n`;
}

/** The note's text, one line with its line end. */
export function encodeKeyStatement(statement: SignedKeyStatement): string {
  const rsaSignatures = statement.rsaSignatures.map(({ fingerprint, signature }) => ({ fingerprint, signature: toBase64(signature) }));
  return `${JSON.stringify({ ...members(statement), rsaSignatures })}\n`;
}

/** Reads the text of an untrusted note as a key statement. No signature is checked. */
export function parseKeyStatement(text: string): ParsedVersion<SignedKeyStatement> {
  if (text.length > 65_536) return { kind: 'malformed', reason: 'a key statement has at most 65536 bytes' };
  return readVersioned(text, STATEMENT_VERSION, readStatement);
}

function members(statement: KeyStatement): object {
  const { use, fingerprint, publicKey, validFrom, previousFingerprint } = statement;
  return { version: STATEMENT_VERSION, kind: 'key', use, fingerprint, publicKey: toBase64(publicKey), validFrom, previousFingerprint };
}

const FINGERPRINT = /^([0-9a-f]{8}|[0-9a-f]{32})$/;

function readStatement(root: JsonMembers): SignedKeyStatement {
  readText(root, 'kind', /^key$/);
  checkMembers(root, ['version', 'kind', 'use', 'fingerprint', 'publicKey', 'validFrom', 'previousFingerprint', 'rsaSignatures']);
  return {
    use: readText(root, 'use', /^(digest|checkpoint)$/) as KeyStatement['use'],
    fingerprint: readText(root, 'fingerprint', FINGERPRINT),
    publicKey: readBytes(root, 'publicKey'),
    validFrom: readText(root, 'validFrom', /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/),
    previousFingerprint: readTextOrNull(root, 'previousFingerprint', FINGERPRINT),
    rsaSignatures: readArray(root, 'rsaSignatures', 2).map((value, index) => {
      const from = asObject(value, `rsaSignatures[${index}]`);
      checkMembers(from, ['fingerprint', 'signature']);
      return { fingerprint: readText(from, 'fingerprint', FINGERPRINT), signature: readBytes(from, 'signature') };
    }),
  };
}

function readBytes(from: JsonMembers, name: string): Uint8Array {
  const bytes = fromBase64(readText(from, name, /^[A-Za-z0-9+/=]{4,8192}$/));
  if (bytes === undefined) throw new Malformed(`\`${name}\` is not base64`);
  return bytes;
}
