/**
 * Turns a full log file into a sealed segment and its index.
 *
 * The two are written under temporary names, synced, renamed, and their folder synced. The log file is left as it is:
 * who asked for it removes it once the sealed one is in use. So at every moment one good copy has its name, and a log
 * file that is still there at a start simply wins.
 *
 * Runs in a process of its own (`seal-segment.process.ts`), or in place where the files are simulated.
 * Refuses a log file with damage: it stays as it is, for whoever wants to look at it.
 */
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { type Files, type OpenFile, writeFully } from '../files.ts';
import { ensureWanted } from '../task-process.ts';
import { chooseDictionary } from './choose-dictionary.ts';
import { frameIdentity, splitFrame } from './frame.ts';
import { fingerprint } from './id-fingerprint.ts';
import { NONCE_KEY_BYTES } from './nonces.ts';
import { newScanSummary, scanFrames } from './scan-frames.ts';
import { BlockBuilder } from './sealed-block.ts';
import { encodeIndex, IdColumns, type IndexContent } from './segment-index.ts';
import { encodePreamble, PREAMBLE_BYTES, segmentFileName, temporaryName } from './segment-name.ts';

/** Position of the dictionary in a sealed file. */
export const SEALED_HEAD_BYTES = PREAMBLE_BYTES + 24 + NONCE_KEY_BYTES;
/** Entries that the dictionary is chosen from. */
const SAMPLES = 1_000;
/** Of one sample: the beginnings of events are what they have in common. */
const SAMPLE_BYTES_MAX = 4_096;
const WRITE_BYTES = 1_048_576;

export interface SealTask {
  readonly folder: string;
  readonly salt: number;
  readonly firstSequence: number;
  /** Number of entries that the log file holds. */
  readonly entries: number;
  /** Of the nonces that this process gave (see `nonces.ts`). */
  readonly nonceKey: Uint8Array;
  /** Deflate level, 1 to 9. */
  readonly level: number;
}

/** Writes the sealed segment and its index; both durable on return. @throws Error when the log file is damaged. */
export async function sealSegment(files: Files, task: SealTask): Promise<void> {
  const { folder, salt, firstSequence: first } = task;
  const sealedName = segmentFileName({ first, salt, kind: 'sealed' });
  const indexName = segmentFileName({ first, salt, kind: 'index' });
  const log = await files.open(join(folder, segmentFileName({ first, salt, kind: 'log' })), 'read');
  try {
    const content = await writeFile(files, join(folder, temporaryName(sealedName)), (file) => writeSealed(log, file, task));
    await writeFile(files, join(folder, temporaryName(indexName)), (file) => writeFully(file, [encodeIndex(content, salt)], 0));
  } finally {
    await log.close();
  }
  ensureWanted();
  await files.rename(join(folder, temporaryName(sealedName)), join(folder, sealedName));
  ensureWanted();
  await files.rename(join(folder, temporaryName(indexName)), join(folder, indexName));
  await files.syncFolder(folder);
}

async function writeFile<T>(files: Files, path: string, write: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await files.open(path, 'create');
  try {
    const result = await write(file);
    await file.datasync();
    return result;
  } finally {
    await file.close();
  }
}

async function writeSealed(log: OpenFile, sealed: OpenFile, task: SealTask): Promise<IndexContent> {
  const { salt, firstSequence, nonceKey } = task;
  const dictionary = chooseDictionary(await takeSamples(log, task));
  const deflatedDictionary = deflateRawSync(dictionary, { level: 9 });

  const builder = new BlockBuilder({ salt, firstSequence, dictionary, nonceKey, level: task.level });
  const ids = new IdColumns();
  const blockRows: number[] = [];
  const blockPositions: number[] = [];
  let position = SEALED_HEAD_BYTES + deflatedDictionary.length;
  let row = 0;
  let unwritten: Buffer[] = [];
  let unwrittenBytes = 0;
  const finishBlock = (): void => {
    blockRows.push(row - builder.count);
    blockPositions.push(position + unwrittenBytes);
    const block = builder.finish();
    unwritten.push(block);
    unwrittenBytes += block.length;
  };
  const write = async (): Promise<void> => {
    await writeFully(sealed, unwritten, position);
    position += unwrittenBytes;
    unwritten = [];
    unwrittenBytes = 0;
  };

  for await (const { bytes, frames } of scanFrames(log, scanOptions(task), newScanSummary(firstSequence))) {
    for (const { at, length } of frames) {
      const { kind, account, id } = frameIdentity(bytes, at);
      ids.add(fingerprint(salt, kind, account, id), row);
      builder.add(bytes, at, length);
      row += 1;
      if (builder.isFull) finishBlock();
      if (unwrittenBytes >= WRITE_BYTES) await write();
    }
  }
  if (builder.count > 0) finishBlock();
  await write();
  if (row !== task.entries) throw new Error(`the log file changed while it was sealed: ${row} entries instead of ${task.entries}`);
  await writeFully(sealed, [encodeSealedHead(task, blockRows.length, deflatedDictionary)], 0);
  return { firstSequence, entries: row, sealedBytes: position, dictionary, nonceKey, blockRows, blockPositions, ids };
}

/** Entries spread evenly over the log file. @throws Error unless every entry of it is whole. */
async function takeSamples(log: OpenFile, task: SealTask): Promise<Buffer[]> {
  const samples: Buffer[] = [];
  const stride = Math.max(1, Math.floor(task.entries / SAMPLES));
  const summary = newScanSummary(task.firstSequence);
  let row = 0;
  for await (const { bytes, frames } of scanFrames(log, scanOptions(task), summary)) {
    for (const { at, length } of frames) {
      if (row % stride === 0) samples.push(Buffer.from(splitFrame(bytes, at, length).content.subarray(0, SAMPLE_BYTES_MAX)));
      row += 1;
    }
  }
  if (summary.holes.length > 0 || row !== task.entries)
    throw new Error(`the log file of entry ${task.firstSequence} and after is damaged: it is not sealed`);
  return samples;
}

function scanOptions(task: SealTask) {
  return { salt: task.salt, firstSequence: task.firstSequence, lastSequence: task.firstSequence + task.entries - 1 };
}

function encodeSealedHead(
  task: Pick<SealTask, 'salt' | 'firstSequence' | 'entries' | 'nonceKey'>,
  blocks: number,
  deflatedDictionary: Uint8Array,
): Buffer {
  const bytes = Buffer.concat([encodePreamble('sealed'), Buffer.alloc(24), task.nonceKey, deflatedDictionary]);
  bytes.writeUInt32LE(deflatedDictionary.length, 20);
  bytes.writeUIntLE(task.firstSequence, 24, 6);
  bytes.writeUInt32LE(task.entries, 32);
  bytes.writeUInt32LE(blocks, 36);
  bytes.writeUInt32LE(crc32(bytes.subarray(20), task.salt), 16);
  return bytes;
}
