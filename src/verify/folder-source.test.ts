import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { folderSource } from './folder-source.ts';
import type { EvidenceSource, ListedObject } from './source.ts';
import { SourceUnreachable } from './source.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-parts-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function listed(source: EvidenceSource): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for await (const object of source.list()) objects.push(object);
  return objects;
}

describe('a folder as a source', () => {
  test('lists what lies below AWSLogs; names with a dot, links and the rest are passed over', async () => {
    const folder = await newFolder();
    await mkdir(join(folder, 'b/AWSLogs/1'), { recursive: true });
    await mkdir(join(folder, 'b/.snowtrail/AWSLogs'), { recursive: true });
    for (const path of ['b/AWSLogs/1/file', 'b/AWSLogs/1/.hidden', 'b/.snowtrail/AWSLogs/file', 'b/other'])
      await writeFile(join(folder, path), 'x');
    await symlink('/etc/passwd', join(folder, 'b/AWSLogs/1/link'));
    expect((await listed(await folderSource(folder))).map(({ key }) => key)).toEqual(['b/AWSLogs/1/file']);
    expect((await listed(await folderSource(join(folder, 'b/AWSLogs/1')))).map(({ key }) => key)).toEqual(['AWSLogs/1/file']);
  });

  test('never reads outside of itself, whatever the key', async () => {
    const parent = await newFolder();
    const folder = join(parent, 'inside');
    await mkdir(join(folder, 'AWSLogs'), { recursive: true });
    await writeFile(join(parent, 'secret'), 'secret');
    await symlink(parent, join(folder, 'AWSLogs/up'));
    await symlink(join(parent, 'secret'), join(folder, 'AWSLogs/link'));
    const source = await folderSource(folder);
    const keys = [
      '../secret',
      'AWSLogs/../../secret',
      '/etc/passwd',
      'AWSLogs/up/secret',
      'AWSLogs//x',
      'AWSLogs/a\0b',
      'AWSLogs/..\\secret',
      '',
      '.',
      'AWSLogs',
    ];
    const kinds = await Promise.all(keys.map(async (key) => (await source.get(key, 1_000)).kind));
    expect(kinds).toEqual([
      'missing',
      'missing',
      'missing',
      'missing',
      'missing',
      'missing',
      'missing',
      'missing',
      'missing',
      'unreadable',
    ]);
    expect(await source.get('AWSLogs/link', 1_000)).toEqual({ kind: 'unreadable', reason: 'it is a link' });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (key) => {
        expect((await source.get(key, 10)).kind).not.toBe('object');
      }),
      { numRuns: 100 },
    );
  });

  test('does not read more than was asked for', async () => {
    const folder = await newFolder();
    await mkdir(join(folder, 'AWSLogs'));
    await writeFile(join(folder, 'AWSLogs/file'), 'x'.repeat(100));
    const source = await folderSource(folder);
    expect(await source.get('AWSLogs/file', 99)).toEqual({ kind: 'too-large' });
    expect(await source.get('AWSLogs/file', 100)).toMatchObject({ kind: 'object' });
  });

  test('that does not exist is refused', async () => {
    await expect(folderSource('/does/not/exist')).rejects.toThrow(SourceUnreachable);
  });
});
