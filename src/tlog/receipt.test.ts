import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeKeyStatement, keyStatementToSign, parseKeyStatement, type SignedKeyStatement } from './key-statement.ts';
import { formatNote, parseNote } from './note.ts';
import { encodeReceipt, parseReceipt, RECEIPT_BYTES_MAX, type Receipt } from './receipt.ts';

const base = {
  trailARN: 'arn:aws:cloudtrail:eu-central-1:123837392027:trail/main',
  number: 2,
  previousReceiptSha256: 'a'.repeat(64),
  createdAt: '2026-01-02T03:04:05Z',
  bucket: 'evidence-bucket',
  prefix: null,
  checkpoint: 'snowtrail/1\n1\nAAAA\n\n— snowtrail/1 AAAA\n',
  consistency: [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)],
};

const file = {
  key: 'AWSLogs/123837392027/CloudTrail/eu-central-1/2026/01/02/ä "quoted".json.gz',
  account: '123837392027',
  region: 'eu-central-1',
  sha256: 'b'.repeat(64),
  contentSha256: 'c'.repeat(64),
  sizeBytes: 1234,
};

const delivery: Receipt = {
  ...base,
  kind: 'delivery',
  fromSequence: 5n,
  toSequence: 9_007_199_254_740_993n,
  objects: [
    {
      ...file,
      events: 3,
      firstSequence: 6n,
      lastSequence: 9_007_199_254_740_993n,
      oldestEventTime: '2026-01-02T03:00:00Z',
      newestEventTime: '2026-01-02T03:04:00Z',
    },
  ],
};

const receipts: readonly Receipt[] = [
  {
    ...base,
    kind: 'start',
    number: 1,
    previousReceiptSha256: null,
    checkpoint: null,
    consistency: [],
    reason: { event: 'StartLogging', principal: 'arn:aws:iam::123837392027:root', eventId: 'x' },
  },
  delivery,
  { ...delivery, objects: [] },
  {
    ...base,
    kind: 'digest',
    digest: {
      ...file,
      start: '2026-01-02T02:00:00Z',
      end: '2026-01-02T03:00:00Z',
      isBackfill: false,
      signature: 'ab'.repeat(256),
      fingerprint: 'd'.repeat(32),
      previousSignature: null,
      logFiles: 0,
    },
  },
  { ...base, kind: 'stop', reason: { event: 'StopLogging', principal: 'arn:aws:iam::123837392027:root' } },
  {
    ...base,
    number: 9,
    prefix: 'deep/er',
    elsewhere: [
      { from: 1, to: 3, bucket: null, prefix: null },
      { from: 5, to: 7, bucket: 'other-bucket', prefix: 'p' },
    ],
    withdrawn: [
      { from: 4, to: 4 },
      { from: 8, to: 8 },
    ],
    kind: 'stop',
    reason: { event: 'StopLogging', principal: 'arn:aws:iam::123837392027:root' },
  },
  { ...base, withdrawn: [{ from: 1, to: 1 }], kind: 'stop', reason: { event: 'StopLogging', principal: 'arn:aws:iam::123837392027:root' } },
  { ...base, kind: 'key', key: { use: 'checkpoint', fingerprint: '0a1b2c3d', publicKey: new Uint8Array(32), previousFingerprint: null } },
];

describe('receipts', () => {
  test.each(receipts.map((receipt) => [receipt.kind, receipt] as const))('a `%s` receipt is read back as it was written', (_, receipt) => {
    expect(parseReceipt(encodeReceipt(receipt))).toEqual({ kind: 'ok', value: receipt });
  });

  test('are one line of JSON with the documented members in their order', () => {
    const text = encodeReceipt(delivery);
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(Object.keys(JSON.parse(text))).toEqual([
      'version',
      'trailARN',
      'number',
      'previousReceiptSha256',
      'kind',
      'createdAt',
      'fromSequence',
      'toSequence',
      'objects',
      'bucket',
      'prefix',
      'checkpoint',
      'consistency',
    ]);
    expect(JSON.parse(text).toSequence).toBe('9007199254740993');
  });

  test('can be signed as notes', () => {
    const note = formatNote(encodeReceipt(delivery), [{ name: 'snowtrail/1', keyHash: '00000000', signature: new Uint8Array(64) }]);
    expect(parseNote(note)).toMatchObject({ kind: 'ok', value: { text: encodeReceipt(delivery) } });
  });

  test('any other spelling of the same values is refused', () => {
    const text = encodeReceipt(delivery);
    const others = [
      text.slice(0, -1),
      `${text}\n`,
      ` ${text}`,
      text.replace('"version":3', '"version":3.0'),
      text.replace('"version":3,', '"version":3,"version":3,'),
      text.replace('"version":3,', '"unknown":1,"version":3,'),
      text.replace('"number":2', '"number":2e0'),
      text.replace('ä', '\\u00e4'),
      text.replace('"events":3', '"events":3,"events":3'),
      text
        .replace('"account":"123837392027",', '')
        .replace('"region"', '"account":"123837392027","region"')
        .replace('"sizeBytes":1234,', ''),
    ];
    expect(others.map((other) => parseReceipt(other).kind)).toEqual(others.map(() => 'malformed'));
  });

  test('no text is read but the one that is written', () => {
    const texts = receipts.map(encodeReceipt);
    const pieces = fc.oneof(
      fc.constantFrom('"', ',', ':', '{', '}', '[', ']', '\\', ' ', '0', '"x":1,', ',"x":1', '\\u0061', '"kind"'),
      fc.string(),
    );
    let read = 0;
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(3), pieces, (text, place, length, piece) => {
        const at = place % text.length;
        const changed = text.slice(0, at) + piece + text.slice(at + length);
        const parsed = parseReceipt(changed);
        if (parsed.kind !== 'ok') return;
        read++;
        expect(encodeReceipt(parsed.value)).toBe(changed);
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(0);
  });

  test('values that cannot be are refused with the member named', () => {
    const changes: [from: string, to: string, reason: RegExp][] = [
      ['"version":3', '"version":0', /version/],
      ['"version":3', '"version":"2"', /version/],
      ['"number":2', '"number":0', /number/],
      ['"number":2', '"number":1', /previousReceiptSha256/],
      ['"number":2', '"number":9007199254740992', /number/],
      ['"kind":"delivery"', '"kind":"toString"', /kind/],
      ['"fromSequence":"5"', '"fromSequence":"05"', /fromSequence/],
      ['"fromSequence":"5"', '"fromSequence":"7"', /outside/],
      ['"toSequence":"9007199254740993"', '"toSequence":"4"', /toSequence/],
      ['"fromSequence":"5"', '"fromSequence":5', /fromSequence/],
      [`"sha256":"${'b'.repeat(64)}"`, `"sha256":"${'B'.repeat(64)}"`, /objects\[0\]\.sha256/],
      ['2026-01-02T03:04:05Z', '2026-13-02T03:04:05Z', /createdAt/],
      ['"consistency":[', '"consistency":["AAAA",', /consistency\[0\]/],
      ['"objects":[', '"objects":[null,', /objects\[0\]/],
      ['"bucket":"evidence-bucket"', '"bucket":"../x"', /bucket/],
      ['"prefix":null,', '', /is unknown/],
      ['"prefix":null', '"prefix":""', /prefix/],
      ['"prefix":null', '"withdrawn":[{"from":1,"to":1}],"prefix":null', /withdrawn/],
      ['"prefix":null', '"prefix":null,"withdrawn":[]', /withdrawn/],
      ['"prefix":null', '"prefix":null,"withdrawn":[{"from":1,"to":2}]', /withdrawn\[0\]/],
      ['"prefix":null', '"prefix":null,"withdrawn":[{"from":1,"to":1},{"from":1,"to":1}]', /withdrawn\[1\]/],
      ['"prefix":null', '"prefix":null,"withdrawn":[{"from":1,"to":1,"bucket":"b"}]', /bucket/],
      ['"prefix":null', '"prefix":null,"elsewhere":[{"from":1,"to":1,"bucket":"../x","prefix":null}]', /elsewhere\[0\]\.bucket/],
    ];
    for (const [from, to, reason] of changes) {
      const changed = encodeReceipt(delivery).replace(from, to);
      expect(changed).not.toBe(encodeReceipt(delivery));
      expect(parseReceipt(changed)).toEqual({ kind: 'malformed', reason: expect.stringMatching(reason) });
    }
  });

  test('one of another version is told as such, whatever else is in it', () => {
    for (const [version, use] of [
      [1, 'the Snowtrail of its time'],
      [4, 'a newer Snowtrail'],
    ])
      expect(parseReceipt(`{"else":[],"version":${version}}\n`)).toEqual({
        kind: 'unknown-version',
        reason: `is of version ${version}, and this one reads version 3: use ${use}`,
      });
  });

  test('what is no receipt at all is refused', () => {
    for (const text of [
      '',
      'null',
      '[]',
      '{}',
      '{',
      '[',
      '['.repeat(100_000),
      '1'.repeat(RECEIPT_BYTES_MAX + 1),
      '{"__proto__":{"version":1}}',
    ])
      expect(parseReceipt(text).kind).toBe('malformed');
  });
});

describe('key statements', () => {
  const statement: SignedKeyStatement = {
    use: 'digest',
    fingerprint: 'e'.repeat(32),
    publicKey: Uint8Array.of(1, 2, 3),
    validFrom: '2026-01-02T03:04:05Z',
    previousFingerprint: 'f'.repeat(32),
    rsaSignatures: [{ fingerprint: 'e'.repeat(32), signature: Uint8Array.of(9) }],
  };

  test('are read back as written; what RSA signs has no signatures in it', () => {
    expect(parseKeyStatement(encodeKeyStatement(statement))).toEqual({ kind: 'ok', value: statement });
    expect(keyStatementToSign(statement)).toBe(keyStatementToSign({ ...statement, rsaSignatures: [] } as SignedKeyStatement));
    expect(JSON.parse(keyStatementToSign(statement))).not.toHaveProperty('rsaSignatures');
  });

  test('another spelling is refused', () => {
    const text = encodeKeyStatement(statement);
    for (const other of [text.trimEnd(), text.replace('"kind":"key"', '"kind":"Key"'), text.replace('"version":1', '"version":1,"x":1')])
      expect(parseKeyStatement(other).kind).toBe('malformed');
  });

  test('one of another version is told as such', () => {
    const text = encodeKeyStatement(statement).replace('"version":1', '"version":2');
    expect(parseKeyStatement(text)).toEqual({
      kind: 'unknown-version',
      reason: 'is of version 2, and this one reads version 1: use a newer Snowtrail',
    });
  });
});
