import { describe, expect, test } from 'vitest';
import { canonicalJson } from './append-configuration.ts';

describe('canonicalJson', () => {
  test('members are in the order of their names at every depth, also those that look like numbers; absent ones are left out', () => {
    const value = { b: [{ d: 1, c: 'x' }], a: undefined, 10: null, 9: { z: true, y: 1.5 } };
    expect(canonicalJson(value)).toBe('{"10":null,"9":{"y":1.5,"z":true},"b":[{"c":"x","d":1}]}');
  });
});
