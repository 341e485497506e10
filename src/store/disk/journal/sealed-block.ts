/**
 * Blocks of a sealed segment: about 16 KiB of frames, deflated with the segment's dictionary.
 * Format: docs/formats/journal.md, "Sealed segment".
 *
 * What is random in a frame (nonce, CRC) is kept apart from what is deflated, because deflate only makes it longer; what
 * follows from its neighbours (sequence, account, Region, most ids) isn't stored at all. The CRC of every frame is
 * checked when a block is read, over the frame as it was before: a mistake in between cannot stay unseen.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { JournalEntry } from '../../journal.ts';
import { type EntryParts, frameCrc, makeEntry, NONCE_BYTES, splitFrame, view } from './frame.ts';

/** A block is closed when the frames in it reach this size. */
const BLOCK_BYTES = 16_384;
export const BLOCK_HEAD_BYTES = 32;
/** Nonce and CRC of each entry. */
const RANDOM_BYTES = NONCE_BYTES + 4;
/** Most frames a block can have: the smallest are 44 bytes. */
const BLOCK_ENTRIES_MAX = 1_024;

const SAME_HEAD = 1;
const ID_IN_CONTENT = 2;
const CONFLICTING = 4;
const ID_MEMBER = Buffer.from('"eventID":"');
const QUOTE = 0x22;

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
  };
}

export interface BlockContext {
  readonly salt: number;
  /** First sequence of the segment. */
  readonly firstSequence: number;
  readonly dictionary: Uint8Array;
  /** 1 to 9. */
  readonly level: number;
}

/** Gathers frames and turns them into a block. */
export class BlockBuilder {
  readonly #context: BlockContext;
  #firstRow = 0;
  readonly #randoms = Buffer.alloc(BLOCK_ENTRIES_MAX * RANDOM_BYTES);
  readonly #metas = new MetaWriter();
  #contents: Buffer[] = [];
  #frameBytes = 0;
  #firstReceivedAtMs = 0;
  /** The frame before in the same block. */
  #previous: ReturnType<typeof splitFrame> | undefined;

  constructor(context: BlockContext) {
    this.#context = context;
  }

  get count(): number {
    return this.#contents.length;
  }

  get isFull(): boolean {
    return this.#frameBytes >= BLOCK_BYTES || this.count >= BLOCK_ENTRIES_MAX;
  }

  /** Adds a frame. Its bytes are needed until `finish`. */
  add(bytes: Buffer, at: number, length: number): void {
    const frame = splitFrame(bytes, at, length);
    const previous = this.#previous;
    if (previous === undefined) this.#firstReceivedAtMs = frame.receivedAtMs;
    const isSameHead = previous !== undefined && isSamePlace(frame, previous);
    const isIdInContent = holdsId(frame.content, frame.id);
    const metas = this.#metas;
    metas.byte((isSameHead ? SAME_HEAD : 0) | (isIdInContent ? ID_IN_CONTENT : 0) | (frame.isConflicting ? CONFLICTING : 0));
    metas.varint(zigzag(frame.receivedAtMs - (previous?.receivedAtMs ?? frame.receivedAtMs)));
    metas.varint(frame.content.length);
    if (!isSameHead) {
      metas.byte(frame.type);
      metas.byte(frame.accountBytes);
      metas.byte(frame.regionBytes);
      metas.bytes(frame.place);
    }
    if (!isIdInContent) {
      metas.varint(frame.id.length);
      metas.bytes(frame.id);
    }
    this.#randoms.set(frame.nonce, this.count * RANDOM_BYTES);
    this.#randoms.set(frame.crc, this.count * RANDOM_BYTES + NONCE_BYTES);
    this.#previous = frame;
    this.#contents.push(frame.content);
    this.#frameBytes += length;
  }

  /** The block as it goes into the file, checked by reading it back; the builder is empty after it. */
  finish(): Buffer {
    const { salt, dictionary, level } = this.#context;
    const content = Buffer.concat([this.#metas.written(), ...this.#contents]);
    const deflated = deflateRawSync(content, { level, chunkSize: 32_768, ...withDictionary(dictionary) });
    const block = Buffer.concat([Buffer.alloc(BLOCK_HEAD_BYTES), this.#randoms.subarray(0, this.count * RANDOM_BYTES), deflated]);
    block.writeUInt32LE(block.length - BLOCK_HEAD_BYTES, 4);
    block.writeUInt32LE(crc32(block.subarray(BLOCK_HEAD_BYTES), salt), 8);
    block.writeUInt32LE(this.#firstRow, 12);
    block.writeUInt16LE(this.count, 16);
    block.writeUInt32LE(content.length, 20);
    block.writeUIntLE(this.#firstReceivedAtMs, 24, 6);
    block.writeUInt32LE(crc32(block.subarray(4, BLOCK_HEAD_BYTES), salt), 0);
    readBlockParts(block, 0, this.#context);
    this.#firstRow += this.count;
    this.#metas.clear();
    this.#contents = [];
    this.#frameBytes = 0;
    this.#previous = undefined;
    return block;
  }
}

function isSamePlace(a: ReturnType<typeof splitFrame>, b: ReturnType<typeof splitFrame>): boolean {
  return a.type === b.type && a.accountBytes === b.accountBytes && a.regionBytes === b.regionBytes && a.place.equals(b.place);
}

/** An empty dictionary is none: zlib wants one to have bytes. */
function withDictionary(dictionary: Uint8Array): { readonly dictionary?: Uint8Array } {
  return dictionary.length === 0 ? {} : { dictionary };
}

/** A block cannot be read. The message says what is wrong with it. */
class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
}

/** All entries of the block at `at`. @throws BlockDamaged unless every byte of every entry is the one that was appended. */
export function decodeBlock(bytes: Buffer, at: number, context: Omit<BlockContext, 'level'>): JournalEntry[] {
  return readBlockParts(bytes, at, context).map(makeEntry);
}

function readBlockParts(bytes: Buffer, at: number, context: Omit<BlockContext, 'level'>): EntryParts[] {
  const head = decodeBlockHead(bytes, at, context.salt);
  if (head === undefined) throw new BlockDamaged('the head of a block fails its check');
  const body = bytes.subarray(at + BLOCK_HEAD_BYTES, at + BLOCK_HEAD_BYTES + head.bodyBytes);
  if (body.length !== head.bodyBytes) throw new BlockDamaged('the file ends within a block');
  if (crc32(body, context.salt) !== head.bodyCrc) throw new BlockDamaged('the CRC of a block differs');
  const content = inflate(body.subarray(head.count * RANDOM_BYTES), head, context.dictionary);
  return readParts(content, body, head, context);
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

function readParts(content: Buffer, body: Buffer, head: BlockHead, context: Omit<BlockContext, 'level'>): EntryParts[] {
  const metas = readMetas(content, head);
  let at = metas.end;
  return metas.metas.map((meta, index) => {
    const bytes = content.subarray(at, at + meta.contentBytes);
    at += meta.contentBytes;
    const parts: EntryParts = {
      type: meta.place.type,
      isConflicting: meta.isConflicting,
      sequence: context.firstSequence + head.firstRow + index,
      receivedAtMs: meta.receivedAtMs,
      account: meta.place.account,
      region: meta.place.region,
      id: meta.id ?? readId(bytes),
      nonce: view(body, index * RANDOM_BYTES, index * RANDOM_BYTES + NONCE_BYTES),
      bytes: view(bytes, 0, bytes.length),
    };
    if (frameCrc(context.salt, parts) !== body.readUInt32LE(index * RANDOM_BYTES + NONCE_BYTES))
      throw new BlockDamaged(`the CRC of entry ${parts.sequence} differs`);
    return parts;
  });
}

/** What stands before the entries' bytes, and where those begin. */
function readMetas(content: Buffer, head: BlockHead) {
  const reader = new MetaReader(content);
  let receivedAtMs = head.receivedAtMs;
  let place = { type: 0, account: '', region: '' };
  const metas = Array.from({ length: head.count }, () => {
    const shape = reader.byte();
    receivedAtMs += unzigzag(reader.varint());
    const contentBytes = reader.varint();
    if ((shape & SAME_HEAD) === 0) {
      const [type, accountBytes, regionBytes] = [reader.byte(), reader.byte(), reader.byte()];
      place = { type, account: reader.text(accountBytes), region: reader.text(regionBytes) };
    }
    const id = (shape & ID_IN_CONTENT) === 0 ? reader.text(reader.varint()) : undefined;
    return { place, isConflicting: (shape & CONFLICTING) !== 0, receivedAtMs, id, contentBytes };
  });
  return { metas, end: reader.at };
}

/** Whether `readId` would find this id. */
function holdsId(content: Buffer, id: Buffer): boolean {
  const at = content.indexOf(ID_MEMBER);
  if (at === -1 || id.includes(QUOTE)) return false;
  const from = at + ID_MEMBER.length;
  return content[from + id.length] === QUOTE && content.compare(id, 0, id.length, from, from + id.length) === 0;
}

function readId(content: Buffer): string {
  const from = content.indexOf(ID_MEMBER) + ID_MEMBER.length;
  return content.toString('utf8', from, content.indexOf(QUOTE, from));
}

class MetaReader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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

class MetaWriter {
  #bytes = Buffer.alloc(65_536);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(Math.max(count, this.#bytes.length))]);
  }
}

/** Small numbers of either sign become small ones. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
