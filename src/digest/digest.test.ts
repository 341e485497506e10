import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testDataFolder } from '../../test/support/test-data.ts';
import { findRepeatedMember } from '../event/find-repeated-member.ts';
import type { AccountId, Region } from '../event/types.ts';
import { type Digest, encodeDigest, parseDigest } from './digest-file.ts';
import { type DigestName, digestKey, digestMetadata, digestTime, parseDigestKey } from './digest-key.ts';
import { stringToSign } from './string-to-sign.ts';

const key =
  'AWSLogs/123837392027/CloudTrail-Digest/eu-central-1/2026/01/02/123837392027_CloudTrail-Digest_eu-central-1_main_us-east-1_20260102T030405Z.json.gz';

const starting: Digest = {
  awsAccountId: '123837392027',
  digestStartTime: '2026-01-02T02:04:05Z',
  digestEndTime: '2026-01-02T03:04:05Z',
  digestS3Bucket: 'evidence-bucket',
  digestS3Object: key,
  digestPublicKeyFingerprint: '0123456789abcdef0123456789abcdef',
  digestSignatureAlgorithm: 'SHA256withRSA',
  newestEventTime: null,
  oldestEventTime: null,
  previousDigestS3Bucket: null,
  previousDigestS3Object: null,
  previousDigestHashValue: null,
  previousDigestHashAlgorithm: null,
  previousDigestSignature: null,
  logFiles: [],
};

const linked: Digest = {
  ...starting,
  newestEventTime: '2026-01-02T03:00:00Z',
  oldestEventTime: '2026-01-02T02:00:00Z',
  previousDigestS3Bucket: 'evidence-bucket',
  previousDigestS3Object: key.replace('030405', '020405'),
  previousDigestHashValue: 'a'.repeat(64),
  previousDigestHashAlgorithm: 'SHA-256',
  previousDigestSignature: 'b0'.repeat(256),
  logFiles: [
    {
      s3Bucket: 'evidence-bucket',
      s3Object: 'AWSLogs/123837392027/CloudTrail/eu-central-1/2026/01/02/x.json.gz',
      hashValue: 'c'.repeat(64),
      hashAlgorithm: 'SHA-256',
      newestEventTime: '2026-01-02T03:00:00Z',
      oldestEventTime: '2026-01-02T02:00:00Z',
    },
  ],
};

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe('encodeDigest', () => {
  test('writes nulls and an empty list in a starting digest, members in the order of the service', () => {
    expect(decode(encodeDigest(starting))).toBe(
      '{"awsAccountId":"123837392027","digestStartTime":"2026-01-02T02:04:05Z","digestEndTime":"2026-01-02T03:04:05Z",' +
        `"digestS3Bucket":"evidence-bucket","digestS3Object":"${key}",` +
        '"digestPublicKeyFingerprint":"0123456789abcdef0123456789abcdef","digestSignatureAlgorithm":"SHA256withRSA",' +
        '"newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,' +
        '"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}',
    );
  });

  test('writes the same bytes whatever the order of the members in memory', () => {
    const reversed = Object.fromEntries(Object.entries(linked).reverse()) as unknown as Digest;
    expect(decode(encodeDigest(reversed))).toBe(decode(encodeDigest(linked)));
  });
});

describe('parseDigest', () => {
  test('reads back what was written', () => {
    for (const digest of [starting, linked]) expect(parseDigest(encodeDigest(digest))).toEqual({ kind: 'digest', digest });
  });

  test('passes over white space and members that it does not know', () => {
    const text = JSON.stringify({ ...linked, someNewMember: { a: [1] } }, null, 2);
    expect(parseDigest(encode(text))).toEqual({ kind: 'digest', digest: linked });
  });

  test('refuses other values with the member named', () => {
    const changes: [from: string, to: string, reason: RegExp][] = [
      ['"awsAccountId":"123837392027",', '', /awsAccountId/],
      ['"123837392027"', '123837392027', /awsAccountId/],
      ['"SHA256withRSA"', '"SHA1withRSA"', /SHA1withRSA/],
      ['"hashAlgorithm":"SHA-256"', '"hashAlgorithm":"MD5"', /logFiles\[0\]\.hashAlgorithm/],
      ['"previousDigestHashAlgorithm":"SHA-256"', '"previousDigestHashAlgorithm":"SHA-1"', /SHA-1/],
      [`"${'b0'.repeat(256)}"`, 'null', /together/],
      [`"${'a'.repeat(64)}"`, `"${'A'.repeat(64)}"`, /previousDigestHashValue/],
      ['"digestEndTime":"2026-01-02T03:04:05Z"', '"digestEndTime":"2026-01-02T03:04:05.000Z"', /digestEndTime/],
      ['"digestEndTime":"2026-01-02T03:04:05Z"', '"digestEndTime":"2026-01-01T03:04:05Z"', /after/],
      ['"logFiles":[', '"logFiles":[7,', /logFiles\[0\]/],
      ['"logFiles":[', '"logFiles":{"a":[', /JSON/],
      ['{"awsAccountId"', '{"awsAccountId":"123837392027","\\u0061wsAccountId"', /twice/],
      ['{"s3Bucket"', '{"s3Bucket":"other-bucket","s3Bucket"', /twice/],
    ];
    for (const [from, to, reason] of changes) {
      const changed = decode(encodeDigest(linked)).replace(from, to);
      expect(changed).not.toBe(decode(encodeDigest(linked)));
      expect(parseDigest(encode(changed))).toEqual({ kind: 'malformed', reason: expect.stringMatching(reason) });
    }
  });

  test('refuses what is no digest at all', () => {
    const malformed = ['', 'null', '[]', '"x"', '{}', '{', '['.repeat(200_000), '\ufeff{}', '{"__proto__":{}}'];
    expect(malformed.map((text) => parseDigest(encode(text)).kind)).toEqual(malformed.map(() => 'malformed'));
    expect(parseDigest(Uint8Array.of(0x7b, 0xff, 0x7d)).kind).toBe('malformed');
  });
});

describe('findRepeatedMember', () => {
  test('finds a name repeated in one object only', () => {
    const texts = [
      '{"a":1,"a":2}',
      '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
      '{"a":["a","a"],"b":"a"}',
      '[{"x":1},{"y":{"z":1 ,"z"\n:2}}]',
      '{"a\\"":1,"a\\u0022":2}',
    ];
    expect(texts.map(findRepeatedMember)).toEqual(['a', undefined, undefined, 'z', 'a"']);
  });

  test('finds nothing in what JSON.stringify wrote', () => {
    fc.assert(fc.property(fc.json(), (text) => findRepeatedMember(text) === undefined));
  });
});

describe('digestKey', () => {
  const name: DigestName = {
    account: '123837392027' as AccountId,
    region: 'eu-central-1' as Region,
    trailName: 'main',
    homeRegion: 'us-east-1' as Region,
    endTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    isBackfill: false,
  };

  test('is the documented key, with prefix, organization and suffix where they apply', () => {
    expect(digestKey(name)).toBe(key);
    expect(digestKey({ ...name, prefix: 'logs/a', organizationId: 'o-1a2b3c4d5e', isBackfill: true })).toBe(
      `logs/a/${key.replace('AWSLogs/', 'AWSLogs/o-1a2b3c4d5e/').replace('Z.json', 'Z_backfill.json')}`,
    );
  });

  test('is read back as it was made', () => {
    const region = fc.stringMatching(/^[a-z][a-z0-9-]{1,31}$/);
    const anyName = fc.record(
      {
        prefix: fc.constantFrom('p', 'a/b', 'AWSLogs', 'x/AWSLogs/o-1a2b3c4d5e', 'äö'),
        organizationId: fc.constant('o-1a2b3c4d5e'),
        account: fc.stringMatching(/^[0-9]{12}$/),
        region,
        trailName: fc.stringMatching(/^[A-Za-z0-9._-]{3,128}$/),
        homeRegion: region,
        endTimeMs: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
        isBackfill: fc.boolean(),
      },
      { requiredKeys: ['account', 'region', 'trailName', 'homeRegion', 'endTimeMs', 'isBackfill'] },
    );
    fc.assert(fc.property(anyName, (given) => void expect(parseDigestKey(digestKey(given as DigestName))).toEqual(given)));
  });

  test('other keys are none: a log file, another account, another day, a time that does not exist', () => {
    const others = [
      '',
      key.replace('CloudTrail-Digest/', 'CloudTrail/'),
      key.replace('/123837392027_', '/000000000000_'),
      key.replace('2026/01/02', '2026/01/03'),
      key.replace('2026/01/02', '2026/02/30').replace('20260102', '20260230'),
      key.replace('T030405', 'T246060'),
      key.replace('Digest_eu-central-1', 'Digest_eu-west-1'),
      key.replace('_main_', '_ma_'),
      key.replace('Z.json', 'Z_other.json'),
      `${key}.tmp`,
      `${key}\n`,
      `/${key}`,
      key.replace('AWSLogs', 'awslogs'),
    ];
    expect(others.map(parseDigestKey)).toEqual(others.map(() => undefined));
  });

  test('the metadata names the algorithm, and the time of making for a backfill digest only', () => {
    expect(digestMetadata({ signature: 'ab' })).toEqual({ signature: 'ab', 'signature-algorithm': 'SHA256withRSA' });
    expect(digestMetadata({ signature: 'ab', backfillGeneratedAtMs: Date.UTC(2025, 4, 20) })).toEqual({
      signature: 'ab',
      'signature-algorithm': 'SHA256withRSA',
      'backfill-generation-timestamp': '2025-05-20T00:00:00.000Z',
    });
  });

  test('times are cut to the second', () => {
    expect(digestTime(Date.UTC(2026, 0, 2, 3, 4, 5, 999))).toBe('2026-01-02T03:04:05Z');
  });
});

describe('stringToSign', () => {
  test('is four lines without a line end at its end; a starting digest says `null`', () => {
    const place = { bucket: 'evidence-bucket', key };
    expect(stringToSign(linked, place, 'f'.repeat(64))).toBe(
      `2026-01-02T03:04:05Z\nevidence-bucket/${key}\n${'f'.repeat(64)}\n${'b0'.repeat(256)}`,
    );
    expect(stringToSign(starting, place, 'f'.repeat(64)).endsWith('\nnull')).toBe(true);
  });
});

const data = testDataFolder();

describe.skipIf(data === undefined)('the samples of the CloudTrail User Guide', () => {
  const samples = readSamples();

  test('are read, and have the same members in the same order as ours', () => {
    expect(samples.length).toBe(2);
    for (const sample of samples) {
      const text = JSON.stringify(sample);
      const parsed = parseDigest(encode(JSON.stringify(sample, null, 2)));
      expect(parsed.kind === 'digest' && decode(encodeDigest(parsed.digest))).toBe(text);
    }
  });

  test('lie at the keys that we would give them', () => {
    const keys = samples.map((sample) => sample.digestS3Object);
    expect(keys.map((each) => digestKey(parseDigestKey(each)!))).toEqual(keys);
  });

  test("the fingerprint of AWS's printed public key is the MD5 of its PKCS#1 DER", () => {
    const [publicKey] = readJsonLines().flatMap((line) => line.json?.PublicKeyList ?? []);
    const md5 = createHash('md5').update(Buffer.from(publicKey.Value, 'base64')).digest('hex');
    expect(md5).toBe(publicKey.Fingerprint);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: lines of several kinds, looked at by the member they have.
function readJsonLines(): any[] {
  if (data === undefined) return [];
  const lines = readFileSync(join(data, 'digest', 'samples.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line));
}

function readSamples(): Digest[] {
  return readJsonLines().flatMap((line) => (line.json?.digestS3Object === undefined ? [] : [line.json]));
}
