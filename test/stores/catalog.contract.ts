/**
 * What every catalog promises. Memory is the reference.
 */
import { describe, expect, test } from 'vitest';
import { type Catalog, CatalogConflict } from '../../src/store/catalog.ts';

export function catalogContract(name: string, open: () => Promise<{ catalog: Catalog; reopen?: () => Promise<Catalog> }>): void {
  describe(`catalog contract: ${name}`, () => {
    test('a document is read back as it was written, with versions that count from 1', async () => {
      const { catalog } = await open();
      await catalog.commit([{ key: ['trail', '1', 'a'], value: { deep: [1, 'é', null] }, expected: 0 }]);
      await catalog.commit([{ key: ['trail', '1', 'a'], value: { deep: [2] }, expected: 1 }]);
      expect(await catalog.get(['trail', '1', 'a'])).toEqual({ key: ['trail', '1', 'a'], value: { deep: [2] }, version: 2 });
      expect(await catalog.get(['trail', '1'])).toBeUndefined();
      await catalog.close();
    });

    test('a commit whose version does not match applies nothing and says which document', async () => {
      const { catalog } = await open();
      await catalog.commit([{ key: ['a', '1'], value: 1, expected: 0 }]);
      const attempt = catalog.commit([
        { key: ['b', '1'], value: 2, expected: 0 },
        { key: ['a', '1'], value: 2, expected: 0 },
      ]);
      await expect(attempt).rejects.toThrow(CatalogConflict);
      expect(await catalog.get(['b', '1'])).toBeUndefined();
      expect((await catalog.get(['a', '1']))?.value).toBe(1);
      await catalog.close();
    });

    test('of sixteen commits that race for one version, one wins', async () => {
      const { catalog } = await open();
      const race = await Promise.allSettled(
        Array.from({ length: 16 }, (_, index) => catalog.commit([{ key: ['race', 'x'], value: index, expected: 0 }])),
      );
      expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect((await catalog.get(['race', 'x']))?.version).toBe(1);
      await catalog.close();
    });

    test('a listing holds exactly the documents under its prefix, in the order of their keys, page by page', async () => {
      const { catalog } = await open();
      const keys = [
        ['trail', '1', 'b'],
        ['trail', '1', 'a'],
        ['trail', '10', 'a'],
        ['trail', '1', 'a-b'],
        ['trailer', '1', 'x'],
        ['trail', '1', 'é'],
      ] as const;
      await catalog.commit(keys.map((key) => ({ key, value: key[2], expected: 0 })));
      expect((await catalog.list(['trail', '1'])).map(({ key }) => key[2])).toEqual(['a', 'a-b', 'b', 'é']);
      expect((await catalog.list(['trail', '1'], { after: ['trail', '1', 'a'], limit: 2 })).map(({ key }) => key[2])).toEqual(['a-b', 'b']);
      expect(await catalog.list(['trail'])).toHaveLength(5);
      await catalog.close();
    });

    test('a deleted document is gone, and may be made anew from version 0', async () => {
      const { catalog } = await open();
      await catalog.commit([{ key: ['a', '1'], value: 1, expected: 'any' }]);
      await catalog.commit([{ key: ['a', '1'], value: undefined, expected: 1 }]);
      expect(await catalog.get(['a', '1'])).toBeUndefined();
      await catalog.commit([{ key: ['a', '1'], value: 2, expected: 0 }]);
      expect((await catalog.get(['a', '1']))?.value).toBe(2);
      await catalog.close();
    });

    test('a key with an empty part, NUL or more than 512 bytes is refused before anything is written', async () => {
      const { catalog } = await open();
      for (const part of ['', 'a\0b', 'x'.repeat(513)]) {
        await expect(catalog.commit([{ key: ['a', part], value: 1, expected: 0 }])).rejects.toThrow(RangeError);
      }
      await catalog.close();
    });

    test('what was committed is there after closing and opening again', async (context) => {
      const { catalog, reopen } = await open();
      if (reopen === undefined) return context.skip('memory does not outlive its process');
      await catalog.commit([{ key: ['a', '1'], value: 'kept', expected: 0 }]);
      await catalog.close();
      const again = await reopen();
      expect((await again.get(['a', '1']))?.value).toBe('kept');
      await again.close();
    });
  });
}
