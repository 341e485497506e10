/**
 * Reads a public key file that lies beside the receipts: `keys/<use>-<fingerprint>.json`.
 *
 * Nothing in it is believed for being there. Fingerprints are computed from the key, never taken from the file.
 */
import { isKeyName, keyHash, type NoteKey } from '../tlog/note.ts';
import { decodeUtf8, fromBase64 } from '../tlog/text.ts';
import { KEY_STATEMENTS_MAX, type KeyLink, readKeyLink } from './key-link.ts';
import { digestFingerprint, sha256 } from './trust.ts';

export const KEY_FILE_BYTES_MAX = 512 * 1024;
const ED25519_KEY_BYTES = 32;

export type EvidenceKey =
  | {
      readonly kind: 'checkpoint';
      readonly key: NoteKey;
      /** Who vouches for it, and for those who do. */
      readonly links: readonly KeyLink[];
    }
  | { readonly kind: 'digest'; readonly publicKey: Uint8Array }
  /** Completes the sentence "it …". */
  | { readonly kind: 'malformed'; readonly reason: string };

/** @param name The file's name, which states use and fingerprint. */
export function readEvidenceKey(name: string, bytes: Uint8Array): EvidenceKey {
  const members = parseMembers(bytes);
  if (members === undefined) return { kind: 'malformed', reason: 'is not a JSON object' };
  const { use, publicKey: base64, origin } = members;
  const publicKey = typeof base64 === 'string' ? fromBase64(base64) : undefined;
  if (publicKey === undefined) return { kind: 'malformed', reason: 'has no `publicKey` in base64' };
  if (use === 'digest') {
    const isRight = name === `digest-${digestFingerprint(publicKey)}.json`;
    return isRight ? { kind: 'digest', publicKey } : { kind: 'malformed', reason: 'holds another key than its name says' };
  }
  if (use !== 'checkpoint' || typeof origin !== 'string' || !isKeyName(origin) || publicKey.length !== ED25519_KEY_BYTES)
    return { kind: 'malformed', reason: 'is not a digest key nor a checkpoint key with its `origin`' };
  const key = { name: origin, keyHash: keyHash(sha256, origin, publicKey), publicKey };
  const isRight = name === `checkpoint-${key.keyHash}.json`;
  if (!isRight) return { kind: 'malformed', reason: 'holds another key than its name says' };
  const links = readLinks(members['statements'] ?? []);
  return links === undefined ? { kind: 'malformed', reason: 'holds `statements` that are none' } : { kind: 'checkpoint', key, links };
}

function readLinks(statements: unknown): readonly KeyLink[] | undefined {
  if (!Array.isArray(statements) || statements.length > KEY_STATEMENTS_MAX) return undefined;
  const links = statements.map((text: unknown) => (typeof text === 'string' ? readKeyLink(text) : undefined));
  return links.every((link) => link !== undefined) ? links : undefined;
}

function parseMembers(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(decodeUtf8(bytes) ?? '') as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
