/**
 * How a catalog key becomes bytes: its parts as UTF-8, joined by NUL, so that byte order is the order of the tuples.
 */
import type { CatalogChange, CatalogKey } from './catalog.ts';

const PART_BYTES_MAX = 512;
/** Most bytes of a document as JSON text. */
export const DOCUMENT_BYTES_MAX = 1024 * 1024;

/** @throws RangeError when a part is empty, too long, or holds NUL. */
export function encodeCatalogKey(key: CatalogKey): Buffer {
  for (const part of key) {
    const bytes = Buffer.byteLength(part, 'utf8');
    if (bytes === 0 || bytes > PART_BYTES_MAX || part.includes('\0')) {
      throw new RangeError(`a catalog key's part must be 1 to ${PART_BYTES_MAX} bytes without NUL: ${JSON.stringify(key).slice(0, 200)}`);
    }
  }
  return Buffer.from(key.join('\0'), 'utf8');
}

export function decodeCatalogKey(bytes: Buffer): CatalogKey {
  return bytes.toString('utf8').split('\0') as unknown as CatalogKey;
}

/** The text of a change's document; `undefined` for a deletion. @throws RangeError when it is too long. */
export function encodeDocument(change: CatalogChange): string | undefined {
  if (change.value === undefined) return undefined;
  const text = JSON.stringify(change.value);
  if (text.length > DOCUMENT_BYTES_MAX || Buffer.byteLength(text, 'utf8') > DOCUMENT_BYTES_MAX) {
    throw new RangeError(`document ${JSON.stringify(change.key)} is longer than ${DOCUMENT_BYTES_MAX} bytes`);
  }
  return text;
}
