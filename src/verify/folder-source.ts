/**
 * Evidence in a folder: a copy of a bucket, at any place and depth.
 *
 * Files are found by `AWSLogs` in their path. Names that begin with a dot are passed over, as readers of such folders
 * do (the built-in store keeps its own records in `.snowtrail`); so are links and everything that is not a plain file.
 * A path inside of `AWSLogs` counts as the folder that holds it.
 *
 * Keys are untrusted: `get` opens only plain files whose real place is below the folder.
 */
import { closeSync, constants, type Dirent, fstatSync, openSync, read } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { type EvidenceSource, type Fetched, type ListedObject, SourceUnreachable } from './source.ts';

/** Deepest folder above `AWSLogs` that is looked into. */
const DEPTH_MAX = 24;
const JOBS = 16;
/** Not blocking: a pipe without a writer would wait for ever. */
const READ_PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @throws SourceUnreachable when the folder cannot be read. */
export async function folderSource(path: string): Promise<EvidenceSource> {
  const root = await rootOf(path);
  const realFolders = new Map<string, Promise<string | undefined>>();

  /** The folder's real place, when that is below the root. */
  function realFolder(folder: string): Promise<string | undefined> {
    let found = realFolders.get(folder);
    if (found === undefined) {
      if (realFolders.size > 10_000) realFolders.clear();
      found = realpath(folder).then(
        (real) => (real === root || real.startsWith(root.endsWith(sep) ? root : root + sep) ? real : undefined),
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
          throw error;
        },
      );
      realFolders.set(folder, found);
    }
    return found;
  }

  return {
    name: path,
    kind: 'folder',
    jobs: JOBS,
    list: () => walk(root, '', 0),
    versionsUnknown: () => ({ kind: 'none', reason: 'a folder keeps no versions and no delete markers' }),
    get: async (key, bytesMax) => {
      if (!isSafeKey(key)) return { kind: 'missing' };
      try {
        const full = join(root, ...key.split('/'));
        const folder = await realFolder(dirname(full));
        if (folder === undefined) return { kind: 'missing' };
        return await readPlainFile(join(folder, key.slice(key.lastIndexOf('/') + 1)), bytesMax);
      } catch (error) {
        return { kind: 'unreadable', reason: reasonOf(error) };
      }
    },
  };
}

/** The folder that holds the `AWSLogs` that the path may lie in. */
async function rootOf(path: string): Promise<string> {
  try {
    const real = await realpath(resolve(path));
    const names = real.split(sep);
    const at = names.indexOf('AWSLogs');
    return at < 0 ? real : names.slice(0, at).join(sep) || sep;
  } catch (cause) {
    const advice = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? '; give the folder that holds AWSLogs' : '';
    throw new SourceUnreachable(`\`${path}\` cannot be read: ${reasonOf(cause)}${advice}`, { cause });
  }
}

async function* walk(root: string, below: string, depth: number): AsyncGenerator<ListedObject> {
  const isEvidence = /(^|\/)AWSLogs\//.test(below);
  if (!isEvidence && depth > DEPTH_MAX) return;
  let entries: Dirent[];
  try {
    entries = await readdir(join(root, below), { withFileTypes: true });
  } catch (cause) {
    throw new SourceUnreachable(`\`${join(root, below)}\` cannot be listed: ${reasonOf(cause)}`, { cause });
  }
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const key = `${below}${entry.name}`;
    if (entry.isDirectory()) yield* walk(root, `${key}/`, depth + 1);
    // The size is not asked for: it would cost one call a file, and reading tells.
    else if (isEvidence && !entry.isSymbolicLink()) yield { key, sizeBytes: 0, isPresent: true, contents: 1 };
  }
}

/** No empty name, no dots that lead elsewhere, nothing that an operating system reads as something else. */
function isSafeKey(key: string): boolean {
  return key.split('/').every((name) => name !== '' && name !== '.' && name !== '..') && !/[\u0000-\u001f\\]/.test(key);
}

/**
 * Opening and closing are done at once: to hand them to another thread and back costs more than they do. Only the bytes
 * may take long to come.
 */
async function readPlainFile(path: string, bytesMax: number): Promise<Fetched> {
  let file: number;
  try {
    file = openSync(path, READ_PLAIN);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return { kind: 'missing' };
    return { kind: 'unreadable', reason: code === 'ELOOP' ? 'it is a link' : reasonOf(error) };
  }
  try {
    const info = fstatSync(file);
    if (!info.isFile()) return { kind: 'unreadable', reason: 'it is not a plain file' };
    if (info.size > bytesMax) return { kind: 'too-large' };
    // One byte more than there should be shows a file that grows while it is read.
    const bytes = new Uint8Array(info.size + 1);
    let length = 0;
    while (length < info.size) {
      const bytesRead = await readInto(file, bytes, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > info.size) return { kind: 'unreadable', reason: 'it grew while it was read' };
    return { kind: 'object', bytes: bytes.subarray(0, length) };
  } finally {
    closeSync(file);
  }
}

function readInto(file: number, bytes: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(file, bytes, at, bytes.length - at, at, (error, bytesRead) => (error === null ? resolve(bytesRead) : reject(error)));
  });
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
