import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { openChain } from './open-chains.ts';

const name = { account: '123456789012' as AccountId, region: 'eu-central-1' as Region };
const opened = (startMs: number) => [{ ...name, isOpen: true, startMs, standard: null, backfill: null }];

describe('a digest chain that begins', () => {
  test('begins at a whole second, and never before the end of an earlier digest', () => {
    expect(openChain(undefined, name, 61_400)).toEqual(opened(61_000));
    expect(openChain({ ...opened(90_000)[0]!, isOpen: false }, name, 61_400)).toEqual(opened(90_000));
  });

  test('goes on when it is open already', () => {
    expect(openChain(opened(1_000)[0], name, 61_400)).toEqual([]);
  });
});
