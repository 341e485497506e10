/**
 * The server has no file descriptors left, or its disk has no inodes left, for a while.
 *
 * It refuses or waits, keeps what it acknowledged, and goes on by itself when there is room again. reliability.md F15, P9.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkLedger, LEDGER_FLAGS, Ledger, prepareTrail, startLoad, untilAcknowledged } from '../support/ledger.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { hasCommands } from '../support/start-tool.ts';

const SHORTAGE_MS = 3_000;
/** Enough for a start and some log files. */
const INODES = 400;
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('skipped: a disk without inodes needs root, who may mount one');

describe.skipIf(!hasCommands(['prlimit'], 'install util-linux to limit a running server'))('a server that runs out of something', () => {
  let root: string;
  let server: StartedServer | undefined;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'snowtrail-resources-'));
  });
  afterAll(async () => {
    await server?.kill();
    await rm(root, { recursive: true, force: true });
  });

  test('file descriptors (F15): new connections are closed, and it goes on when there are some again', async () => {
    const ledger = new Ledger();
    server = await startServer({ dataDir: join(root, 'descriptors'), flags: LEDGER_FLAGS });
    await prepareTrail(server.dataDir);
    const load = await startLoad(server, ledger, 1, 2);
    await untilAcknowledged(ledger, 50);
    const inUse = (await readdir(`/proc/${server.pid}/fd`)).length;
    execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${inUse + 2}:`]);
    const { port, hostname } = new URL(server.url);
    const sockets = Array.from({ length: 40 }, () => connect(Number(port), hostname).on('error', () => undefined));
    await Promise.all(sockets.slice(-20).map((socket) => ended(socket)));
    await sleep(SHORTAGE_MS);
    for (const socket of sockets) socket.destroy();
    execFileSync('prlimit', ['--pid', String(server.pid), '--nofile=4096:']);
    await load.stop();
    const again = await startLoad(server, ledger, 2, 2);
    await untilAcknowledged(ledger, 50);
    await again.stop();
    expect((await checkLedger(server, ledger)).faults).toEqual([]);
    expect(server.stderr()).not.toContain('the server stops');
    expect(await server.stop()).toBe(0);
  });

  test.skipIf(!isRoot)('inodes (F15): what cannot be put waits, and is put when there are some again', async () => {
    const disk = join(root, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=256m,nr_inodes=${INODES}`, 'tmpfs', disk]);
    try {
      const ledger = new Ledger();
      server = await startServer({ dataDir: join(disk, 'data'), flags: LEDGER_FLAGS });
      await prepareTrail(server.dataDir);
      const load = await startLoad(server, ledger, 1, 1);
      await untilAcknowledged(ledger, 50);
      await mkdir(join(disk, 'filler'));
      const used = await fill(join(disk, 'filler'));
      await sleep(SHORTAGE_MS);
      await load.stop();
      expect(used).toBeGreaterThan(10);
      const short = server.stderr();
      await rm(join(disk, 'filler'), { recursive: true });
      const again = await startLoad(server, ledger, 2, 1);
      await untilAcknowledged(ledger, 50);
      await again.stop();
      // Where folders are missing too, Node tells of the one that it could not make as ENOENT.
      expect(short).toMatch(/ENOSPC|ENOENT: no such file or directory, mkdir/);
      expect((await checkLedger(server, ledger)).faults).toEqual([]);
      expect(await server.stop()).toBe(0);
    } finally {
      await server?.kill();
      execFileSync('umount', [disk]);
    }
  });
});

/** Makes files until there can be no more. @returns how many. */
async function fill(folder: string): Promise<number> {
  for (let made = 0; ; made++) {
    try {
      await writeFile(join(folder, String(made)), '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return made;
      throw error;
    }
  }
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once('close', () => resolve());
    socket.resume();
    setTimeout(resolve, SHORTAGE_MS);
  });
}
