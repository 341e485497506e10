/**
 * Keys in files: `keys.json` holds all keys, the private ones wrapped by the master key in `master.key`.
 *
 * Both files are 0600 in a folder that is 0700, owned by the user that runs the server; anything weaker is refused, and
 * so is a link in their place. A change writes the whole of `keys.json` beside, syncs it, renames it into place and syncs
 * the folder: after a crash the file is the old one or the new one. One process uses the folder at a time; the data
 * directory's lock sees to that.
 */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Chance, Clock } from '../clock.ts';
import { generateRsaKey, type KeyringState, MASTER_KEY_BYTES, type Origin, openKeyring } from '../keyring.ts';
import type { Keys } from '../keys.ts';
import { replaceFile } from './replace-file.ts';
import { syncFolder } from './sync-folder.ts';

export interface DiskKeysOptions {
  /** Made when it is missing, with the keys in it. Trusted: who can read it can sign in our name. */
  readonly folder: string;
  /** Must stay the same: checkpoint keys are made for it. */
  readonly origin: Origin;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** The operating system's, when absent. */
  readonly chance?: Pick<Chance, 'bytes'>;
}

/**
 * Opens the keys of a data directory; on the first start, makes the master key. The first signing keys are made when one
 * is first asked for.
 *
 * @throws Error when the folder or a file may be read or written by others, when one of the two files is missing, or
 *   when they don't belong together. Nothing is made anew then: other keys would end every chain.
 */
export async function openDiskKeys(options: DiskKeysOptions): Promise<Keys> {
  const { folder, origin, clock, chance = { bytes: randomBytes } } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // The folder's own name, once: each file's is made durable with the file.
  await syncFolder(dirname(folder));
  await refuseWeak(folder, 'folder');
  const paths = { master: join(folder, 'master.key'), first: join(folder, 'master.key.first'), keys: join(folder, 'keys.json') };
  const save = (state: KeyringState) => replaceFile(paths.keys, JSON.stringify({ version: 1, ...state }, null, 1));
  const ring = { origin, clock, chance, save, makeRsaKey: generateRsaKey };

  const found = { master: await exists(paths.master), first: await exists(paths.first), keys: await exists(paths.keys) };
  if (!found.master && (found.first || !found.keys)) {
    // The first start, or one that did not come to its end: the master key gets its name last, so nobody has seen
    // those keys, and they may be made anew. From then on, a file that is missing was lost.
    const masterKey = chance.bytes(MASTER_KEY_BYTES);
    await replaceFile(paths.first, masterKey);
    const keys = await openKeyring({ ...ring, masterKey });
    await rename(paths.first, paths.master);
    await syncFolder(folder);
    return keys;
  }
  for (const path of [paths.master, paths.keys]) {
    if (!(await exists(path)))
      throw new Error(`\`${path}\` is missing, and the other file of the keys is of no use without it; put it back from your backup`);
    await refuseWeak(path, 'file');
  }
  return openKeyring({ ...ring, masterKey: await readFile(paths.master), state: await readState(paths.keys) });
}

const base64 = z.string().regex(/^[A-Za-z0-9+/=]+$/);
const stateSchema = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      use: z.enum(['digest', 'checkpoint']),
      fingerprint: z.string().regex(/^([0-9a-f]{8}|[0-9a-f]{32})$/),
      publicKey: base64,
      validFromMs: z.int(),
      validToMs: z.int().exactOptional(),
      privateKey: base64.exactOptional(),
    }),
  ),
});

async function readState(path: string): Promise<KeyringState> {
  const text = await readFile(path, 'utf8');
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`\`${path}\` cannot be read: it is damaged, or a newer Snowtrail wrote it; put it back from your backup`, { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Refuses what others may read or change. */
async function refuseWeak(path: string, kind: 'folder' | 'file'): Promise<void> {
  const stats = await lstat(path);
  if (kind === 'folder' ? !stats.isDirectory() : !stats.isFile())
    throw new Error(`\`${path}\` is not a ${kind}; keys are read from nothing else`);
  const mode = stats.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const expected = kind === 'folder' ? '700' : '600';
    throw new Error(
      `\`${path}\` has mode ${mode.toString(8)}: others may use it; set it to ${expected} and consider its keys known (rotate them)`,
    );
  }
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== user) throw new Error(`\`${path}\` belongs to user ${stats.uid}, and the server runs as ${user}`);
}
