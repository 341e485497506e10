/**
 * Task processes as they are shipped: from `dist/`, so that it needs a build.
 */
import { ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { performInProcess } from './task-process.ts';

const MERGE = 'dist/merge-runs.process.js';
const root = await mkdtemp(join(tmpdir(), 'snowtrail-task-'));
afterAll(() => rm(root, { recursive: true }));

const isBuilt = existsSync(MERGE);
if (!isBuilt && process.env['SNOWTRAIL_REQUIRE_ALL'] === '1')
  throw new Error('what runs beside the server is not built; run `npm run build`');
if (!isBuilt) console.warn('skipped: what runs beside the server is not built; run `npm run build`');

/** A process that takes `server` for the one that it works for. */
function startFor(server: number): ChildProcess {
  return fork(MERGE, [String(server)], { serialization: 'advanced', execArgv: [] });
}

test.runIf(isBuilt)('what the task throws is what its process answers', async () => {
  const outcome = await performInProcess('merge-runs', { kind: 'merge', folder: root, inputs: ['run-of-none'] });
  expect(outcome).toMatchObject({ kind: 'damaged', run: 'run-of-none' });
});

test.runIf(isBuilt)('a task that is given up ends with an error', async () => {
  const ending = new AbortController();
  const task = performInProcess('merge-runs', { kind: 'merge', folder: root, inputs: ['run-of-none'] }, ending.signal);
  ending.abort();
  await expect(task).rejects.toThrow('before its task was done');
});

test.runIf(isBuilt)('a process that does not start (F15) says why, and no signal goes to whatever is in its place', async () => {
  const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockReturnValue(true);
  const { execPath } = process;
  const ending = new AbortController();
  process.execPath = join(root, 'no-such-file');
  const task = performInProcess('merge-runs', { kind: 'merge', folder: root, inputs: ['run-of-none'] }, ending.signal);
  process.execPath = execPath;
  ending.abort();
  await expect(task).rejects.toThrow('ENOENT');
  expect(kill).not.toHaveBeenCalled();
  kill.mockRestore();
});

test.runIf(isBuilt && process.platform === 'linux')('a process stands aside no less than its server does', async () => {
  const child = spawn('nice', ['-n', '15', process.execPath, MERGE, String(process.pid)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.send({ kind: 'merge', folder: root, inputs: ['run-of-none'] });
  await once(child, 'message');
  expect(getPriority(child.pid!)).toBe(15);
  child.kill('SIGKILL');
});

test.runIf(isBuilt)('a process whose server has gone (F04) changes no file', async () => {
  const child = startFor(1);
  // As a run that begins anew: nothing is read, and the first thing that would happen is a file.
  child.send({ kind: 'build', folder: root, after: 0, to: 1, keyCheck: '', scopes: [], rowCount: 0, postingCount: 0, ...noColumns() });
  const [outcome] = (await once(child, 'message')) as [unknown];
  expect(outcome).toMatchObject({ kind: 'failed', message: 'the server that wanted this has gone' });
  expect(await readdir(root)).toEqual([]);
  child.kill('SIGKILL');
});

test.runIf(isBuilt)('a process that waits ends with its server (F04)', async () => {
  const child = startFor(process.pid);
  await once(child, 'spawn');
  child.disconnect();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

function noColumns() {
  return { rowScopes: new Uint16Array(0), times: new Float64Array(0), sequences: new Float64Array(0), postings: new Uint32Array(0) };
}
