import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbCatalog } from '../../src/store/lmdb/catalog.ts';
import { createMemoryCatalog } from '../../src/store/memory/catalog.ts';
import { catalogContract } from './catalog.contract.ts';

catalogContract('memory', async () => ({ catalog: createMemoryCatalog() }));

catalogContract('lmdb', async () => {
  const folder = join(await mkdtemp(join(tmpdir(), 'snowtrail-catalog-')), 'catalog');
  return { catalog: await openLmdbCatalog({ folder }), reopen: () => openLmdbCatalog({ folder }) };
});
