/**
 * The thread that reads pieces of segment files for `SegmentReaderThread`, in the order of its questions.
 *
 * It waits for the disk in place: it has nothing else to do.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type SegmentFile, unpackPiece } from './segment-reader.ts';
import type { ReadOrder, ReadResult } from './segment-reader-thread.ts';

const OPEN_FILES_MAX = 64;

const files = new Map<number, SegmentFile>();
/** Open files by id, in order of use, oldest first. */
const open = new Map<number, number>();
/** Blocks are read into it; what is unpacked has memory of its own. */
let scratch = Buffer.allocUnsafeSlow(65_536);

parentPort!.on('message', ({ number, files: more, forgotten, pieces }: ReadOrder) => {
  for (const { id, file } of more) files.set(id, file);
  for (const id of forgotten) {
    files.delete(id);
    close(id);
  }
  if (pieces.length === 0) return;
  const read = Array.from({ length: pieces.length / 3 }, (_, place) => {
    const [id, position, bytes] = pieces.subarray(place * 3, place * 3 + 3) as unknown as [number, number, number];
    return readPiece(id, position, bytes);
  });
  const given = read.flatMap((piece) => (piece instanceof Uint8Array ? [piece.buffer as ArrayBuffer] : []));
  parentPort!.postMessage({ number, pieces: read } satisfies ReadResult, given);
});

function readPiece(id: number, position: number, bytes: number): ReadResult['pieces'][number] {
  try {
    const file = files.get(id)!;
    const piece = file.packing === undefined ? Buffer.allocUnsafeSlow(bytes) : scratchOf(bytes);
    return unpackPiece(piece.subarray(0, readFully(openFile(id, file.path), piece, position)), file);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { message, ...(code === undefined ? {} : { code }) };
  }
}

function scratchOf(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return scratch.subarray(0, bytes);
}

function openFile(id: number, path: string): number {
  const file = open.get(id) ?? openSync(path, 'r');
  open.delete(id);
  open.set(id, file);
  if (open.size > OPEN_FILES_MAX) close(open.keys().next().value!);
  return file;
}

function close(id: number): void {
  const file = open.get(id);
  open.delete(id);
  if (file !== undefined) closeSync(file);
}

/** Reads until `into` is full or the file ends. Returns the number of bytes read. */
function readFully(file: number, into: Buffer, position: number): number {
  let done = 0;
  while (done < into.length) {
    const count = readSync(file, into, done, into.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
