/**
 * Reads blocks of a sealed segment, in two steps. Format: docs/formats/journal.md, "Sealed file".
 *
 * `unpackBlock` checks and inflates a block as it lies in the file; it can run in another thread. `UnpackedBlock` hands
 * out single entries of it: an entry is put together, and the CRC of its frame checked, when somebody asks for it, because
 * a look-up wants one of the dozen that a block holds.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import type { JournalEntry } from '../../journal.ts';
import { type EntryParts, frameCrc, makeEntry, NONCE_BYTES, view } from './frame.ts';
import { deriveNonces } from './nonces.ts';

export const BLOCK_HEAD_BYTES = 32;
/** CRC of each entry's frame, behind its nonce where that is stored. */
const CRC_BYTES = 4;
/** Nonce and CRC of each entry in an unpacked block. */
const RANDOM_BYTES = NONCE_BYTES + CRC_BYTES;
/** Bit of a block's flags: nonces are not stored, they come from the segment's key. */
export const DERIVED_NONCES = 1;

/** Bits of an entry's first byte. */
export const SAME_HEAD = 1;
export const ID_IN_CONTENT = 2;
export const CONFLICTING = 4;
/** An id is found in the event's bytes after this, up to the next quote. */
export const ID_MEMBER = Buffer.from('"eventID":"');
export const QUOTE = 0x22;

/** What an entry of an unpacked block costs in memory beside its bytes. An estimate. */
const META_BYTES = 120;

/** What the head of a block says. */
export interface BlockHead {
  /** Bytes after the head. */
  readonly bodyBytes: number;
  readonly bodyCrc: number;
  /** Row of its first entry: rows count from 0 within the segment. */
  readonly firstRow: number;
  readonly count: number;
  readonly contentBytes: number;
  readonly receivedAtMs: number;
  readonly hasDerivedNonces: boolean;
}

/** What is stored of each entry beside the content, in bytes. */
function storedRandomBytes({ hasDerivedNonces }: Pick<BlockHead, 'hasDerivedNonces'>): number {
  return hasDerivedNonces ? CRC_BYTES : RANDOM_BYTES;
}

/** The head at `at`, or `undefined` when there is none or it is damaged. */
export function decodeBlockHead(bytes: Buffer, at: number, salt: number): BlockHead | undefined {
  if (at + BLOCK_HEAD_BYTES > bytes.length) return undefined;
  if (crc32(view(bytes, at + 4, at + BLOCK_HEAD_BYTES), salt) !== bytes.readUInt32LE(at)) return undefined;
  return {
    bodyBytes: bytes.readUInt32LE(at + 4),
    bodyCrc: bytes.readUInt32LE(at + 8),
    firstRow: bytes.readUInt32LE(at + 12),
    count: bytes.readUInt16LE(at + 16),
    contentBytes: bytes.readUInt32LE(at + 20),
    receivedAtMs: bytes.readUIntLE(at + 24, 6),
    hasDerivedNonces: (bytes.readUInt16LE(at + 30) & DERIVED_NONCES) !== 0,
  };
}

/** A block cannot be read. The message says what is wrong with it. */
export class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
}

/** Whether an error says that the bytes of a block are wrong: a range that they name may lie outside of them. */
export function isBlockDamage(error: unknown): error is Error {
  return error instanceof BlockDamaged || error instanceof RangeError;
}

/** What the blocks of a segment are unpacked with. */
export interface Packing {
  readonly salt: number;
  /** First sequence of the segment. */
  readonly firstSequence: number;
  /** In shared memory where another thread gets it. */
  readonly dictionary: Uint8Array;
  /** The segment's (see `nonces.ts`). */
  readonly nonceKey: Uint8Array;
}

/**
 * The block that `bytes` begin with, checked: its head, the nonce and CRC of each entry, whether or not nonces are stored, and the
 * content inflated.
 * @throws BlockDamaged when a byte of it is not the one that was written.
 */
export function unpackBlock(bytes: Buffer, context: Packing): Buffer {
  const head = decodeBlockHead(bytes, 0, context.salt);
  if (head === undefined) throw new BlockDamaged('the head of a block fails its check');
  const body = bytes.subarray(BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES + head.bodyBytes);
  if (body.length !== head.bodyBytes) throw new BlockDamaged('the file ends within a block');
  if (crc32(body, context.salt) !== head.bodyCrc) throw new BlockDamaged('the CRC of a block differs');
  const storedBytes = head.count * storedRandomBytes(head);
  const content = inflate(body.subarray(storedBytes), head, context.dictionary);
  const contentAt = BLOCK_HEAD_BYTES + head.count * RANDOM_BYTES;
  // Memory of its own, so that another thread can give it away.
  const unpacked = Buffer.allocUnsafeSlow(contentAt + content.length);
  bytes.copy(unpacked, 0, 0, BLOCK_HEAD_BYTES);
  copyRandoms(body, unpacked, head, context);
  content.copy(unpacked, contentAt);
  return unpacked;
}

/** Nonce and CRC of each entry. */
function copyRandoms(body: Buffer, unpacked: Buffer, head: BlockHead, { firstSequence, nonceKey }: Packing): void {
  if (!head.hasDerivedNonces) {
    body.copy(unpacked, BLOCK_HEAD_BYTES, 0, head.count * RANDOM_BYTES);
    return;
  }
  const nonces = deriveNonces(nonceKey, firstSequence + head.firstRow, head.count);
  for (let row = 0; row < head.count; row++) {
    const to = BLOCK_HEAD_BYTES + row * RANDOM_BYTES;
    nonces.copy(unpacked, to, row * NONCE_BYTES, (row + 1) * NONCE_BYTES);
    body.copy(unpacked, to + NONCE_BYTES, row * CRC_BYTES, (row + 1) * CRC_BYTES);
  }
}

function inflate(deflated: Uint8Array, head: BlockHead, dictionary: Uint8Array): Buffer {
  try {
    const options = {
      ...withDictionary(dictionary),
      maxOutputLength: head.contentBytes + 1,
      chunkSize: Math.max(64, head.contentBytes + 1),
    };
    const content = inflateRawSync(deflated, options);
    if (content.length === head.contentBytes) return content;
  } catch (cause) {
    throw new BlockDamaged('a block does not inflate', { cause });
  }
  throw new BlockDamaged('a block inflates to another size');
}

/** An empty dictionary is none: zlib wants one to have bytes. */
export function withDictionary(dictionary: Uint8Array): { readonly dictionary?: Uint8Array } {
  return dictionary.length === 0 ? {} : { dictionary };
}

/** What a block says of an entry before its bytes. */
interface EntryMeta {
  readonly place: { readonly type: number; readonly account: string; readonly region: string };
  readonly isConflicting: boolean;
  readonly receivedAtMs: number;
  /** Absent when it is to be found in the bytes. */
  readonly id: string | undefined;
  /** Where its bytes begin and end in the bytes of all entries. */
  readonly from: number;
  readonly to: number;
}

/** The entries of a block that was checked and inflated by `unpackBlock`. */
export class UnpackedBlock {
  /** Sequence of its first entry. */
  readonly first: number;
  /** Sequence of its last entry. */
  readonly last: number;
  readonly #bytes: Buffer;
  readonly #salt: number;
  readonly #metas: readonly EntryMeta[];
  /** Where the bytes of all entries begin. */
  readonly #entriesAt: number;

  /** @throws BlockDamaged when the content does not begin with what stands for each entry. */
  constructor(unpacked: Buffer, { salt, firstSequence }: Pick<Packing, 'salt' | 'firstSequence'>) {
    const head = decodeBlockHead(unpacked, 0, salt);
    if (head === undefined) throw new BlockDamaged('the head of a block fails its check');
    this.first = firstSequence + head.firstRow;
    this.last = this.first + head.count - 1;
    this.#bytes = unpacked;
    this.#salt = salt;
    const { metas, end } = readMetas(unpacked, head);
    this.#metas = metas;
    this.#entriesAt = end;
  }

  /** What it takes in memory. */
  get costBytes(): number {
    return this.#bytes.length + this.#metas.length * META_BYTES;
  }

  /**
   * The entry of a sequence from `first` to `last`. Its bytes are a view of the block's.
   * @throws BlockDamaged unless every byte of the entry is the one that was appended.
   */
  entry(sequence: number): JournalEntry {
    const row = sequence - this.first;
    const { place, isConflicting, receivedAtMs, id, from, to } = this.#metas[row]!;
    const bytes = this.#bytes.subarray(this.#entriesAt + from, this.#entriesAt + to);
    const randomAt = BLOCK_HEAD_BYTES + row * RANDOM_BYTES;
    const parts: EntryParts = {
      type: place.type,
      isConflicting,
      sequence,
      receivedAtMs,
      account: place.account,
      region: place.region,
      id: id ?? readId(bytes),
      nonce: view(this.#bytes, randomAt, randomAt + NONCE_BYTES),
      bytes: view(bytes, 0, bytes.length),
    };
    if (frameCrc(this.#salt, parts) !== this.#bytes.readUInt32LE(randomAt + NONCE_BYTES))
      throw new BlockDamaged(`the CRC of entry ${sequence} differs`);
    return makeEntry(parts);
  }

  /** All entries, in order. @throws as `entry` */
  entries(): JournalEntry[] {
    return this.#metas.map((_, row) => this.entry(this.first + row));
  }
}

/** What stands before the entries' bytes, and where those begin. */
function readMetas(unpacked: Buffer, head: BlockHead): { readonly metas: readonly EntryMeta[]; readonly end: number } {
  const reader = new MetaReader(unpacked, BLOCK_HEAD_BYTES + head.count * RANDOM_BYTES);
  let receivedAtMs = head.receivedAtMs;
  let place = { type: 0, account: '', region: '' };
  /** Bytes of the entries before. */
  let before = 0;
  const metas = Array.from({ length: head.count }, () => {
    const shape = reader.byte();
    receivedAtMs += unzigzag(reader.varint());
    const from = before;
    before += reader.varint();
    if ((shape & SAME_HEAD) === 0) {
      const [type, accountBytes, regionBytes] = [reader.byte(), reader.byte(), reader.byte()];
      place = { type, account: reader.text(accountBytes), region: reader.text(regionBytes) };
    }
    const id = (shape & ID_IN_CONTENT) === 0 ? reader.text(reader.varint()) : undefined;
    return { place, isConflicting: (shape & CONFLICTING) !== 0, receivedAtMs, id, from, to: before };
  });
  return { metas, end: reader.at };
}

function readId(content: Buffer): string {
  const from = content.indexOf(ID_MEMBER) + ID_MEMBER.length;
  return content.toString('utf8', from, content.indexOf(QUOTE, from));
}

class MetaReader {
  at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    const value = this.#bytes[this.at++];
    if (value === undefined) throw new BlockDamaged('the content of a block ends too early');
    return value;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  text(bytes: number): string {
    this.at += bytes;
    return this.#bytes.toString('utf8', this.at - bytes, this.at);
  }
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
