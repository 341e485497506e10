import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sliceRecords } from '../event/slice-records.ts';
import { encodeLogFile, splitRecords } from './encode-log-file.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const records = fc.array(
  fc.jsonValue().map((value) => bytesOf(JSON.stringify({ value }, null, 1))),
  { minLength: 1, maxLength: 8 },
);

describe('encodeLogFile', () => {
  test('joins the bytes of the records with commas and changes none', () => {
    expect(textOf(encodeLogFile([bytesOf('{ "a":1.0 }'), bytesOf('{"b":"\\u0041"}')]))).toBe('{"Records":[{ "a":1.0 },{"b":"\\u0041"}]}');
  });

  test('what it joins, slicing cuts apart again', () => {
    fc.assert(
      fc.property(records, (originals) => {
        const pieces = sliceRecords(encodeLogFile(originals));
        expect(pieces.map((piece) => (piece.kind === 'record' ? textOf(piece.bytes) : piece.reason))).toEqual(originals.map(textOf));
      }),
    );
  });
});

describe('splitRecords', () => {
  test('every run fits, is as long as possible, and together they are the records in order', () => {
    fc.assert(
      fc.property(records, fc.integer({ min: 40, max: 200 }), (originals, bytesMax) => {
        const runs = splitRecords(originals, bytesMax);
        expect(runs.flat()).toEqual(originals);
        runs.forEach((run, index) => {
          if (run.length > 1) expect(encodeLogFile(run).length).toBeLessThanOrEqual(bytesMax);
          const next = runs[index + 1]?.[0];
          if (next !== undefined) expect(encodeLogFile([...run, next]).length).toBeGreaterThan(bytesMax);
        });
      }),
    );
  });

  test('a record that alone exceeds the limit is in a file of its own', () => {
    const [small, large] = [bytesOf('{}'), bytesOf(`{"a":"${'x'.repeat(100)}"}`)];
    expect(splitRecords([small, large, small], 50)).toEqual([[small], [large], [small]]);
  });

  test('50 MB is the limit, and no records make no file', () => {
    const record = new Uint8Array(1_000_000);
    expect(splitRecords(Array.from({ length: 50 }, () => record)).map((run) => run.length)).toEqual([49, 1]);
    expect(splitRecords([])).toEqual([]);
  });
});
