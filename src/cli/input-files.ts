/**
 * Finds the files that `record` and `import` were given, and reads records out of them.
 *
 * A folder is walked in the order of its names. Gzip is told by its first bytes, not by the name. Standard input is `-`.
 */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { type RecordPiece, RecordSlicer } from '../event/slice-records.ts';
import { UsageError } from './exit.ts';

export interface InputFile {
  /** As shown to people; `-` for standard input. */
  readonly path: string;
  /** 0 for standard input. */
  readonly sizeBytes: number;
}

/** Bytes that are read, and uncompressed, at once: a piece costs a turn of the loop whatever its size. */
const CHUNK_BYTES = 256 * 1024;
/** Folders of a trail's bucket that hold no events. */
const NOT_EVENTS = new Set(['CloudTrail-Digest', 'CloudTrail-Evidence', 'CloudTrail-Insight']);
/** Endings of files that can hold records. */
const ENDINGS = /\.(json|ndjson|jsonl|log)(\.gz)?$/;

/**
 * All files under the paths, in order.
 * @throws UsageError for a path that is not there.
 */
export async function findInputFiles(
  paths: readonly string[],
): Promise<{ readonly files: readonly InputFile[]; readonly passedOver: number }> {
  const files: InputFile[] = [];
  let passedOver = 0;
  for (const path of paths) {
    if (path === '-') {
      files.push({ path, sizeBytes: 0 });
      continue;
    }
    const found = await stat(path).catch(() => {
      throw new UsageError(`\`${path}\` is not there; give files, folders, or - for standard input`);
    });
    if (found.isFile()) {
      files.push({ path, sizeBytes: found.size });
      continue;
    }
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const inside = new Map(entries.filter((entry) => !entry.isDirectory()).map((entry) => [join(entry.parentPath, entry.name), entry]));
    for (const name of [...inside.keys()].sort()) {
      // Links and pipes are not followed, and counted, so that they do not go missing in silence.
      const isEvents =
        inside.get(name)!.isFile() && ENDINGS.test(name) && !name.split('/').some((part) => NOT_EVENTS.has(part) || part === '.snowtrail');
      if (isEvents) files.push({ path: name, sizeBytes: (await stat(name)).size });
      else passedOver += 1;
    }
  }
  return { files, passedOver };
}

/**
 * Reads a file's records piece by piece; memory is bounded by one chunk and one record.
 * @throws Error when the file cannot be read or is broken gzip: pieces before that were yielded.
 */
export async function* readPieces(file: InputFile): AsyncGenerator<readonly RecordPiece[], void, undefined> {
  const slicer = new RecordSlicer();
  for await (const chunk of await openInput(file)) {
    const pieces = slicer.push(chunk);
    if (pieces.length > 0) yield pieces;
  }
  const rest = slicer.end();
  if (rest.length > 0) yield rest;
}

async function openInput(file: InputFile): Promise<AsyncIterable<Uint8Array>> {
  if (file.path === '-') return process.stdin;
  const handle = await open(file.path, 'r');
  const isGzip = await startsAsGzip(handle).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  // It closes the handle at its end, and when the reader leaves.
  const bytes = handle.createReadStream({ start: 0, highWaterMark: CHUNK_BYTES });
  if (!isGzip) return bytes;
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  bytes.on('error', (error) => gunzip.destroy(error));
  return bytes.pipe(gunzip).on('close', () => bytes.destroy());
}

async function startsAsGzip(handle: FileHandle): Promise<boolean> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
}
