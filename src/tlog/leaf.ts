/**
 * The leaf that stands for one journal entry in the evidence tree.
 *
 * A leaf names the entry (kind, sequence, time of receipt, account, id) and commits to its bytes through a hash over a
 * random nonce and the bytes: who holds the tree cannot test guesses about an event, and an event may be erased without
 * changing the tree. The text is the whole of what is hashed; ARCHITECTURE.md "Evidence beside the digests" specifies it.
 *
 * INVARIANT: two different entries never have the same text. An id may hold any character, even a line end: five lines
 * of fixed form stand before it and one after it, so the id is what is left between.
 */
import { HASH_BYTES, hashLeaf, type Sha256 } from './hash.ts';
import { toHex, utf8 } from './text.ts';

/** What a leaf says of an entry; the journal's own entries have this shape. */
export interface LeafEntry {
  readonly kind: 'event' | 'fact';
  /** Given for facts. */
  readonly factKind?: string;
  /** Position in the journal, from 1; the leaf's index is one less. */
  readonly sequence: bigint;
  readonly receivedAtMs: number;
  /** Twelve digits. */
  readonly account: string;
  /** Event id, or fact id. */
  readonly id: string;
  /** 16 random bytes, kept beside the entry. */
  readonly nonce: Uint8Array;
  /** What was received, byte for byte. */
  readonly bytes: Uint8Array;
}

/** Input of the hashes below, used again each time: every event of the journal is hashed here. */
const input = new Uint8Array(65_536);

/** SHA-256(nonce ‖ bytes): what the leaf says of the bytes. */
export function hashBytes(sha256: Sha256, entry: Pick<LeafEntry, 'nonce' | 'bytes'>): Uint8Array {
  const length = entry.nonce.length + entry.bytes.length;
  const joined = length <= input.length ? input.subarray(0, length) : new Uint8Array(length);
  joined.set(entry.nonce);
  joined.set(entry.bytes, entry.nonce.length);
  return sha256(joined);
}

/** The leaf's text, with the hash of nonce and bytes (32 bytes) given. */
export function leafText(entry: Omit<LeafEntry, 'nonce' | 'bytes'>, bytesHash: Uint8Array): string {
  if (bytesHash.length !== HASH_BYTES) throw new RangeError(`a hash has ${HASH_BYTES} bytes, not ${bytesHash.length}`);
  const kind = entry.kind === 'event' ? 'event' : `fact:${entry.factKind}`;
  return `snowtrail-leaf/1\n${kind}\n${entry.sequence}\n${entry.receivedAtMs}\n${entry.account}\n${entry.id}\n${toHex(bytesHash)}\n`;
}

/** The hash of an entry's leaf, as it stands in level 0 of the tree. */
export function hashEntry(sha256: Sha256, entry: LeafEntry): Uint8Array {
  return hashLeafText(sha256, leafText(entry, hashBytes(sha256, entry)));
}

/** The RFC 6962 leaf hash of a text. Nearly every leaf is ASCII and short, and is written straight into `input`. */
function hashLeafText(sha256: Sha256, text: string): Uint8Array {
  if (text.length >= input.length) return hashLeaf(sha256, utf8(text));
  input[0] = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) return hashLeaf(sha256, utf8(text));
    input[index + 1] = code;
  }
  return sha256(input.subarray(0, text.length + 1));
}
