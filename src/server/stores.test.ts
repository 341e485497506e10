import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSettings } from './settings.ts';
import { openStores } from './stores.ts';

const root = await mkdtemp(join(tmpdir(), 'snowtrail-stores-'));
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder that holds these, which is a data directory afterwards. @throws what opening it throws */
async function openOver(name: string, ...holds: readonly string[]): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const each of holds) {
    if (each.endsWith('/')) await mkdir(join(folder, each));
    else await writeFile(join(folder, each), '');
  }
  const settings = readSettings({ dataDir: folder }, {});
  const { close } = await openStores(settings, () => undefined);
  await close();
  return folder;
}

describe('openStores', () => {
  test('takes an empty folder, one at the top of a new file system, and what a first start that was killed left', async () => {
    await openOver('empty');
    await openOver('mount', 'lost+found/');
    const folder = await openOver('killed', 'lock-0123456789abcdef', 'VERSION.new');
    expect((await readdir(folder)).sort()).toEqual(['VERSION', 'catalog', 'history', 'journal', 'keys', 'objects', 'tree']);
  });

  test('refuses a folder of somebody else, names what it holds, and writes nothing there', async () => {
    await expect(openOver('home', 'thesis.txt', 'lost+found/', 'photos/')).rejects.toThrow(
      /home` is not a Snowtrail data directory .* it holds `photos` and 1 more; give `--data-dir` an empty or a new folder/,
    );
    expect((await readdir(join(root, 'home'))).sort()).toEqual(['lost+found', 'photos', 'thesis.txt']);
    const file = join(root, 'home', 'thesis.txt');
    const settings = readSettings({ dataDir: file }, {});
    await expect(openStores(settings, () => undefined)).rejects.toThrow('is not a folder; give `--data-dir` an empty or a new one');
  });

  test.each([
    ['1', 'written before the first release: keep it for the build that wrote it'],
    ['2', 'written before the first release'],
    ['4', 'written by a newer Snowtrail: start that version'],
  ])('refuses a data directory of layout %s, says whose it is, and leaves it as it is', async (layout, why) => {
    const folder = await openOver(`layout-${layout}`);
    await writeFile(join(folder, 'VERSION'), `${layout}\n`);
    await expect(openStores(readSettings({ dataDir: folder }, {}), () => undefined)).rejects.toThrow(why);
    expect(await readFile(join(folder, 'VERSION'), 'utf8')).toBe(`${layout}\n`);
  });

  test.each(['keys', 'catalog'])('a copy without its %s is refused, and nothing is made in its place', async (part) => {
    const folder = await openOver(`without-${part}`);
    await writeFile(join(folder, 'journal', `${'1'.padStart(20, '0')}-00000000.log`), '');
    await rm(join(folder, part), { recursive: true });
    const opening = openStores(readSettings({ dataDir: folder }, {}), () => undefined);
    await expect(opening).rejects.toThrow(`\`${join(folder, part)}\` is missing or empty, and `);
    expect(await readdir(folder)).not.toContain(part);
  });

  test('a first start that was killed before it made its keys, or its journal, is begun again', async () => {
    for (const parts of [['journal'], ['journal', 'keys']]) {
      const folder = await openOver(`killed-before-${parts.join('-')}`);
      for (const part of parts) await rm(join(folder, part), { recursive: true });
      const { close } = await openStores(readSettings({ dataDir: folder }, {}), () => undefined);
      await close();
      expect(await readdir(folder)).toEqual(expect.arrayContaining(parts));
    }
  });
});
