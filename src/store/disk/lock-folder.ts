/**
 * Keeps a second process out of a folder (F44).
 *
 * The holder listens on a socket in the folder. Whoever wants the folder first listens on a socket of its own, with a
 * name that is never used again, and then calls all the others: if one answers, it steps back. Both do so when two begin
 * at the same moment; they try again after a random pause. A socket whose process was killed answers nobody, and is
 * removed. That needs no lock of the kernel, which Node doesn't offer, and no process numbers, which mean nothing across
 * containers.
 *
 * Relies on a local file system: sockets do not reach across a network file system. Holds until `release`, or until the
 * process ends, however it ends.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** Somebody else uses the folder. Nothing was changed. */
export class FolderLocked extends Error {
  override readonly name = 'FolderLocked';
  /** Process number of the holder; absent when it did not say. */
  readonly pid: number | undefined;

  constructor(folder: string, pid: number | undefined) {
    super(
      `\`${folder}\` is in use by ${pid === undefined ? 'another process' : `process ${pid}`}; stop it first, or choose another folder`,
    );
    this.pid = pid;
  }
}

export interface FolderLock {
  /** Gives the folder up. Safe to call twice. */
  release(): Promise<void>;
}

const PATTERN = /^lock-[0-9a-f]{16}$/;
/** Two that begin at once see each other; one of them is through after a few tries. */
const TRIES = 6;
const PAUSE_MS_MAX = 50;
/** A holder that is stopped, or busy, does not say who it is; it holds all the same. */
const ANSWER_MS_MAX = 1_000;
/** A socket's path may have 107 bytes (Linux), 103 (macOS). */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * Takes the folder, which is made when it is missing.
 * @throws FolderLocked when another process (or this one) holds it.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = await reachableFolder(folder);
  try {
    for (let tries = 1; ; tries++) {
      const name = `lock-${randomBytes(8).toString('hex')}`;
      const server = await listen(join(place.path, name));
      const holder = await findOther(folder, place.path, name);
      if (holder === undefined && (await readdir(folder)).includes(name)) return { release: () => release(server, join(folder, name)) };
      await release(server, join(folder, name));
      // Who does not say who it is does not step back either.
      if (tries === TRIES || (holder !== undefined && holder.pid === undefined)) throw new FolderLocked(folder, holder?.pid);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS_MAX));
    }
  } finally {
    await place.close();
  }
}

/** A path to the folder that is short enough for sockets: a long one is reached through an open file of this process. */
async function reachableFolder(folder: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  if (Buffer.byteLength(folder) + 22 <= SOCKET_PATH_BYTES_MAX) return { path: folder, close: async () => {} };
  if (process.platform !== 'linux')
    throw new Error(`\`${folder}\` is too long a path to lock: at most ${SOCKET_PATH_BYTES_MAX - 22} bytes`);
  const handle = await open(folder, 'r');
  return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${process.pid}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
  return server;
}

async function release(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await rm(path, { force: true });
}

/** Another one that is alive, be it the holder or one that tries as well. Dead ones are removed. */
async function findOther(folder: string, path: string, own: string): Promise<{ readonly pid: number | undefined } | undefined> {
  for (const name of await readdir(folder)) {
    if (!PATTERN.test(name) || name === own) continue;
    const answer = await call(join(path, name));
    if (answer === 'alive') return { pid: undefined };
    if (typeof answer === 'number') return { pid: answer };
    // Called twice: a socket that is just being made is dead for a moment.
    if (answer !== 'dead') continue;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS_MAX));
    if ((await call(join(path, name))) === 'dead') await rm(join(folder, name), { force: true });
  }
  return undefined;
}

/** The process number that a socket's holder states; `alive` when it states none, `dead` when nobody listens. */
async function call(path: string): Promise<number | 'alive' | 'dead' | 'gone'> {
  return await new Promise((resolve) => {
    let text = '';
    const socket = createConnection(path);
    socket.setTimeout(ANSWER_MS_MAX, () => {
      socket.destroy();
      resolve('alive');
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      socket.destroy();
      resolve(code === 'ECONNREFUSED' ? 'dead' : code === 'ENOENT' ? 'gone' : 'alive');
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(/^\d+\n$/.test(text) ? Number(text) : 'alive');
    });
  });
}
