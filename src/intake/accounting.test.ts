import { describe, expect, test, vi } from 'vitest';
import { ADMINISTRATOR, bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { AccountId } from '../event/types.ts';
import type { HourCount } from '../store/follower.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import { acceptEvents } from './accept-events.ts';
import { type CountedFollower, reconcile } from './accounting.ts';
import { accountingOperations } from './accounting-operations.ts';
import { EventCounter } from './count-events.ts';
import { hourOf } from './intake-ledger.ts';

const HOUR = hourOf(START_MS);

function follower(at: { cursor: bigint; start?: bigint; counts: readonly Partial<HourCount>[] }): CountedFollower {
  const { cursor, start = 0n, counts } = at;
  const whole = counts.map((count) => ({ account: OWNER, hour: HOUR, delivered: 0, filtered: 0, ...count }));
  return { name: 'trail', cursor: () => cursor, start: () => start, counts: () => whole };
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

describe('reconcile', () => {
  test('nothing is unexplained while events are delivered, filtered or pending (F45)', async () => {
    const rig = await rigWith(10);
    expect((await reconcile(rig.journal, [follower({ cursor: 7n, counts: [{ delivered: 5, filtered: 2 }] })])).rows).toEqual([
      {
        account: OWNER,
        hour: '2026-01-02T03:00:00.000Z',
        follower: 'trail',
        accepted: 10,
        delivered: 5,
        filtered: 2,
        pending: 3,
        unexplained: 0,
      },
    ]);
  });

  test('a follower that lost one event shows exactly 1 unexplained, and one that doubled it -1 (F45)', async () => {
    const rig = await rigWith(10);
    const books = [
      follower({ cursor: 10n, counts: [{ delivered: 9 }] }),
      follower({ cursor: 10n, counts: [{ delivered: 11 }] }),
      follower({ cursor: 10n, counts: [] }),
    ];
    expect((await reconcile(rig.journal, books)).rows.map(({ unexplained }) => unexplained)).toEqual([1, -1, 10]);
  });

  test('events from before a follower began are none of its business', async () => {
    const rig = await rigWith(10);
    const [row] = (await reconcile(rig.journal, [follower({ cursor: 10n, start: 8n, counts: [{ delivered: 2 }] })])).rows;
    expect(row).toMatchObject({ accepted: 2, pending: 0, unexplained: 0 });
  });

  test('facts are no events, and a count for an hour without events is unexplained', async () => {
    const rig = await rigWith(1);
    await submit(rig, 'nonsense');
    const { rows } = await reconcile(rig.journal, [follower({ cursor: 2n, counts: [{ delivered: 1 }, { hour: HOUR + 1, delivered: 3 }] })]);
    expect(rows.map(({ accepted, unexplained }) => [accepted, unexplained])).toEqual([
      [1, 0],
      [0, -3],
    ]);
  });

  test('damaged entries are passed over and counted as unreadable, and all others are in the books (P8)', async () => {
    const rig = await rigWith(10);
    const damage = { from: 4n, to: 6n, reason: 'the frame at byte 99 is damaged' };
    const read: Journal['read'] = async (after, limit) => {
      if (after + 1n >= damage.from && after < damage.to) throw new JournalDamaged(damage);
      const entries = await rig.journal.read(after, limit);
      return after < damage.from ? entries.filter(({ sequence }) => sequence < damage.from) : entries;
    };
    const books = await reconcile({ ...rig.journal, read }, [follower({ cursor: 8n, counts: [{ delivered: 8 }] })]);
    expect(books).toMatchObject({ unreadable: 3, rows: [{ accepted: 7, delivered: 8, pending: 2, unexplained: -3 }] });
  });

  test('a journal whose device does not read gives no books', async () => {
    const rig = await rigWith(1);
    const read = () => Promise.reject(new Error('EIO'));
    await expect(reconcile({ ...rig.journal, read }, [])).rejects.toThrow('EIO');
  });

  test('an aborted count ends with the reason of the abort', async () => {
    const rig = await rigWith(1);
    await expect(reconcile(rig.journal, [], AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('accountingOperations', () => {
  /** The operations with all of the journal counted. */
  async function operationsOf(rig: IntakeRig, followers: readonly CountedFollower[] = []) {
    const counter = await EventCounter.open(rig);
    await counter.take(await rig.journal.read(0n, 100));
    const operations = accountingOperations({
      journal: rig.journal,
      counter,
      historyIndex: { dropped: () => [{ run: '7.run', after: 2n, to: 9n, reason: 'a page has a wrong checksum' }] },
      followers: () => followers,
      followerStates: () => [
        { name: 'history', state: 'running' },
        { name: 'tree', state: 'stopped', problem: 'a bug' },
      ],
      passedOver: () => [{ follower: 'history', from: 2n, to: 2n, reason: 'wrong CRC' }],
    });
    return async (name: string, call: Call) => {
      const operation = operations.find((each) => each.name === name) as Operation<object, unknown>;
      return (await operation.decide(call, {})).output;
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

  test('callers who ask at the same time share one count of the journal', async () => {
    const rig = await rigWith(3);
    const ask = await operationsOf(rig, [follower({ cursor: 3n, counts: [{ delivered: 3 }] })]);
    const reads = vi.spyOn(rig.journal, 'read');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('GetAccounting', callOf(OWNER))));
    expect(reads).toHaveBeenCalledTimes(1);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    await ask('GetAccounting', callOf(OWNER));
    expect(reads).toHaveBeenCalledTimes(2);
  });

  test('what one follower lost and another doubled does not cancel out', async () => {
    const books = [follower({ cursor: 3n, counts: [{ delivered: 2 }] }), follower({ cursor: 3n, counts: [{ delivered: 4 }] })];
    const ask = await operationsOf(await rigWith(3), books);
    expect(await ask('GetAccounting', callOf(OWNER))).toMatchObject({ Unexplained: 2 });
  });

  test('GetHealth tells administrators the state of journal and followers, and refuses others', async () => {
    const rig = await rigWith(2);
    const ask = await operationsOf(rig);
    rig.journal.pretend('full');
    expect(await ask('GetHealth', callOf(ADMINISTRATOR))).toEqual({
      Journal: { State: 'full', Reason: expect.any(String), Head: '3' },
      Damage: [],
      PassedOver: [{ Follower: 'history', From: '2', To: '2', Reason: 'wrong CRC' }],
      HistoryDropped: [{ Run: '7.run', From: '3', To: '9', Reason: 'a page has a wrong checksum' }],
      Followers: [
        { Name: 'history', State: 'running' },
        { Name: 'tree', State: 'stopped', Problem: 'a bug' },
      ],
    });
    const refusal = await ask('GetHealth', callOf(OWNER)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ApiError);
    expect(refusal).toMatchObject({ code: 'AccessDeniedException', status: 403 });
  });
});
