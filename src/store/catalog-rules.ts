/**
 * What every catalog checks before it changes anything, and the order of its keys.
 *
 * A key is its parts joined by NUL, in UTF-8. NUL is the lowest byte and no part holds it, so keys order by their first
 * parts, then by the second, and a prefix of parts is a prefix of bytes.
 */
import type { CatalogChange, CatalogKey } from './catalog.ts';

const PART_BYTES_MAX = 512;
const KEY_BYTES_MAX = 1_900;
const DOCUMENT_BYTES_MAX = 1024 * 1024;

/** @throws RangeError when a part is empty, too long, holds NUL or half a character, or when all are too long together. */
export function encodeCatalogKey(key: CatalogKey): Buffer {
  for (const part of key) {
    const bytes = Buffer.byteLength(part);
    if (bytes === 0 || bytes > PART_BYTES_MAX || /\0|\p{Surrogate}/u.test(part))
      throw new RangeError(`part ${JSON.stringify(part.slice(0, 40))} of a catalog key must be 1 to ${PART_BYTES_MAX} bytes without NUL`);
  }
  const encoded = Buffer.from(key.join('\0'));
  if (encoded.length > KEY_BYTES_MAX) throw new RangeError(`a catalog key must be at most ${KEY_BYTES_MAX} bytes`);
  return encoded;
}

export function decodeCatalogKey(bytes: Uint8Array): CatalogKey {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').split('\0') as unknown as CatalogKey;
}

/** One change, checked; `text` is the document's JSON, absent for a deletion. */
export interface EncodedChange {
  readonly key: CatalogKey;
  readonly keyBytes: Buffer;
  readonly text: string | undefined;
  readonly expected: number | 'any';
}

/**
 * Encodes all changes of a commit, so that none can fail half-way.
 * @throws RangeError when a key or document is not allowed, or a key appears twice.
 */
export function encodeChanges(changes: readonly CatalogChange[]): readonly EncodedChange[] {
  const seen = new Set<string>();
  return changes.map(({ key, value, expected }) => {
    const keyBytes = encodeCatalogKey(key);
    const name = key.join('\0');
    if (seen.has(name)) throw new RangeError(`a commit changes ${JSON.stringify(key)} twice`);
    seen.add(name);
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (text !== undefined && Buffer.byteLength(text) > DOCUMENT_BYTES_MAX)
      throw new RangeError(
        `document ${JSON.stringify(key)} has ${Buffer.byteLength(text)} bytes; at most ${DOCUMENT_BYTES_MAX} are allowed`,
      );
    return { key, keyBytes, text, expected };
  });
}

/** Makes a document one that several may hold: whoever tries to change it gets a TypeError. */
export function freezeWhole(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  for (const member of Object.values(value)) freezeWhole(member);
}
