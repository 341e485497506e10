/**
 * A link from one checkpoint key to the next: a note that states a key and that the key before it signed as well.
 *
 * Links come from key receipts and from key statements of the journal, which key files and the server pass on. Where one
 * comes from proves nothing: `Trust.follow` checks its signatures.
 */
import { parseKeyStatement } from '../tlog/key-statement.ts';
import { keyHash, type Note, type NoteKey, parseNote } from '../tlog/note.ts';
import { sha256 } from './trust.ts';

export interface KeyLink {
  readonly note: Note;
  /** The key that it states. */
  readonly key: NoteKey;
}

/** Most statements of one key file; more are not read. */
export const KEY_STATEMENTS_MAX = 400;

/** Reads an untrusted key statement; `undefined` when it states no checkpoint key that signed it. No signature is checked. */
export function readKeyLink(text: string): KeyLink | undefined {
  const note = parseNote(text);
  if (note.kind === 'malformed') return undefined;
  const statement = parseKeyStatement(note.value.text);
  if (statement.kind === 'malformed' || statement.value.use !== 'checkpoint') return undefined;
  return keyLink(note.value, statement.value);
}

/** The link that a note makes to the key it states; `undefined` when the key is not the one of its fingerprint, or did not sign. */
export function keyLink(
  note: Note,
  { fingerprint, publicKey }: { readonly fingerprint: string; readonly publicKey: Uint8Array },
): KeyLink | undefined {
  const name = note.signatures.find((signature) => signature.keyHash === fingerprint)?.name;
  if (name === undefined || publicKey.length !== 32 || keyHash(sha256, name, publicKey) !== fingerprint) return undefined;
  return { note, key: { name, keyHash: fingerprint, publicKey } };
}
