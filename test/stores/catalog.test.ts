import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openLmdbCatalog } from '../../src/store/lmdb/catalog.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { describeCatalog } from './catalog.contract.ts';

describeCatalog('memory', async () => ({ catalog: createMemoryCatalog() }));

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describeCatalog('lmdb', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'snowtrail-catalog-'));
  folders.push(folder);
  return { catalog: await openLmdbCatalog({ folder }), reopen: () => openLmdbCatalog({ folder }) };
});
