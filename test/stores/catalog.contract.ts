/**
 * What every implementation of `Catalog` promises.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Catalog, CatalogConflict, type CatalogKey } from '../../src/store/catalog.ts';

/** The store under test; `reopen` gives what a new process finds. */
export interface CatalogRig {
  readonly catalog: Catalog;
  /** Absent for a store that ends with its process. */
  readonly reopen?: () => Promise<Catalog>;
}

/** @param open Makes a new, empty store. */
export function describeCatalog(name: string, open: () => Promise<CatalogRig>): void {
  describe(`${name}: catalog`, () => {
    test('a committed document is read back, with versions from 1', async () => {
      const { catalog } = await open();
      const key: CatalogKey = ['trail', '123456789012', 'us-east-1', 'main'];
      expect(await catalog.get(key)).toBeUndefined();
      await catalog.commit([{ key, value: { isLogging: true, tags: ['a', null, 1.5, 'ü\u0000'] }, expected: 0 }]);
      expect(await catalog.get(key)).toEqual({ key, value: { isLogging: true, tags: ['a', null, 1.5, 'ü\u0000'] }, version: 1 });
      await catalog.commit([{ key, value: 'text', expected: 1 }]);
      expect(await catalog.get(key)).toEqual({ key, value: 'text', version: 2 });
      await catalog.commit([{ key, value: undefined, expected: 2 }]);
      expect(await catalog.get(key)).toBeUndefined();
      await catalog.commit([{ key, value: null, expected: 0 }]);
      expect(await catalog.get(key)).toEqual({ key, value: null, version: 1 });
    });

    test('a document that another change came before is not replaced, and nothing else of the commit is applied', async () => {
      const { catalog } = await open();
      await catalog.commit([{ key: ['a', '1'], value: 1, expected: 0 }]);
      const attempts: [CatalogKey, number][] = [
        [['a', '1'], 0],
        [['a', '1'], 2],
        [['a', 'absent'], 1],
      ];
      for (const [key, expected] of attempts) {
        const before = { key: ['b', 'before'] as const, value: 1, expected: 0 };
        const after = { key: ['b', 'after'] as const, value: 1, expected: 0 };
        const failed = catalog.commit([before, { key, value: 2, expected }, after]);
        await expect(failed).rejects.toThrow(CatalogConflict);
        await expect(failed).rejects.toMatchObject({ key });
      }
      expect(await catalog.list(['b'])).toEqual([]);
      expect(await catalog.get(['a', '1'])).toMatchObject({ value: 1, version: 1 });
    });

    test('`any` replaces or deletes whatever is there, or nothing', async () => {
      const { catalog } = await open();
      const key: CatalogKey = ['cursor', 'history'];
      await catalog.commit([{ key, value: undefined, expected: 'any' }]);
      await catalog.commit([{ key, value: 1, expected: 'any' }]);
      await catalog.commit([{ key, value: 2, expected: 'any' }]);
      expect(await catalog.get(key)).toEqual({ key, value: 2, version: 2 });
      await catalog.commit([{ key, value: undefined, expected: 'any' }]);
      expect(await catalog.get(key)).toBeUndefined();
    });

    test('of 64 changes made at once on one version, one is applied', async () => {
      const { catalog } = await open();
      const key: CatalogKey = ['counter', 'x'];
      const attempts = Array.from({ length: 64 }, (_, index) => catalog.commit([{ key, value: index, expected: 0 }]));
      const results = await Promise.allSettled(attempts);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      expect(await catalog.get(key)).toEqual({ key, value: winner, version: 1 });
    });

    test('commits under way at once are all applied, and what one wrote is read as soon as it resolved', async () => {
      const { catalog } = await open();
      await Promise.all(
        Array.from({ length: 500 }, async (_, index) => {
          const key: CatalogKey = ['many', String(index)];
          await catalog.commit([{ key, value: index, expected: 0 }]);
          expect(await catalog.get(key)).toEqual({ key, value: index, version: 1 });
        }),
      );
      expect(await catalog.list(['many'])).toHaveLength(500);
    });

    test('a listing holds the keys that begin with all parts of the prefix, and no key that merely begins alike', async () => {
      const { catalog } = await open();
      const keys: CatalogKey[] = [
        ['trail'],
        ['trail', '1'],
        ['trail', '1', 'b'],
        ['trail', '10'],
        ['trail', '1!'],
        ['trail-state', '1'],
        ['z'],
      ];
      await catalog.commit(keys.map((key) => ({ key, value: 0, expected: 0 })));
      const found = async (prefix: CatalogKey, options?: { after?: CatalogKey; limit?: number }) =>
        (await catalog.list(prefix, options)).map(({ key }) => key);
      expect(await found(['trail'])).toEqual([['trail'], ['trail', '1'], ['trail', '1', 'b'], ['trail', '1!'], ['trail', '10']]);
      expect(await found(['trail', '1'])).toEqual([
        ['trail', '1'],
        ['trail', '1', 'b'],
      ]);
      expect(await found(['trail'], { after: ['trail', '1'], limit: 2 })).toEqual([
        ['trail', '1', 'b'],
        ['trail', '1!'],
      ]);
      expect(await found(['trail', '1'], { after: ['a'] })).toEqual([
        ['trail', '1'],
        ['trail', '1', 'b'],
      ]);
      expect(await found(['trail', '1'], { after: ['trail', '1', 'b'] })).toEqual([]);
      expect(await found(['none'])).toEqual([]);
    });

    test('keys come in the order of their parts, part by part, by UTF-8 bytes', async () => {
      const part = fc
        .string({ unit: 'binary', minLength: 1, maxLength: 8 })
        .filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text));
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.tuple(part, part), { minLength: 1, maxLength: 20, selector: (pair) => pair.join('\0') }),
          async (pairs) => {
            const { catalog } = await open();
            const keys = pairs.map(([one, other]): CatalogKey => ['kind', one, other]);
            await catalog.commit(keys.map((key) => ({ key, value: 1, expected: 0 })));
            const expected = [...keys].sort(
              (one, other) =>
                Buffer.compare(Buffer.from(one[1]!), Buffer.from(other[1]!)) ||
                Buffer.compare(Buffer.from(one[2]!), Buffer.from(other[2]!)),
            );
            expect((await catalog.list(['kind'])).map(({ key }) => key)).toEqual(expected);
            await catalog.close();
          },
        ),
        { numRuns: 25 },
      );
    });

    test('a listing is one snapshot of whole commits', async () => {
      const { catalog } = await open();
      const pair = (value: number) => [
        { key: ['pair', 'a'] as const, value, expected: 'any' as const },
        { key: ['pair', 'b'] as const, value, expected: 'any' as const },
      ];
      await catalog.commit(pair(0));
      let isDone = false;
      const writing = (async () => {
        for (let value = 1; value <= 200; value++) await catalog.commit(pair(value));
        isDone = true;
      })();
      while (!isDone) {
        const [a, b] = await catalog.list<number>(['pair']);
        expect(a?.value).toBe(b?.value);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
    });

    test('no read gives an older state than one before it did, of the document and of the list that it is in', async () => {
      const { catalog } = await open();
      const key: CatalogKey = ['list', 'a'];
      const rounds = 200;
      let isDone = false;
      const writing = (async () => {
        for (let value = 1; value <= rounds; value++) {
          await catalog.commit([{ key, value, expected: 'any' }]);
          expect((await catalog.get(key))?.version).toBe(value);
          expect((await catalog.list(['list']))[0]?.version).toBe(value);
        }
        isDone = true;
      })();
      let seen = 0;
      while (!isDone) {
        for (const read of [
          async () => catalog.get<number>(key),
          async () => (await catalog.list<number>(['list', 'a']))[0],
          async () => (await catalog.list<number>(['list']))[0],
        ]) {
          const found = await read();
          expect(found?.value ?? 0).toBe(found?.version ?? 0);
          expect(found?.version ?? 0).toBeGreaterThanOrEqual(seen);
          seen = found?.version ?? 0;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writing;
      await catalog.commit([{ key, value: undefined, expected: rounds }]);
      expect(await catalog.get(key)).toBeUndefined();
      expect(await catalog.list(['list'])).toEqual([]);
    });

    test('a value that was written stays the writer’s to change, and one that was read cannot be changed', async () => {
      const { catalog } = await open();
      const value = { members: ['a'] };
      await catalog.commit([{ key: ['a'], value, expected: 0 }]);
      value.members.push('b');
      const reads = [await catalog.get<{ members: string[] }>(['a']), (await catalog.list<{ members: string[] }>(['a']))[0]];
      for (const read of reads) expect(() => read!.value.members.push('c')).toThrow(TypeError);
      expect((await catalog.get(['a']))?.value).toEqual({ members: ['a'] });
    });

    test('keys and documents beyond the limits are refused, and nothing is applied', async () => {
      const { catalog } = await open();
      const good = { key: ['good'] as const, value: 1, expected: 0 };
      const long = 'x'.repeat(512);
      await catalog.commit([{ key: ['a', 'b', 'c'], value: 1, expected: 0 }]);
      expect(await catalog.get(['a', 'b', 'c'])).toBeDefined();
      const badKeys: CatalogKey[] = [[''], ['a', ''], ['a', 'b\0c'], ['a', `${long}x`], ['a', '\ud800'], [long, long, long, long]];
      for (const key of badKeys) {
        await expect(catalog.commit([good, { key, value: 1, expected: 0 }])).rejects.toThrow(RangeError);
        await expect(catalog.get(key)).rejects.toThrow(RangeError);
        await expect(catalog.list(key)).rejects.toThrow(RangeError);
      }
      await expect(catalog.commit([good, { key: ['big'], value: 'x'.repeat(1024 * 1024), expected: 0 }])).rejects.toThrow(RangeError);
      await expect(catalog.commit([good, good])).rejects.toThrow(RangeError);
      expect(await catalog.list(['good'])).toEqual([]);
      await catalog.commit([{ key: [long, long, long], value: 'x'.repeat(1024 * 1024 - 2), expected: 0 }]);
      expect(await catalog.get([long, long, long])).toMatchObject({ version: 1 });
    });

    test('a new process finds every commit that resolved', async () => {
      const { catalog, reopen } = await open();
      if (reopen === undefined) return expect(await catalog.get(['nothing'])).toBeUndefined();
      await catalog.commit([
        { key: ['a', '1'], value: { n: 1 }, expected: 0 },
        { key: ['a', '2'], value: { n: 2 }, expected: 0 },
      ]);
      await catalog.commit([{ key: ['a', '1'], value: undefined, expected: 1 }]);
      await catalog.close();
      const again = await reopen();
      expect(await again.list(['a'])).toEqual([{ key: ['a', '2'], value: { n: 2 }, version: 1 }]);
      await again.close();
    });

    test('closing ends while commits are asked for without a pause; what resolved before is kept, and the rest is refused', async () => {
      const { catalog, reopen } = await open();
      const written = new Map<string, number>();
      const writer = async (name: string) => {
        for (let value = 1; ; value++) {
          const isWritten = await catalog.commit([{ key: ['w', name], value, expected: 'any' }]).then(
            () => true,
            () => false,
          );
          if (!isWritten) return;
          written.set(name, value);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const writing = [writer('a'), writer('b'), writer('c')];
      while (written.size < 3) await new Promise((resolve) => setTimeout(resolve, 1));
      await catalog.close();
      await Promise.all(writing);
      if (reopen === undefined) return;
      const again = await reopen();
      for (const [name, value] of written) expect((await again.get(['w', name]))?.value).toBe(value);
      await again.close();
    });
  });
}
