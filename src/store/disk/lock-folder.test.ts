import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FolderLocked, lockFolder } from './lock-folder.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-lock-'));
  folders.push(folder);
  return folder;
}

/** Another process with a listening socket of the lock's form, as a holder has one. */
async function holdElsewhere(folder: string): Promise<ChildProcess> {
  const path = join(folder, 'lock-00112233aabbccdd');
  const script = `require('net').createServer((s) => s.end(process.pid + '\\n')).listen(${JSON.stringify(path)}, () => console.log('ready'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

describe('lockFolder', () => {
  test('a folder is held once, and again after it was released', async () => {
    const folder = join(await newFolder(), 'data');
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(FolderLocked);
    await lock.release();
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
    await (await lockFolder(folder)).release();
  });

  test('a second process is refused with the number of the first, also while that one is stopped', async () => {
    const folder = await newFolder();
    const child = await holdElsewhere(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({ pid: child.pid, message: expect.stringContaining(`process ${child.pid}`) });
    child.kill('SIGSTOP');
    await expect(lockFolder(folder)).rejects.toThrow(FolderLocked);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test('what a killed process leaves behind keeps nobody out', async () => {
    const folder = await newFolder();
    const child = await holdElsewhere(folder);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readdir(folder)).toEqual(['lock-00112233aabbccdd']);
    const lock = await lockFolder(folder);
    expect((await readdir(folder)).length).toBe(1);
    await lock.release();
  });

  test('of many that begin at once at most one gets it', async () => {
    const folder = await newFolder();
    for (let round = 0; round < 5; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => lockFolder(folder)));
      const held = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(held.length).toBeLessThanOrEqual(1);
      for (const lock of held) await lock.release();
    }
  });

  test.runIf(process.platform === 'linux')('a path that is longer than a socket may have is locked as well', async () => {
    const folder = join(await newFolder(), 'x'.repeat(120), 'y'.repeat(120));
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(FolderLocked);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });
});
