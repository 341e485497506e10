import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { type LogFileName, logFileKey, parseLogFileKey, prefixProblem, uniqueText } from './log-file-key.ts';

const NAME: LogFileName = {
  account: '218007301253' as AccountId,
  folder: 'CloudTrail',
  region: 'us-east-1' as Region,
  timeMs: Date.parse('2023-07-10T12:30:00Z'),
  unique: 'KV9LZlfXqBel7nqf',
};
// Name of a file that the service delivered (invictus-ir/aws_dataset, MIT).
const KEY =
  'AWSLogs/218007301253/CloudTrail/us-east-1/2023/07/10/218007301253_CloudTrail_us-east-1_20230710T1230Z_KV9LZlfXqBel7nqf.json.gz';

describe('logFileKey', () => {
  test('is the key that the service gives', () => {
    expect(logFileKey(NAME)).toBe(KEY);
    expect(logFileKey({ ...NAME, timeMs: NAME.timeMs + 59_999 })).toBe(KEY);
  });

  test('begins with the prefix, and names the organization behind AWSLogs', () => {
    expect(logFileKey({ ...NAME, prefix: 'a/b', organizationId: 'o-1a2b3c4d5e' })).toBe(
      `a/b/AWSLogs/o-1a2b3c4d5e/${KEY.slice('AWSLogs/'.length)}`,
    );
  });

  test('repeats the folder in the file name', () => {
    expect(logFileKey({ ...NAME, folder: 'CloudTrail-Insight' })).toBe(KEY.replaceAll('CloudTrail', 'CloudTrail-Insight'));
  });
});

describe('parseLogFileKey', () => {
  test('reads back what was written', () => {
    const name = fc.record(
      {
        prefix: fc.stringMatching(/^[a-z0-9 =_.-]{1,10}(\/[a-zA-Z0-9]{1,5})?$/).filter((prefix) => prefixProblem(prefix) === undefined),
        organizationId: fc.stringMatching(/^o-[a-z0-9]{10,32}$/),
        account: fc.stringMatching(/^[0-9]{12}$/) as fc.Arbitrary<AccountId>,
        folder: fc.constantFrom('CloudTrail', 'CloudTrail-Insight', 'CloudTrail-NetworkActivity', 'CloudTrail-Aggregated'),
        region: fc.stringMatching(/^[a-z]{2}-[a-z]{4,9}-[0-9]$/) as fc.Arbitrary<Region>,
        timeMs: fc.integer({ min: 0, max: 4_000_000 }).map((minutes) => minutes * 60_000),
        unique: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(uniqueText),
      },
      { requiredKeys: ['account', 'folder', 'region', 'timeMs', 'unique'] },
    ) as fc.Arbitrary<LogFileName>;
    fc.assert(
      fc.property(name, (original) => {
        expect(parseLogFileKey(logFileKey(original))).toEqual({ ...original });
      }),
    );
  });

  test.each([
    ['an empty key', ''],
    ['a digest', KEY.replaceAll('CloudTrail', 'CloudTrail-Digest')],
    ['two accounts', KEY.replace('218007301253_', '218007301254_')],
    ['two Regions', KEY.replace('/us-east-1/', '/us-east-2/')],
    ['two dates', KEY.replace('/07/10/', '/07/11/')],
    ['two folders', KEY.replace('/CloudTrail/', '/CloudTrail-Insight/')],
    ['a day that does not exist', KEY.replace('/07/10/', '/02/30/').replace('20230710T', '20230230T')],
    ['hour 24', KEY.replace('T1230Z', 'T2430Z')],
    ['a short unique text', KEY.replace('KV9LZlfXqBel7nqf', 'KV9LZlfXqBel7nq')],
    ['another extension', KEY.replace('.gz', '')],
    ['text behind it', `${KEY}\n`],
  ])('refuses %s', (_, key) => {
    expect(parseLogFileKey(key)).toBeUndefined();
  });
});

describe('uniqueText', () => {
  test('is 16 letters and digits, the same for the same hash', () => {
    expect(uniqueText(new Uint8Array(32))).toBe('0000000000000000');
    expect(uniqueText(new Uint8Array(32).fill(255))).toBe('7chF7tm8n9klfT5M');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 32 }), (hash) => {
        expect(uniqueText(hash)).toMatch(/^[0-9A-Za-z]{16}$/);
      }),
    );
  });

  test('of a short hash is refused', () => {
    expect(() => uniqueText(new Uint8Array(15))).toThrow(RangeError);
  });
});

describe('prefixProblem', () => {
  test.each(['', 'logs', 'a/b/c', 'account=1/x y', 'x'.repeat(200)])('`%s` can be a prefix', (prefix) => {
    expect(prefixProblem(prefix)).toBeUndefined();
  });

  test.each(['/logs', 'logs/', 'a//b', '/', '.', 'a/../b', 'AWSLogs', 'a/AWSLogs/b', 'ünder', 'a\nb', 'x'.repeat(201)])(
    '`%s` cannot',
    (prefix) => {
      expect(prefixProblem(prefix)).toMatch(/^S3 prefix /);
    },
  );
});
