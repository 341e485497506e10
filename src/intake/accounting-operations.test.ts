import { describe, expect, test } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';
import type { HourCount } from '../store/follower.ts';
import type { Journal } from '../store/journal.ts';
import { acceptEvents } from './accept-events.ts';
import { type AccountingDeps, accountingOperations } from './accounting-operations.ts';
import { EventCounter } from './count-events.ts';
import { Books, type BooksDeps, type CountedFollower } from './watch-books.ts';

const HOUR = hourOf(START_MS);

function follower(at: { cursor: bigint; start?: bigint; counts: readonly Partial<HourCount>[] }): CountedFollower {
  const { cursor, start = 0n, counts } = at;
  const whole = counts.map((count) => ({ account: OWNER, hour: HOUR, delivered: 0, filtered: 0, ...count }));
  return { name: 'trail', cursor: () => cursor, start: () => start, counts: () => whole, changedCounts: () => whole };
}

async function submit(rig: IntakeRig, ...texts: string[]): Promise<void> {
  const pieces = texts.map((text) => ({ kind: 'record', bytes: bytesOf(text) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
}

async function rigWith(count: number): Promise<IntakeRig> {
  const rig = await IntakeRig.open();
  await submit(rig, ...Array.from({ length: count }, (_, index) => recordText(`event-${index}`)));
  return rig;
}

describe('accountingOperations', () => {
  /** The operations with all of the journal counted. */
  async function operationsOf(
    rig: IntakeRig,
    followers: readonly CountedFollower[] = [],
    slow: Partial<BooksDeps> = {},
    missing?: AccountingDeps['missing'],
  ) {
    const counter = await EventCounter.open(rig);
    await counter.take(await rig.journal.read(0n, 100));
    const operations = accountingOperations({
      journal: rig.journal,
      counter,
      historyIndex: { dropped: () => [{ run: '7.run', after: 2n, to: 9n, reason: 'a page has a wrong checksum' }] },
      books: new Books({ journal: rig.journal, clock: rig.clock, followers: () => followers, ...slow }),
      clock: rig.clock,
      followers: () => [{ name: 'history', cursor: () => 1n }],
      missing,
      messageLines: async () => [{ name: 'notices/x', waiting: 3, sent: 4, failed: 7, givenUp: 2, problem: 'NotFound' }],
      followerStates: () => [
        { name: 'history', state: 'running' },
        { name: 'tree', state: 'stopped', problem: 'a bug' },
      ],
      passedOver: () => [{ follower: 'history', from: 2n, to: 2n, file: 'journal/1.log', reason: 'wrong CRC' }],
    });
    return async (name: string, call: Call, input: object = {}) => {
      const operation = operations.find((each) => each.name === name) as Operation<object, unknown>;
      return (await operation.decide(call, input)).output;
    };
  }

  test('GetAccounting shows the books of the own account, with what was received beside it (RC1, F45)', async () => {
    const rig = await rigWith(3);
    await submit(rig, 'nonsense');
    const ask = await operationsOf(rig, [follower({ cursor: 4n, counts: [{ delivered: 2 }] })]);
    const hour = '2026-01-02T03:00:00.000Z';
    expect(await ask('GetAccounting', callOf(OWNER))).toEqual({
      Received: [{ Account: OWNER, Hour: hour, Received: 4, Accepted: 3, Open: 0, Repeated: 0, Rejected: 1, Unexplained: 0 }],
      CountedTo: '5',
      Head: '5',
      Followers: [{ Account: OWNER, Hour: hour, Follower: 'trail', Accepted: 3, Delivered: 2, Filtered: 0, Pending: 0, Unexplained: 1 }],
      Unexplained: 1,
      Unreadable: 0,
    });
  });

  test('other accounts do not see these books, administrators do (A12)', async () => {
    const ask = await operationsOf(await rigWith(3), [follower({ cursor: 3n, counts: [{ delivered: 2 }] })]);
    const stranger = await ask('GetAccounting', callOf('444444444444' as AccountId));
    expect(stranger).toMatchObject({ Received: [], Followers: [], Unexplained: 0 });
    expect(await ask('GetAccounting', callOf(ADMINISTRATOR))).toMatchObject({ Received: [{ Account: OWNER }], Unexplained: 1 });
  });

  test('an account sees its own trails in its books, and not those of others (A12)', async () => {
    const rig = await rigWith(1);
    const names = ['history', `trail/${OWNER}/us-east-1/main`, `trail/${ADMINISTRATOR}/us-east-1/secret`];
    const followers = names.map((name) => ({
      ...follower({ cursor: 2n, counts: [{ delivered: name.endsWith('secret') ? 0 : 1 }] }),
      name,
    }));
    const ask = await operationsOf(rig, followers);
    const shown = async (by: AccountId) => {
      const { Followers, Unexplained } = (await ask('GetAccounting', callOf(by))) as {
        Followers: { Follower: string }[];
        Unexplained: number;
      };
      return [Followers.map(({ Follower }) => Follower), Unexplained];
    };
    expect(await shown(OWNER)).toEqual([names.slice(0, 2), 0]);
    expect(await shown(ADMINISTRATOR)).toEqual([names.toSorted(), 1]);
  });

  test('GetAccounting gives pages of rows in one order, and on each of them what holds for the whole', async () => {
    const rig = await rigWith(2);
    await rig.clock.advance(3_600_000);
    await submit(rig, recordText('later'));
    const names = [`trail/${OWNER}/us-east-1/main`, 'history', `trail/${ADMINISTRATOR}/us-east-1/secret`];
    const counts = [{ delivered: 2 }, { hour: HOUR + 1, delivered: 0 }];
    const ask = await operationsOf(
      rig,
      names.map((name) => ({ ...follower({ cursor: 5n, counts }), name })),
    );
    type Page = { Received: object[]; Followers: { Follower: string; Hour: string }[]; Unexplained: number; NextToken?: string };
    const pagesOf = async (by: AccountId, MaxResults: number) => {
      const pages: Page[] = [];
      for (let NextToken: string | undefined; pages.length === 0 || NextToken !== undefined; NextToken = pages.at(-1)!.NextToken)
        pages.push((await ask('GetAccounting', callOf(by), { MaxResults, ...(NextToken && { NextToken }) })) as Page);
      return pages;
    };
    const [whole] = await pagesOf(OWNER, 100);
    expect(whole!.Followers.map(({ Follower, Hour }) => [Follower, Hour.slice(11, 13)])).toEqual([
      ['history', '03'],
      ['history', '04'],
      [names[0], '03'],
      [names[0], '04'],
    ]);
    for (const size of [1, 2, 4, 5, 6]) {
      const pages = await pagesOf(OWNER, size);
      expect(pages).toHaveLength(Math.ceil(6 / size));
      expect(pages.flatMap(({ Received }) => Received)).toEqual(whole!.Received);
      expect(pages.flatMap(({ Followers }) => Followers)).toEqual(whole!.Followers);
      expect(new Set(pages.map(({ Unexplained }) => Unexplained))).toEqual(new Set([2]));
    }
    // A token is a place, and no right: with that of an administrator's page an account sees its own rows alone.
    const [first] = await pagesOf(ADMINISTRATOR, 1);
    const own = (await ask('GetAccounting', callOf(OWNER), { NextToken: first!.NextToken })) as Page;
    expect(own.Followers).toEqual(whole!.Followers);
    for (const [input, code] of [
      [{ MaxResults: 0 }, 'ValidationException'],
      [{ MaxResults: 5_001 }, 'ValidationException'],
      [{ MaxResults: '9' }, 'ValidationException'],
      [{ NextToken: 'x' }, 'InvalidNextTokenException'],
      [{ NextToken: 7 }, 'InvalidNextTokenException'],
    ] as const)
      expect(await ask('GetAccounting', callOf(OWNER), input).catch((error: unknown) => error)).toMatchObject({ code });
  });

  test('what one follower lost and another doubled does not cancel out', async () => {
    const books = [follower({ cursor: 3n, counts: [{ delivered: 2 }] }), follower({ cursor: 3n, counts: [{ delivered: 4 }] })];
    const ask = await operationsOf(await rigWith(3), books);
    expect(await ask('GetAccounting', callOf(OWNER))).toMatchObject({ Unexplained: 2 });
  });

  test('only an administrator hurries the count of a long journal; others wait for ten seconds at most (A12)', async () => {
    const rig = await rigWith(3_000);
    let readingMs = 0;
    const read: Journal['read'] = (after, limit) => {
      readingMs += 1_000;
      return rig.journal.read(after, limit);
    };
    const ask = await operationsOf(rig, [follower({ cursor: 3_000n, counts: [{ delivered: 3_000 }] })], {
      journal: { ...rig.journal, read },
      clock: { ...rig.clock, monotonicMs: () => readingMs },
    });
    const early = ask('GetAccounting', callOf(OWNER)).catch((error: unknown) => error);
    // Each part takes a second, and then the count rests for four.
    await rig.clock.advance(10_000);
    expect(await early).toMatchObject({ code: 'ThrottlingException', status: 503 });
    const hurried = ask('GetAccounting', callOf(ADMINISTRATOR));
    await rig.clock.advance(4_000);
    expect(await hurried).toMatchObject({ Unexplained: 0, Head: '3001' });
    expect(await ask('GetAccounting', callOf(OWNER))).toMatchObject({ Unexplained: 0, Head: '3001' });
  });

  test('GetHealth tells which entries the journal ends before, and no follower lags by less than nothing (F46)', async () => {
    const missing = { from: 3n, to: 9n, leftToMs: START_MS, thereAtMs: START_MS + 60_000 };
    const rig = await rigWith(1);
    Object.assign(rig.journal, { head: () => 0n });
    const ask = await operationsOf(rig, [], {}, missing);
    expect(await ask('GetHealth', callOf(ADMINISTRATOR))).toMatchObject({
      Journal: { Head: '0', Missing: { From: '3', To: '9', LeftTo: '2026-01-02T03:30:00Z', ThereAt: '2026-01-02T03:31:00Z' } },
      Followers: [{ Name: 'history', Lag: 0 }, {}],
    });
  });

  test('GetHealth tells administrators the state of journal and followers, and refuses others', async () => {
    const rig = await rigWith(2);
    const ask = await operationsOf(rig);
    rig.journal.pretend('full');
    expect(await ask('GetHealth', callOf(ADMINISTRATOR))).toEqual({
      Journal: { State: 'full', Reason: expect.any(String), Head: '3' },
      Damage: [],
      PassedOver: [{ Follower: 'history', From: '2', To: '2', File: 'journal/1.log', Reason: 'wrong CRC' }],
      HistoryDropped: [{ Run: '7.run', From: '3', To: '9', Reason: 'a page has a wrong checksum' }],
      Followers: [
        { Name: 'history', State: 'running', Lag: 2 },
        { Name: 'tree', State: 'stopped', Problem: 'a bug' },
      ],
      Messages: [{ Name: 'notices/x', Waiting: 3, Sent: 4, Failed: 7, GivenUp: 2, Problem: 'NotFound' }],
    });
    const refusal = await ask('GetHealth', callOf(OWNER)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ code: 'AccessDeniedException', status: 403 });
  });
});
