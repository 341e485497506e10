import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { Inspector } from './inspector.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

describe('Inspector', () => {
  test('finds the same in this thread as in others, however many files there are', async () => {
    const file = (index: number) => ({ kind: 'log' as const, bytes: new Uint8Array(gzipSync(`{"Records":[{"n":${index}}]}`)) });
    const here = new Inspector(0);
    const there = new Inspector(2);
    cleanUps.push(() => there.close());
    const indexes = Array.from({ length: 300 }, (_, index) => index);
    const [expected, found] = await Promise.all(
      [here, there].map((inspector) => Promise.all(indexes.map((index) => inspector.inspect(file(index))))),
    );
    expect(found).toEqual(expected);
    expect(expected![7]).toMatchObject({ records: 1, sizeBytes: file(7).bytes.length });
  });
});
