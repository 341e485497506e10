import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RECORD_BYTES_MAX } from './limits.ts';
import { scanJson } from './scan-json.ts';
import { type RecordPiece, RecordSlicer, sliceRecords } from './slice-records.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Pieces in short: the text of a record, or `!code reason`, each with its place. */
function short(pieces: readonly RecordPiece[]): string[] {
  return pieces.map(
    (piece) =>
      `${piece.unit} ${piece.number}: ${piece.kind === 'record' ? new TextDecoder().decode(piece.bytes) : `!${piece.code} ${piece.reason}`}`,
  );
}

function slicedInChunks(bytes: Uint8Array, sizes: readonly number[]): string[] {
  return short(piecesInChunks(bytes, sizes));
}

function piecesInChunks(bytes: Uint8Array, sizes: readonly number[]): RecordPiece[] {
  const slicer = new RecordSlicer();
  const pieces: RecordPiece[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    pieces.push(...slicer.push(bytes.slice(at, at + size)));
    at += size;
  }
  pieces.push(...slicer.end());
  return pieces;
}

describe('lines of records', () => {
  test('each line is a record, blank lines and CRLF are left out, the last needs no line end', () => {
    expect(short(sliceRecords(bytesOf('\n{"a":1}\r\n\r\n  {"b":"\\n"} \n{"c":3}')))).toEqual([
      'line 2: {"a":1}',
      'line 4: {"b":"\\n"}',
      'line 5: {"c":3}',
    ]);
  });

  test('a malformed line costs only itself, also when it is the first', () => {
    for (const bad of ['oops', '{"a":', '{"a":{"b":"x"', '{"a":"unterminated', '[1]', '{"a":1}}', '{"a" "b"}', '"', '5', ']']) {
      expect(short(sliceRecords(bytesOf(`${bad}\n{"b":2}\n{"c":3}\n`)))).toEqual([`line 1: ${bad}`, 'line 2: {"b":2}', 'line 3: {"c":3}']);
    }
  });

  test('a line above the limit is reported with its size and the next ones are read', () => {
    const long = `{"a":"${'x'.repeat(RECORD_BYTES_MAX)}"}`;
    expect(slicedInChunks(bytesOf(`{"b":1}\n${long}\n{"c":2}`), [70_000])).toEqual([
      'line 1: {"b":1}',
      `line 2: !RecordTooLarge line 2 has ${RECORD_BYTES_MAX + 8} bytes; at most 1048576 are accepted`,
      'line 3: {"c":2}',
    ]);
  });

  test('a record of exactly the limit is a record', () => {
    const line = `{"a":"${'x'.repeat(RECORD_BYTES_MAX - 8)}"}`;
    expect(short(sliceRecords(bytesOf(line)))).toEqual([`line 1: ${line}`]);
  });

  test('a byte order mark before the first record is left out, a part of one is not', () => {
    expect(slicedInChunks(bytesOf('\ufeff{"a":1}\n{"b":2}'), [1])).toEqual(['line 1: {"a":1}', 'line 2: {"b":2}']);
    expect(sliceRecords(new Uint8Array([0xef, 0xbb]))).toEqual([
      { kind: 'record', bytes: new Uint8Array([0xef, 0xbb]), unit: 'line', number: 1 },
    ]);
  });

  test('nothing, or white space only, has no records', () => {
    for (const text of ['', '\n', ' \r\n\t\n', '\ufeff']) expect(sliceRecords(bytesOf(text))).toEqual([]);
  });
});

describe('documents', () => {
  test('records are cut out with their exact bytes, whatever surrounds them', () => {
    const text =
      ' {\n "x": {"Records": [{"no":1}]}, "y":"]}",\n "Records" : [ {"a": "}]\\"[", "b":[1, {}]}\n,\n{ "c" :\t-0.0 } ] , "z":[2]}\n';
    expect(short(sliceRecords(bytesOf(text)))).toEqual(['record 1: {"a": "}]\\"[", "b":[1, {}]}', 'record 2: { "c" :\t-0.0 }']);
  });

  test('an empty array has no records', () => {
    expect(sliceRecords(bytesOf('{"Records":[]}'))).toEqual([]);
    expect(sliceRecords(bytesOf('{"Records":[ ]}\n{"Records":[\n]}'))).toEqual([]);
  });

  test('documents may follow each other and are numbered through', () => {
    expect(short(sliceRecords(bytesOf('{"Records":[{"a":1}]}{"Records":[{"b":2},{"c":3}]}')))).toEqual([
      'record 1: {"a":1}',
      'record 2: {"b":2}',
      'record 3: {"c":3}',
    ]);
  });

  test('one record over several lines is a record', () => {
    const text = '{\n  "eventID": "e",\n  "resources": [\n    {}\n  ]\n}';
    expect(short(sliceRecords(bytesOf(`${text}\n`)))).toEqual([`record 1: ${text}`]);
  });

  test('an element that is no object is a slice, for the parser to refuse', () => {
    expect(short(sliceRecords(bytesOf('{"Records":[null,"a]",5 , tru]}')))).toEqual([
      'record 1: null',
      'record 2: "a]"',
      'record 3: 5',
      'record 4: tru',
    ]);
  });

  test('missing and superfluous commas are reported in their place', () => {
    expect(short(sliceRecords(bytesOf('{"Records":[,{"a":1}{"b":2},]}')))).toEqual([
      'record 1: !InvalidJson record 1 is missing before a comma',
      'record 2: {"a":1}',
      'record 3: !InvalidJson a comma is missing after record 2',
      'record 4: {"b":2}',
      'record 5: !InvalidJson record 5 is missing after the last comma',
    ]);
  });

  test('an input that ends too early is reported', () => {
    expect(short(sliceRecords(bytesOf('{"Records":[{"a":1},{"b"')))).toEqual([
      'record 1: {"a":1}',
      'record 2: !InvalidJson the input ends inside record 2',
    ]);
    expect(short(sliceRecords(bytesOf('{"Records":[{"a":1}')))).toEqual([
      'record 1: {"a":1}',
      'record 2: !InvalidJson the input ends before the end of the `Records` document',
    ]);
    expect(short(sliceRecords(bytesOf('{"Records":[{"a":1}]')))).toHaveLength(2);
  });

  test('after broken structure the next line begins a document', () => {
    expect(short(sliceRecords(bytesOf('{"Records":[{"a":1}}]} rest\n{"Records":[{"b":2}]} x\n{"Records":[{"c":3}]}')))).toEqual([
      'record 1: {"a":1}',
      'record 2: !InvalidJson the `Records` array is closed by a brace; reading goes on with the next line',
      'record 3: {"b":2}',
      'record 4: !InvalidJson a JSON object is expected; reading goes on with the next line',
      'record 5: {"c":3}',
    ]);
  });

  test('a record above the limit is reported with its size and the next ones are read', () => {
    const text = `{"Records":[{"a":"${'x'.repeat(RECORD_BYTES_MAX)}"},{"b":2}]}`;
    expect(slicedInChunks(bytesOf(text), [65_536])).toEqual([
      `record 1: !RecordTooLarge record 1 has ${RECORD_BYTES_MAX + 8} bytes; at most 1048576 are accepted`,
      'record 2: {"b":2}',
    ]);
  });

  test('ten million open brackets take less than a second and no memory worth naming', () => {
    const slicer = new RecordSlicer();
    const chunk = new Uint8Array(100_000).fill(0x5b);
    const from = performance.now();
    slicer.push(bytesOf('{"Records":['));
    for (let count = 0; count < 100; count++) expect(slicer.push(chunk)).toEqual([]);
    expect(short(slicer.end())).toEqual(['record 1: !InvalidJson the input ends inside record 1']);
    expect(performance.now() - from).toBeLessThan(1000);
  });
});

describe('slicing by chunks', () => {
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify({ value }));
  const records = fc.array(json, { maxLength: 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
  const space = fc.constantFrom('', ' ', '\n', '\r\n\t');

  test('gives the records of a document, however it is cut', () => {
    fc.assert(
      fc.property(records, sizes, space, (texts, chunkSizes, gap) => {
        const text = `${gap}{${gap}"a"${gap}:${gap}1,"Records"${gap}:${gap}[${gap}${texts.join(`${gap},${gap}`)}${gap}]${gap},"b":[{}]${gap}}${gap}`;
        expect(slicedInChunks(bytesOf(text), chunkSizes)).toEqual(texts.map((record, index) => `record ${index + 1}: ${record}`));
      }),
    );
  });

  test('gives the lines, however they are cut', () => {
    fc.assert(
      fc.property(records, sizes, fc.constantFrom('\n', '\r\n', '\n\n'), (texts, chunkSizes, gap) => {
        const expected = texts.map((record, index) => `line ${index * (gap === '\n\n' ? 2 : 1) + 1}: ${record}`);
        expect(slicedInChunks(bytesOf(texts.join(gap)), chunkSizes)).toEqual(expected);
      }),
    );
  });

  test('of any bytes gives what slicing them whole gives', () => {
    const letters = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', ' ', '\n', 'a', '1', '"Records":[', '{"Records":['),
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.constantFrom('', '{"Records":[', '{"a":1}\n'), letters, sizes, (start, rest, chunkSizes) => {
        const bytes = bytesOf(start + rest);
        expect(slicedInChunks(bytes, chunkSizes)).toEqual(short(sliceRecords(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  test('tells of each record the shape that a scan of it tells', () => {
    const text = fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', ' ', 'abcdefgh', 'é') });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            records.map(([first]) => first ?? ''),
            text,
          ),
        ),
        sizes,
        (texts, chunkSizes) => {
          for (const piece of piecesInChunks(bytesOf(`{"Records":[${texts.join(',')}]}`), chunkSizes)) {
            if (piece.kind === 'record' && piece.shape !== undefined) expect(piece.shape).toEqual(scanJson(piece.bytes));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('tells the shape of every record of a document', () => {
    const pieces = piecesInChunks(bytesOf('{"Records":[{"a":"{\\"[,:"},{"b":[1,{"c":[]}]}]}'), [5]);
    expect(pieces.map((piece) => piece.kind === 'record' && piece.shape)).toEqual([
      { depth: 1, members: 1, names: 1 },
      { depth: 4, members: 5, names: 2 },
    ]);
  });
});
