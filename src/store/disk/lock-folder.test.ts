import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lockFolder } from './lock-folder.ts';

const newFolder = () => mkdtemp(join(tmpdir(), 'snowtrail-lock-'));

describe('lockFolder', () => {
  test('F44 a folder is held by one at a time, whatever path leads to it, and free after release', async () => {
    const folder = await newFolder();
    const other = join(await newFolder(), 'link');
    await symlink(folder, other);
    const lock = await lockFolder(folder);
    await expect(lockFolder(other)).rejects.toThrow(/in use by another/);
    await lock.release();
    await (await lockFolder(other)).release();
  });

  test('F44 a lock is free as soon as its holder was killed', async () => {
    const folder = await newFolder();
    const script = `import { statSync } from 'node:fs'; import { createServer } from 'node:net';
      const { dev, ino } = statSync(process.argv[1], { bigint: true });
      createServer().listen('\\0snowtrail/' + dev + '/' + ino, () => console.log('held'));`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    await expect(lockFolder(folder)).rejects.toThrow(/in use by another/);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await lockFolder(folder)).release();
  });
});
