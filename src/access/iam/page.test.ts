import { describe, expect, test } from 'vitest';
import { pageOf } from './page.ts';

const NAMES = ['delta', 'alpha', 'charlie', 'bravo'];
const page = (input: object, names = NAMES) => pageOf(names, input, (name) => name);

describe('pageOf', () => {
  test('goes through a list by name, whatever is added before the marker', () => {
    const first = page({ MaxItems: 2 });
    expect(first).toMatchObject({ items: ['alpha', 'bravo'], more: { IsTruncated: true } });
    const next = page({ MaxItems: 2, Marker: first.more.Marker }, [...NAMES, 'aardvark', 'zulu']);
    expect(next.items).toEqual(['charlie', 'delta']);
    expect(page({ Marker: next.more.Marker }, [...NAMES, 'zulu'])).toEqual({ items: ['zulu'], more: { IsTruncated: false } });
  });

  test('has 100 items where nobody says, and is whole when all fit', () => {
    const many = Array.from({ length: 101 }, (_, index) => `name-${index}`);
    expect(page({}, many).items).toHaveLength(100);
    expect(page({ MaxItems: 4 })).toEqual({ items: ['alpha', 'bravo', 'charlie', 'delta'], more: { IsTruncated: false } });
    expect(page({}, [])).toEqual({ items: [], more: { IsTruncated: false } });
  });

  test('refuses a marker that is none', () => {
    expect(() => page({ Marker: 'alpha' })).toThrow('Invalid Marker.');
  });
});
