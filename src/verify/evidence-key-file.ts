/**
 * Reads a public key file that lies beside the receipts: `keys/<use>-<fingerprint>.json`.
 *
 * Nothing in it is believed for being there. Fingerprints are computed from the key, never taken from the file.
 */
import { isKeyName, keyHash, type NoteKey } from '../tlog/note.ts';
import { type UnknownVersion, unknownVersion } from '../tlog/parsed.ts';
import { decodeUtf8, fromBase64 } from '../tlog/text.ts';
import { KEY_STATEMENTS_MAX, type KeyLink, readKeyLink, type UnknownStatement } from './key-link.ts';
import { digestFingerprint, sha256 } from './trust.ts';

export const KEY_FILE_BYTES_MAX = 512 * 1024;
/** The form that is read here. Raise it with every change of the form. */
const KEY_FILE_VERSION = 1;
const ED25519_KEY_BYTES = 32;

export type EvidenceKey =
  | {
      readonly kind: 'checkpoint';
      readonly key: NoteKey;
      /** Who vouches for it, and for those who do. */
      readonly links: readonly KeyLink[];
      /** Statements that may do so as well. */
      readonly unknown: readonly UnknownStatement[];
    }
  | { readonly kind: 'digest'; readonly publicKey: Uint8Array }
  | UnknownVersion
  /** Completes the sentence "it …". */
  | { readonly kind: 'malformed'; readonly reason: string };

/** @param name The file's name, which states use and fingerprint. */
export function readEvidenceKey(name: string, bytes: Uint8Array): EvidenceKey {
  const members = parseMembers(bytes);
  if (members === undefined) return { kind: 'malformed', reason: 'is not a JSON object' };
  const { version, use, publicKey: base64, origin } = members;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1)
    return { kind: 'malformed', reason: 'has no `version`, a whole number from 1 on' };
  const unknown = unknownVersion(version, KEY_FILE_VERSION);
  if (unknown !== undefined) return unknown;
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
  return links === undefined ? { kind: 'malformed', reason: 'holds `statements` that are none' } : { kind: 'checkpoint', key, ...links };
}

function readLinks(statements: unknown): Pick<EvidenceKey & { kind: 'checkpoint' }, 'links' | 'unknown'> | undefined {
  if (!Array.isArray(statements) || statements.length > KEY_STATEMENTS_MAX) return undefined;
  const links: KeyLink[] = [];
  const unknown: UnknownStatement[] = [];
  for (const text of statements as readonly unknown[]) {
    const read = typeof text === 'string' ? readKeyLink(text) : undefined;
    if (read === undefined || read.kind === 'malformed') return undefined;
    if (read.kind === 'ok') links.push(read.value);
    else unknown.push(read);
  }
  return { links, unknown };
}

function parseMembers(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(decodeUtf8(bytes) ?? '') as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
