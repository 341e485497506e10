/**
 * Finds the files that `record` and `import` were given, and reads records out of them.
 *
 * A folder is walked in the order of its names. Gzip is told by its first bytes, not by the name. Standard input is `-`.
 */
import { createReadStream, type Dirent, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type RecordPiece, RecordSlicer } from '../event/slice-records.ts';
import { UsageError } from './exit.ts';

export interface InputFile {
  /** As shown to people; `-` for standard input. */
  readonly path: string;
  /** 0 for standard input. */
  readonly sizeBytes: number;
  /** When it was last written, in whole milliseconds; 0 for standard input. */
  readonly changedMs: number;
}

/** Bytes that are read, and uncompressed, at once: a piece costs a turn of the loop whatever its size. */
const CHUNK_BYTES = 256 * 1024;
/** Folders that hold no events, and what they hold. */
const NOT_EVENTS = new Map([
  ['CloudTrail-Digest', 'digest files'],
  ['CloudTrail-Evidence', 'receipts and checkpoints'],
  ['.snowtrail', 'receipts and checkpoints'],
]);
/** How every gzip file begins. */
const GZIP_MAGIC = [0x1f, 0x8b];
/** Endings of files that can hold records. */
const ENDINGS = /\.(json|ndjson|jsonl|log)(\.gz)?$/;

export interface InputFiles {
  readonly files: readonly InputFile[];
  /** How many were passed over, by what they are. */
  readonly passedOver: Readonly<Record<string, number>>;
  /** What could not be looked into, a file or a folder, and why. */
  readonly unreadable: readonly Unreadable[];
}

interface Unreadable {
  readonly path: string;
  readonly reason: string;
}

/**
 * All files under the paths, in order. A folder that cannot be read hides none of the others.
 * @throws UsageError for a path that is not there.
 */
export async function findInputFiles(paths: readonly string[]): Promise<InputFiles> {
  const files: InputFile[] = [];
  const passedOver: Record<string, number> = {};
  const unreadable: Unreadable[] = [];
  const unread = (path: string) => (error: Error) => {
    unreadable.push({ path, reason: error.message });
    return undefined;
  };
  for (const path of paths) {
    if (path === '-') {
      files.push({ path, sizeBytes: 0, changedMs: 0 });
      continue;
    }
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') return unread(path)(error);
      throw new UsageError(`\`${path}\` is not there; give files, folders, or - for standard input`);
    });
    if (found === undefined) continue;
    if (found.isFile()) {
      files.push(fileOf(path, found));
      continue;
    }
    const inside = await listFolder(path, unread);
    for (const name of [...inside.keys()].sort()) {
      // Links and pipes are not followed, and counted, so that they do not go missing in silence.
      const other = inside.get(name)!.isFile() ? notEvents(name) : 'links and special files';
      if (other !== undefined) {
        passedOver[other] = (passedOver[other] ?? 0) + 1;
        continue;
      }
      const stats = await stat(name).catch(unread(name));
      if (stats !== undefined) files.push(fileOf(name, stats));
    }
  }
  return { files, passedOver, unreadable };
}

function fileOf(path: string, { size, mtimeMs }: Stats): InputFile {
  return { path, sizeBytes: size, changedMs: Math.trunc(mtimeMs) };
}

/** Everything in a folder, and in those within it, that is no folder: by path. */
async function listFolder(folder: string, unread: (path: string) => (error: Error) => undefined): Promise<ReadonlyMap<string, Dirent>> {
  const inside = new Map<string, Dirent>();
  const folders = [folder];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    for (const entry of (await readdir(path, { withFileTypes: true }).catch(unread(path))) ?? []) {
      const name = join(path, entry.name);
      if (entry.isDirectory()) folders.push(name);
      else inside.set(name, entry);
    }
  }
  return inside;
}

/** What a file is that holds no events; `undefined` when it may hold some. */
function notEvents(path: string): string | undefined {
  const folder = path.split('/').find((part) => NOT_EVENTS.has(part));
  if (folder !== undefined) return NOT_EVENTS.get(folder);
  return ENDINGS.test(path) ? undefined : 'files of another kind';
}

/**
 * Reads a file's records piece by piece; memory is bounded by one chunk and one record.
 * @throws Error when the file cannot be read or is broken gzip: pieces before that were yielded.
 */
export async function* readPieces(file: InputFile): AsyncGenerator<readonly RecordPiece[], void, undefined> {
  const slicer = new RecordSlicer();
  for await (const chunk of openInput(file)) {
    const pieces = slicer.push(chunk);
    if (pieces.length > 0) yield pieces;
  }
  const rest = slicer.end();
  if (rest.length > 0) yield rest;
}

function openInput(file: InputFile): AsyncIterable<Uint8Array> {
  return unpackIfGzip(file.path === '-' ? process.stdin : createReadStream(file.path, { highWaterMark: CHUNK_BYTES }));
}

/** The bytes of a stream, uncompressed when they begin as gzip does. The stream is ended when the reader leaves. */
export async function* unpackIfGzip(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = input[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  let next = await chunks.next();
  for (; next.done !== true; next = await chunks.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= GZIP_MAGIC.length) break;
  }
  const whole = (async function* () {
    try {
      if (head.length > 0) yield head;
      yield* { [Symbol.asyncIterator]: () => chunks };
    } finally {
      // The reader may leave at the head, before the rest is begun.
      await chunks.return?.(undefined);
    }
  })();
  if (!isGzip(head)) return yield* whole;
  // What ends one of the two ends the other; why, the reader is told.
  yield* pipeline(Readable.from(whole, { objectMode: false }), createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined);
}

function isGzip(head: Uint8Array): boolean {
  return GZIP_MAGIC.every((byte, at) => head[at] === byte);
}
