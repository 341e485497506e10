/**
 * A link from one checkpoint key to the next: a note that states a key and that the key before it signed as well.
 *
 * Links come from key receipts and from key statements of the journal, which key files and the server pass on. Where one
 * comes from proves nothing: `Trust.follow` checks its signatures.
 */
import { parseKeyStatement } from '../tlog/key-statement.ts';
import { keyHash, type Note, type NoteKey, parseNote } from '../tlog/note.ts';
import type { Parsed, UnknownVersion } from '../tlog/parsed.ts';
import { parseReceipt } from '../tlog/receipt.ts';
import { sha256, type Trust } from './trust.ts';

export interface KeyLink {
  readonly note: Note;
  /** The key that it states. */
  readonly key: NoteKey;
}

/** A statement of a version that is not known here. Whoever signed it may vouch for a key in it. */
export type UnknownStatement = UnknownVersion & { readonly note: Note };

/** Most statements of one key file; more are not read. */
export const KEY_STATEMENTS_MAX = 400;

/** Reads an untrusted key statement; `malformed` when it states no checkpoint key that signed it. No signature is checked. */
export function readKeyLink(text: string): Parsed<KeyLink> | UnknownStatement {
  const note = parseNote(text);
  if (note.kind === 'malformed') return note;
  const statement = parseKeyStatement(note.value.text);
  if (statement.kind === 'malformed') return statement;
  if (statement.kind === 'unknown-version') {
    // A receipt that a trusted key signed, and anybody beside it, vouches for nobody.
    if (parseReceipt(note.value.text).kind === 'ok') return { kind: 'malformed', reason: 'it is a receipt' };
    return { ...statement, note: note.value };
  }
  const link = statement.value.use === 'checkpoint' ? keyLink(note.value, statement.value) : undefined;
  return link === undefined ? { kind: 'malformed', reason: 'it states no checkpoint key that signed it' } : { kind: 'ok', value: link };
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

/** Goes from trusted keys to the keys that they vouch for, as far as it leads. */
export function followKeys(trust: Trust, links: readonly KeyLink[]): void {
  let isNews = true;
  while (isNews) {
    isNews = false;
    for (const { note, key } of links) if (trust.follow(note, key)) isNews = true;
  }
}
