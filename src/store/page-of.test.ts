import { describe, expect, test } from 'vitest';
import { callOf } from '../../test/support/intake-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call } from '../api/operation.ts';
import type { AccountId, Region } from '../event/types.ts';
import { createManualClock, createSeededChance } from './memory/clock.ts';
import { createMemoryKeys } from './memory/keys.ts';
import { pageOf } from './page-of.ts';
import { PageTokens } from './page-tokens.ts';

const NAMES = ['delta', 'alpha', 'charlie', 'bravo'];
const CALL = callOf('111111111111' as AccountId);
const chance = createSeededChance('pages');
const keys = createMemoryKeys({ clock: createManualClock({ startMs: 0 }), chance, origin: 'snowtrail/test' });
const tokens = new PageTokens(keys, chance);

interface Asked {
  readonly input?: object;
  readonly all?: readonly string[];
  readonly call?: Call;
  readonly operation?: string;
  readonly service?: string;
}

function page(sizeMax: number, { input = {}, all = NAMES, call = CALL, operation = 'ListNames', service = 'names' }: Asked = {}) {
  const words = { service, token: 'Token', size: 'Size', invalidToken: () => new ApiError('InvalidToken', 'no token of this call') };
  return pageOf({ tokens, words, call, operation, input }, { all, nameOf: (name) => name, sizeMax });
}

describe('pageOf', () => {
  test('goes through a list by name, whatever is added before the place of its token', async () => {
    const first = await page(2);
    expect(first.items).toEqual(['alpha', 'bravo']);
    const next = await page(2, { input: { Token: first.next }, all: [...NAMES, 'aardvark', 'zulu'] });
    expect(next.items).toEqual(['charlie', 'delta']);
    expect(await page(2, { input: { Token: next.next }, all: [...NAMES, 'zulu'] })).toEqual({ items: ['zulu'] });
    expect(await page(4)).toEqual({ items: ['alpha', 'bravo', 'charlie', 'delta'] });
    expect(await page(4, { all: [] })).toEqual({ items: [] });
  });

  test('goes on where the item that the token names is gone, and takes another size of page', async () => {
    const { next } = await page(2, { input: { Size: 2 } });
    expect((await page(3, { input: { Size: 3, Token: next }, all: ['alpha', 'charlie', 'delta'] })).items).toEqual(['charlie', 'delta']);
  });

  test('gives tokens that IAM takes back, however long the names are', async () => {
    const all = Array.from({ length: 30 }, (_, index) => `${'/long'.repeat(120)}/${index}`);
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const { items, next } = await page(7, { all: [...all, 'short'], input: token === undefined ? {} : { Token: token } });
      seen.push(...items);
      token = next;
      expect((token ?? '').length).toBeLessThanOrEqual(320);
    } while (token !== undefined);
    expect(seen.toSorted()).toEqual([...all, 'short'].toSorted());
  });

  test('refuses in one way a token of another caller, Region, operation, service or filter, one that is altered, and what is none (A13)', async () => {
    const { next } = await page(2, { input: { Path: '/a/' } });
    const input = { Path: '/a/', Token: next };
    const user = { ...CALL.principal, type: 'IAMUser' as const, arn: 'arn:aws:iam::111111111111:user/other' };
    const others: readonly Asked[] = [
      { input, call: callOf('222222222222' as AccountId) },
      { input, call: { ...CALL, principal: user } },
      { input, call: { ...CALL, region: 'us-east-1' as Region } },
      { input, operation: 'ListOthers' },
      { input, service: 'others' },
      { input: { ...input, Path: '/b/' } },
      { input: { Token: next } },
      { input: { ...input, Token: `${next!.slice(0, -1)}${next!.endsWith('A') ? 'B' : 'A'}` } },
      ...['', 'bravo', 'AAAA', 'A'.repeat(10_000), 7, ['x'], {}].map((Token) => ({ input: { ...input, Token } })),
    ];
    for (const other of others) await expect(page(2, other)).rejects.toEqual(new ApiError('InvalidToken', 'no token of this call'));
    expect((await page(2, { input })).items).toEqual(['charlie', 'delta']);
  });
});
