/**
 * Reads a sealed segment from its first block to its last, without its index: to make a lost index again, and to find
 * everything in it that is damaged.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import type { JournalEntry } from '../../journal.ts';
import { readFully } from '../files.ts';
import { fingerprint } from './id-fingerprint.ts';
import { NONCE_KEY_BYTES } from './nonces.ts';
import type { SalvagedFile } from './salvaged-file.ts';
import { SEALED_HEAD_BYTES } from './seal-segment.ts';
import { IdColumns, type IndexContent } from './segment-index.ts';
import { PREAMBLE_BYTES } from './segment-name.ts';
import { BLOCK_HEAD_BYTES, decodeBlockHead, isBlockDamage, type Packing, UnpackedBlock, unpackBlock } from './unpack-block.ts';

const WINDOW_BYTES = 1_048_576;

/** Rows that cannot be read, both inclusive. */
export interface UnreadableRows {
  readonly fromRow: number;
  readonly toRow: number;
  readonly reason: string;
}

export interface SealedScan {
  readonly content: IndexContent;
  readonly unreadable: readonly UnreadableRows[];
}

/** Scans a sealed file. `undefined` when its head is damaged, so that nothing in it can be read. */
export async function scanSealed(file: SalvagedFile, salt: number, firstSequence: number): Promise<SealedScan | undefined> {
  const head = await readSealedHead(file, salt, firstSequence);
  if (head === undefined) return undefined;
  const sealedBytes = await file.sizeBytes();
  const ids = new IdColumns();
  const blockRows: number[] = [];
  const blockPositions: number[] = [];
  const unreadable: UnreadableRows[] = [];
  const context = { salt, firstSequence, dictionary: head.dictionary, nonceKey: head.nonceKey };
  /** First row that no block was found for. */
  let row = 0;
  let position = head.blocksAt;
  while (position < sealedBytes) {
    const found = await findBlock(file, { salt, from: position, sizeBytes: sealedBytes, row });
    if (found === undefined) break;
    if (found.firstRow > row) {
      const reason = file.lossIn(position, found.position) ?? 'the head of a block is damaged';
      unreadable.push({ fromRow: row, toRow: found.firstRow - 1, reason });
    }
    row = found.firstRow + found.count;
    position = found.position + found.bytes;
    const outcome = await readEntries(file, found, context);
    if (typeof outcome === 'string') {
      unreadable.push({ fromRow: found.firstRow, toRow: row - 1, reason: outcome });
      continue;
    }
    blockRows.push(found.firstRow);
    blockPositions.push(found.position);
    for (const entry of outcome) {
      ids.add(fingerprint(salt, entry.kind, entry.account, entry.id), Number(entry.sequence) - firstSequence);
    }
  }
  if (row < head.entries) {
    const reason = file.lossIn(position, sealedBytes) ?? 'the file ends too early';
    unreadable.push({ fromRow: row, toRow: head.entries - 1, reason });
  }
  const { entries, dictionary, nonceKey } = head;
  return { content: { firstSequence, entries, sealedBytes, dictionary, nonceKey, blockRows, blockPositions, ids }, unreadable };
}

/** What the head of a sealed file says; `undefined` when it is damaged. */
async function readSealedHead(file: SalvagedFile, salt: number, firstSequence: number) {
  const bytes = Buffer.alloc(SEALED_HEAD_BYTES + 65_536);
  const count = await readFully(file, bytes, 0);
  if (count < SEALED_HEAD_BYTES) return undefined;
  const blocksAt = SEALED_HEAD_BYTES + bytes.readUInt32LE(20);
  if (blocksAt > count || crc32(bytes.subarray(20, blocksAt), salt) !== bytes.readUInt32LE(PREAMBLE_BYTES)) return undefined;
  if (bytes.readUIntLE(24, 6) !== firstSequence) return undefined;
  const dictionary = inflateRawSync(bytes.subarray(SEALED_HEAD_BYTES, blocksAt));
  const nonceKey = Buffer.from(bytes.subarray(SEALED_HEAD_BYTES - NONCE_KEY_BYTES, SEALED_HEAD_BYTES));
  return { entries: bytes.readUInt32LE(32), dictionary, nonceKey, blocksAt };
}

interface FoundBlock {
  readonly position: number;
  readonly bytes: number;
  readonly firstRow: number;
  readonly count: number;
}

/** The block at `from`, or the next one after it whose head is whole. */
async function findBlock(
  file: SalvagedFile,
  place: { readonly salt: number; readonly from: number; readonly sizeBytes: number; readonly row: number },
): Promise<FoundBlock | undefined> {
  const first = Buffer.alloc(BLOCK_HEAD_BYTES);
  await readFully(file, first, place.from);
  const direct = blockAt(first, 0, place.from, place);
  if (direct !== undefined) return direct;
  for (let base = place.from + 1; base + BLOCK_HEAD_BYTES <= place.sizeBytes; base += WINDOW_BYTES) {
    const window = Buffer.alloc(Math.min(WINDOW_BYTES + BLOCK_HEAD_BYTES, place.sizeBytes - base));
    await readFully(file, window, base);
    for (let at = 0; at + BLOCK_HEAD_BYTES <= window.length; at++) {
      // The two bytes of the head that are always zero, before the CRC.
      if (window[at + 18] !== 0 || window[at + 19] !== 0) continue;
      const found = blockAt(window, at, base + at, place);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function blockAt(
  bytes: Buffer,
  at: number,
  position: number,
  place: { readonly salt: number; readonly row: number },
): FoundBlock | undefined {
  const head = decodeBlockHead(bytes, at, place.salt);
  if (head === undefined || head.firstRow < place.row) return undefined;
  return { position, bytes: BLOCK_HEAD_BYTES + head.bodyBytes, firstRow: head.firstRow, count: head.count };
}

/** The entries of a block, or what is wrong with it. */
async function readEntries(file: SalvagedFile, { position, bytes }: FoundBlock, context: Packing): Promise<JournalEntry[] | string> {
  const block = Buffer.allocUnsafeSlow(bytes);
  const count = await readFully(file, block, position);
  try {
    return new UnpackedBlock(unpackBlock(block.subarray(0, count), context), context).entries();
  } catch (error) {
    if (isBlockDamage(error)) return file.lossIn(position, position + bytes) ?? error.message;
    throw error;
  }
}
