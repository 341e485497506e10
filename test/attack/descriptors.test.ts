/**
 * A server that runs out of file descriptors goes on with the connections it has, and takes new ones later (A64).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterEach, expect, test } from 'vitest';

let child: ChildProcess | undefined;
let folder = '';
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

test('no descriptors left: new connections fail, the process lives, and serves again when there are some', async () => {
  // Inside the checkout, so that packages are found.
  folder = await mkdtemp(join('node_modules', '.snowtrail-test-'));
  const script = join(folder, 'child.mjs');
  await build({
    entryPoints: ['test/support/http-child.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile: script,
    logLevel: 'warning',
  });
  child = spawn('bash', ['-c', `ulimit -n 48; exec "${process.execPath}" "${script}"`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const url = new URL((await lines.next()).value as string);

  const open = (): Socket => {
    const socket = connect(Number(url.port), url.hostname);
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };
  const first = open();
  await once(first, 'connect');
  const others = Array.from({ length: 80 }, open);
  await Promise.race(others.map((socket) => once(socket, 'close')));

  first.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  const [answer] = (await once(first, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK/);

  for (const socket of sockets.splice(0)) socket.destroy();
  let status = 0;
  while (status === 0)
    status = await fetch(new URL('/healthz', url)).then(
      (response) => response.status,
      () => 0,
    );
  expect([status, child.exitCode]).toEqual([200, null]);
});
