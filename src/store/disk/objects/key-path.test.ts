import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ObjectKey } from '../../../event/types.ts';
import { asideName, pathOfKey } from './key-path.ts';

const path = (key: string) => pathOfKey(key as ObjectKey);

describe('pathOfKey', () => {
  test('keeps the layout of CloudTrail as it is', () => {
    const key =
      'prefix/AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/02/123456789012_CloudTrail_us-east-1_20260102T0300Z_abcdEFGH12345678.json.gz';
    expect(path(key)).toBe(key);
    expect(path('with space/ümläut/😀/100%/a=b~c')).toBe('with space/ümläut/😀/100%/a=b~c');
  });

  test('escapes the parts that cannot be names or would lead elsewhere', () => {
    const escaped = {
      'AWSLogs/123456789012/': 'AWSLogs/123456789012/%',
      'a//b': 'a/%/b',
      '/etc/passwd': '%/etc/passwd',
      '../../x': '%../%../x',
      'a/./b': 'a/%./b',
      '.snowtrail/index/data.mdb': '%.snowtrail/index/data.mdb',
      'a/.snowtrail': 'a/%.snowtrail',
      '%2e%2e/%': '%%252e%252e/%%25',
      'back\\slash': '%back%5Cslash',
      'nul\u0001\n\u007f': '%nul%01%0A%7F',
      '%~x': '%%25%7Ex',
    };
    expect(Object.fromEntries(Object.keys(escaped).map((key) => [key, path(key)]))).toEqual(escaped);
  });

  test('writes a part that is too long as its hash, and gives up on a path that is too long', () => {
    const long = 'x'.repeat(256);
    expect(path(`a/${long}/b`)).toMatch(/^a\/%~[0-9a-f]{64}\/b$/);
    expect(path('x'.repeat(255))).toBe('x'.repeat(255));
    expect(path(`${'%/'.repeat(511)}a`)).toBeUndefined();
    expect(asideName('a' as ObjectKey)).toBe('%=ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb');
  });

  test('gives every key a path of its own, whose names stay below the folder', () => {
    const part = fc.oneof(
      fc.constantFrom('', '.', '..', '%', '%%25', '%25', '~', '%~', '=', '.snowtrail', '%.', 'a', 'a%2F', '\u0000', '\\'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(key, key, (one, other) => {
        const [onePath, otherPath] = [path(one), path(other)];
        expect(onePath === otherPath).toBe(one === other);
        for (const name of (onePath ?? '').split('/')) {
          expect(['', '.', '..', '.snowtrail']).not.toContain(name);
          expect(name.startsWith('%=') || name.includes('\u0000')).toBe(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
