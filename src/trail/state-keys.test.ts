import { describe, expect, test } from 'vitest';
import { keyToState } from './state-keys.ts';

const keys = ['one', 'two', 'three', 'four'].map((fingerprint) => ({ fingerprint }));

describe('the key that is stated next', () => {
  test('the newest one, for a trail that has stated none', () => {
    expect(keyToState(keys, 'checkpoint', null)).toEqual({ index: 3, isStated: false });
    expect(keyToState(keys, 'digest', null)).toEqual({ index: 3, isStated: false });
  });

  test('none, once the newest is stated; its file may still be due', () => {
    expect(keyToState(keys, 'checkpoint', 'four')).toEqual({ index: 3, isStated: true });
  });

  test('one after the other, but for checkpoint keys that can sign no more', () => {
    expect(keyToState(keys, 'digest', 'one')).toEqual({ index: 1, isStated: false });
    expect(keyToState(keys, 'checkpoint', 'one')).toEqual({ index: 2, isStated: false });
    expect(keyToState(keys, 'checkpoint', 'three')).toEqual({ index: 3, isStated: false });
  });
});
