import { describe, expect, test } from 'vitest';
import type { AccountId, Region } from '../event/types.ts';
import { digestsBeginMs, dueDigest, endingDigest, endsChain, nextEnd } from './due-digest.ts';
import type { DigestChain, TrailChange } from './trail-state.ts';

const HOME = 'eu-central-1' as Region;
const WEST = 'us-west-2' as Region;
const INTERVAL = 60_000;
const TRAIL = { account: '123456789012' as AccountId, homeRegion: HOME };

const chainOf = (startMs: number, more: Partial<DigestChain> = {}): DigestChain => ({
  account: '123456789012' as AccountId,
  region: HOME,
  isOpen: true,
  startMs,
  standard: null,
  backfill: null,
  ...more,
});

function changeOf(kind: TrailChange['kind'], atMs: number, settings: Partial<TrailChange['settings']> = {}): TrailChange {
  return { kind, atMs, settings: { isMultiRegionTrail: true, validates: true, ...settings } } as TrailChange;
}

const none = { lastBatchAtMs: 0 };
const at = { state: none, change: undefined, trail: TRAIL, intervalMs: INTERVAL };

describe('which digest is due', () => {
  test('none before the end of an interval; at the end, that of the first chain whose interval has ended', () => {
    const chains = [chainOf(61_000, { region: WEST }), chainOf(62_000)];
    expect(dueDigest(chains, { ...at, nowMs: 119_999 })).toBeUndefined();
    expect(dueDigest(chains, { ...at, nowMs: 120_000 })).toEqual({ chain: chains[0], endMs: 120_000, isFinal: false });
  });

  test('one interval at a time, however many have ended', () => {
    expect(dueDigest([chainOf(60_000)], { ...at, nowMs: 10 * INTERVAL })).toMatchObject({ endMs: 120_000 });
  });

  test('an interval whose digest went to a bucket that is gone is covered with the next one', () => {
    expect(nextEnd(chainOf(60_000, { endsAfterMs: 120_000 }), INTERVAL)).toBe(180_000);
  });

  test('a chain that a waiting change ends has no interval after the change', () => {
    const change = changeOf('stop', 130_000);
    expect(dueDigest([chainOf(60_000)], { ...at, change, nowMs: 500_000 })).toMatchObject({ endMs: 120_000 });
    expect(dueDigest([chainOf(120_000)], { ...at, change, nowMs: 500_000 })).toBeUndefined();
  });

  test('what was delivered after the change was made still belongs to the chain', () => {
    const at2 = { ...at, state: { lastBatchAtMs: 200_000 }, change: changeOf('stop', 130_000), nowMs: 500_000 };
    expect(dueDigest([chainOf(120_000)], at2)).toMatchObject({ endMs: 180_000 });
  });
});

describe('the digests of a chain that a change ends', () => {
  test('are regular ones up to the change, and a last one that covers the rest', () => {
    const change = changeOf('stop', 130_500);
    expect(endingDigest(chainOf(60_000), change, none, INTERVAL)).toMatchObject({ endMs: 120_000, isFinal: false });
    expect(endingDigest(chainOf(120_000), change, none, INTERVAL)).toMatchObject({ endMs: 131_000, isFinal: true });
  });

  test('the last one lasts a second at least, and never has a time that was signed before', () => {
    const change = changeOf('stop', 120_000);
    expect(endingDigest(chainOf(130_000), change, none, INTERVAL)).toMatchObject({ endMs: 131_000, isFinal: true });
    expect(endingDigest(chainOf(60_000, { endsAfterMs: 130_000 }), change, none, INTERVAL)).toMatchObject({
      endMs: 131_000,
      isFinal: true,
    });
  });
});

describe('which chains a change ends', () => {
  test.each<[string, TrailChange, boolean, boolean]>([
    ['StopLogging', changeOf('stop', 0), true, true],
    ['DeleteTrail', changeOf('delete', 0), true, true],
    ['StartLogging', changeOf('start', 0), false, false],
    ['validation off', changeOf('update', 0, { validates: false }), true, true],
    ['one Region alone', changeOf('update', 0, { isMultiRegionTrail: false }), false, true],
    ['any other update', changeOf('update', 0), false, false],
  ])('%s', (_, change, home, other) => {
    expect([endsChain(change, chainOf(0), TRAIL), endsChain(change, chainOf(0, { region: WEST }), TRAIL)]).toEqual([home, other]);
  });
});

test('an update ends the chains of accounts that are no members of the organization any more, and of all others with the organization', () => {
  const member = chainOf(0, { account: '210987654321' as AccountId });
  const members = (...accounts: string[]) => changeOf('update', 0, { members: accounts as AccountId[] });
  const ends = (change: TrailChange) => [endsChain(change, chainOf(0), TRAIL), endsChain(change, member, TRAIL)];
  expect(ends(members('123456789012', '210987654321'))).toEqual([false, false]);
  expect(ends(members('123456789012'))).toEqual([false, true]);
  expect(ends(changeOf('update', 0))).toEqual([false, true]);
});

test('digests begin with the change, in a later second than any batch before it', () => {
  const change = changeOf('start', 100_000);
  expect(digestsBeginMs({ lastBatchAtMs: 0 }, change)).toBe(100_000);
  expect(digestsBeginMs({ lastBatchAtMs: 99_000 }, change)).toBe(100_000);
  expect(digestsBeginMs({ lastBatchAtMs: 100_400 }, change)).toBe(101_000);
});
