/**
 * Writes blocks of a sealed segment: about 16 KiB of frames, deflated with the segment's dictionary.
 * Format: docs/formats/journal.md, "Sealed file". Read by `unpack-block.ts`.
 *
 * What is random in a frame (nonce, CRC) is kept apart from what is deflated, because deflate only makes it longer; what
 * follows from its neighbours (sequence, account, Region, most ids) isn't stored at all. The CRC of every frame is
 * checked when an entry is read, over the frame as it was before: a mistake in between cannot stay unseen.
 */
import { crc32, deflateRawSync } from 'node:zlib';
import { NONCE_BYTES, splitFrame } from './frame.ts';
import { deriveNonces } from './nonces.ts';
import {
  BLOCK_HEAD_BYTES,
  CONFLICTING,
  DERIVED_NONCES,
  ID_IN_CONTENT,
  ID_MEMBER,
  type Packing,
  QUOTE,
  SAME_HEAD,
  UnpackedBlock,
  unpackBlock,
  withDictionary,
} from './unpack-block.ts';

/** A block is closed when the frames in it reach this size. */
const BLOCK_BYTES = 16_384;
/** Most frames a block can have: the smallest are 44 bytes. */
const BLOCK_ENTRIES_MAX = 1_024;

/** Nonces that follow from its key are not stored. */
export interface BlockContext extends Packing {
  /** 1 to 9. */
  readonly level: number;
}

/** Gathers frames and turns them into a block. */
export class BlockBuilder {
  readonly #context: BlockContext;
  #firstRow = 0;
  readonly #nonces = Buffer.alloc(BLOCK_ENTRIES_MAX * NONCE_BYTES);
  readonly #crcs = Buffer.alloc(BLOCK_ENTRIES_MAX * 4);
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
    this.#nonces.set(frame.nonce, this.count * NONCE_BYTES);
    this.#crcs.set(frame.crc, this.count * 4);
    this.#previous = frame;
    this.#contents.push(frame.content);
    this.#frameBytes += length;
  }

  /** The block as it goes into the file, checked by reading it back; the builder is empty after it. */
  finish(): Buffer {
    const { salt, dictionary, level } = this.#context;
    const content = Buffer.concat([this.#metas.written(), ...this.#contents]);
    const deflated = deflateRawSync(content, { level, memLevel: 9, chunkSize: 32_768, ...withDictionary(dictionary) });
    const { randoms, flags } = this.#randoms();
    const block = Buffer.concat([Buffer.alloc(BLOCK_HEAD_BYTES), randoms, deflated]);
    block.writeUInt32LE(block.length - BLOCK_HEAD_BYTES, 4);
    block.writeUInt32LE(crc32(block.subarray(BLOCK_HEAD_BYTES), salt), 8);
    block.writeUInt32LE(this.#firstRow, 12);
    block.writeUInt16LE(this.count, 16);
    block.writeUInt32LE(content.length, 20);
    block.writeUIntLE(this.#firstReceivedAtMs, 24, 6);
    block.writeUInt16LE(flags, 30);
    block.writeUInt32LE(crc32(block.subarray(4, BLOCK_HEAD_BYTES), salt), 0);
    new UnpackedBlock(unpackBlock(block, this.#context), this.#context).entries();
    this.#firstRow += this.count;
    this.#metas.clear();
    this.#contents = [];
    this.#frameBytes = 0;
    this.#previous = undefined;
    return block;
  }

  /** What is stored of each entry beside the content. Entries of an earlier process have nonces from another key. */
  #randoms(): { readonly randoms: Buffer; readonly flags: number } {
    const { nonceKey, firstSequence } = this.#context;
    const nonces = this.#nonces.subarray(0, this.count * NONCE_BYTES);
    const crcs = this.#crcs.subarray(0, this.count * 4);
    if (nonces.equals(deriveNonces(nonceKey, firstSequence + this.#firstRow, this.count))) return { randoms: crcs, flags: DERIVED_NONCES };
    const pairs = Array.from({ length: this.count }, (_, row) => [
      nonces.subarray(row * NONCE_BYTES, (row + 1) * NONCE_BYTES),
      crcs.subarray(row * 4, (row + 1) * 4),
    ]);
    return { randoms: Buffer.concat(pairs.flat()), flags: 0 };
  }
}

function isSamePlace(a: ReturnType<typeof splitFrame>, b: ReturnType<typeof splitFrame>): boolean {
  return a.type === b.type && a.accountBytes === b.accountBytes && a.regionBytes === b.regionBytes && a.place.equals(b.place);
}

/** Whether `readId` would find this id. */
function holdsId(content: Buffer, id: Buffer): boolean {
  const at = content.indexOf(ID_MEMBER);
  if (at === -1 || id.includes(QUOTE)) return false;
  const from = at + ID_MEMBER.length;
  return content[from + id.length] === QUOTE && content.compare(id, 0, id.length, from, from + id.length) === 0;
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
