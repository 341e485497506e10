import { describe, expect, test, vi } from 'vitest';
import { bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { hourOf } from '../store/account-hour.ts';
import type { HourCount } from '../store/follower.ts';
import { type Journal, JournalDamaged } from '../store/journal.ts';
import { createSeededChance } from '../store/memory/clock.ts';
import { acceptEvents } from './accept-events.ts';
import type { BooksRow } from './book.ts';
import type { SavedBooksCatalog } from './saved-books.ts';
import { Books, type BooksState, type CountedFollower } from './watch-books.ts';

const HOUR = hourOf(START_MS);

/** A follower that says what the test wants it to say. */
class Stated implements CountedFollower {
  readonly name: string;
  cursorAt: bigint;
  startAt: bigint;
  counted: readonly Partial<HourCount>[];

  constructor(at: { cursor: bigint; start?: bigint; counts?: readonly Partial<HourCount>[]; name?: string }) {
    this.name = at.name ?? 'trail';
    this.cursorAt = at.cursor;
    this.startAt = at.start ?? 0n;
    this.counted = at.counts ?? [];
  }

  cursor(): bigint {
    return this.cursorAt;
  }

  start(): bigint {
    return this.startAt;
  }

  counts(): readonly HourCount[] {
    return this.counted.map((count) => ({ account: OWNER, hour: HOUR, delivered: 0, filtered: 0, ...count }));
  }

  changedCounts(): readonly HourCount[] {
    return this.counts();
  }
}

/** Submits one event for each id; with the fact of the batch, so many entries and one more. */
async function submit(rig: IntakeRig, ...ids: string[]): Promise<void> {
  const pieces = ids.map((id) => ({ kind: 'record', bytes: bytesOf(recordText(id)) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
}

async function rigWith(count: number): Promise<IntakeRig> {
  const rig = await IntakeRig.open();
  await submit(rig, ...Array.from({ length: count }, (_, index) => `event-${index}`));
  return rig;
}

function booksOf(rig: IntakeRig, followers: readonly CountedFollower[], journal: Partial<Journal> = {}): Books {
  return new Books({ journal: { ...rig.journal, ...journal }, clock: rig.clock, followers: () => followers });
}

/** Books as a start has them, over what the catalog holds; `minute` checks and saves them once, as a minute does. */
function startBooks(
  rig: IntakeRig,
  followers: readonly CountedFollower[],
  more: { journal?: Partial<Journal>; catalog?: SavedBooksCatalog } = {},
) {
  const journal = { ...rig.journal, ...more.journal };
  const read = vi.fn(journal.read);
  const catalog = more.catalog ?? rig.catalog;
  const books = new Books({ journal: { ...journal, read }, clock: rig.clock, followers: () => followers, catalog });
  const minute = async (): Promise<unknown> => {
    const stopping = new AbortController();
    let problem: unknown;
    const ended = books.run(stopping.signal, (error) => {
      problem = error;
    });
    await rig.clock.someoneSleeps();
    stopping.abort();
    await ended;
    return problem;
  };
  return { minute, check: () => books.check({ isHurried: true }), reads: () => read.mock.calls };
}

/** All that a state says. */
function whole(state: BooksState) {
  const { head, unreadable } = state;
  const wrong = state.wrongRows(10_000).map(nameOf).sort();
  expect(wrong).toEqual(
    state
      .rows()
      .filter(({ unexplained }) => unexplained !== 0)
      .map(nameOf)
      .sort(),
  );
  return { rows: state.rows(), wrong, totals: [...state.totals], head, unreadable };
}

const nameOf = ({ follower, account, hour }: BooksRow) => `${follower} ${account} ${hour}`;

const figures = ({ accepted, delivered, filtered, pending, unexplained }: BooksRow) => [
  accepted,
  delivered,
  filtered,
  pending,
  unexplained,
];

describe('one check', () => {
  test('nothing is unexplained while events are delivered, filtered or pending (F45)', async () => {
    const books = booksOf(await rigWith(10), [new Stated({ cursor: 7n, counts: [{ delivered: 5, filtered: 2 }] })]);
    expect(books.last()).toBeUndefined();
    const state = await books.check({ isHurried: true });
    const sums = { accepted: 10, delivered: 5, filtered: 2, pending: 3, unexplained: 0 };
    expect(whole(state)).toEqual({
      rows: [{ account: OWNER, hour: HOUR, follower: 'trail', ...sums }],
      wrong: [],
      totals: [['trail', sums]],
      head: 11n,
      unreadable: 0,
    });
    expect(books.last()).toBe(state);
  });

  test('a follower that lost one event shows exactly 1 unexplained, and one that doubled it -1 (F45)', async () => {
    const followers = [[{ delivered: 9 }], [{ delivered: 11 }], []].map(
      (counts, index) => new Stated({ cursor: 10n, counts, name: `trail-${index}` }),
    );
    const { rows } = await booksOf(await rigWith(10), followers).check({ isHurried: true });
    expect(rows().map(({ unexplained }) => unexplained)).toEqual([1, -1, 10]);
  });

  test('events from before a follower began are none of its business', async () => {
    const { rows } = await booksOf(await rigWith(10), [new Stated({ cursor: 10n, start: 8n, counts: [{ delivered: 2 }] })]).check({
      isHurried: true,
    });
    expect(rows().map(figures)).toEqual([[2, 2, 0, 0, 0]]);
  });

  test('facts are no events, and a count for an hour without events is unexplained', async () => {
    const follower = new Stated({ cursor: 2n, counts: [{ delivered: 1 }, { hour: HOUR + 1, delivered: 3 }] });
    const { rows } = await booksOf(await rigWith(1), [follower]).check({ isHurried: true });
    expect(rows().map(({ accepted, unexplained }) => [accepted, unexplained])).toEqual([
      [1, 0],
      [0, -3],
    ]);
  });

  test('a follower that counts nothing has delivered what it holds, and a shifted one shows it', async () => {
    const rig = await rigWith(4);
    const tree = Object.assign(new Stated({ cursor: 3n, name: 'tree' }), { holds: async () => true });
    const shifted = Object.assign(new Stated({ cursor: 3n, name: 'shifted' }), {
      holds: async ({ sequence }: { sequence: bigint }) => sequence < 3n,
    });
    const { rows } = await booksOf(rig, [tree, shifted]).check({ isHurried: true });
    expect(rows().map(figures)).toEqual([
      [4, 3, 0, 1, 0],
      [4, 0, 0, 1, 3],
    ]);
  });

  test('damaged entries are passed over and counted as unreadable, and all others are in the books (P8)', async () => {
    const rig = await rigWith(10);
    const damage = { from: 4n, to: 6n, file: 'journal/1.log', reason: 'the frame at byte 99 is damaged' };
    const read: Journal['read'] = async (after, limit) => {
      if (after + 1n >= damage.from && after < damage.to) throw new JournalDamaged(damage);
      const entries = await rig.journal.read(after, limit);
      return after < damage.from ? entries.filter(({ sequence }) => sequence < damage.from) : entries;
    };
    const follower = new Stated({ cursor: 8n, counts: [{ delivered: 8 }] });
    const state = await booksOf(rig, [follower], { read, damage: () => [damage] }).check({ isHurried: true });
    expect([state.unreadable, state.rows().map(figures)]).toEqual([3, [[7, 8, 0, 2, -3]]]);
  });
});

describe('the running count', () => {
  test('a check reads what came since the last one, and nothing when nothing came', async () => {
    const rig = await rigWith(10);
    const reads = vi.fn(rig.journal.read);
    const follower = new Stated({ cursor: 11n, counts: [{ delivered: 10 }] });
    const books = booksOf(rig, [follower], { read: reads });
    await books.check({ isHurried: true });
    await submit(rig, 'more');
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[11, 10, 0, 1, 0]]);
    await books.check({ isHurried: true });
    expect(reads.mock.calls).toEqual([
      [0n, 11],
      [11n, 2],
    ]);
  });

  test('a cursor that falls back over facts alone has nothing read again', async () => {
    const rig = await rigWith(3);
    const trail = new Stated({ cursor: 4n, counts: [{ delivered: 3 }] });
    const read = vi.fn(rig.journal.read.bind(rig.journal));
    const books = booksOf(rig, [trail], { read });
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[3, 3, 0, 0, 0]]);
    const reads = read.mock.calls.length;
    trail.cursorAt = 3n;
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[3, 3, 0, 0, 0]]);
    expect(read.mock.calls.length).toBe(reads);
  });

  test('a follower whose cursor falls back over events has its book opened anew: they are pending, and counted once', async () => {
    const rig = await rigWith(4);
    const trail = new Stated({ cursor: 5n, counts: [{ delivered: 4 }] });
    const tree = Object.assign(new Stated({ cursor: 5n, name: 'tree' }), {
      holds: async ({ sequence }: { sequence: bigint }) => sequence <= tree.cursorAt,
    });
    const books = booksOf(rig, [trail, tree]);
    const check = async () => (await books.check({ isHurried: true })).rows().map(figures);
    expect(await check()).toEqual([
      [4, 4, 0, 0, 0],
      [4, 4, 0, 0, 0],
    ]);
    const step = async (cursor: bigint, delivered: number, accepted: number) => {
      trail.cursorAt = cursor;
      tree.cursorAt = cursor;
      trail.counted = [{ delivered }];
      const expected = [accepted, delivered, 0, accepted - delivered, 0];
      expect(await check()).toEqual([expected, expected]);
    };
    await step(2n, 2, 4);
    await submit(rig, 'a', 'b');
    await step(3n, 3, 6);
    // Entry 5 is the fact of the first batch.
    await step(6n, 5, 6);
    await step(8n, 6, 6);
    // What it took again, it may not count again.
    trail.counted = [{ delivered: 8 }];
    expect((await check())[0]).toEqual([6, 8, 0, 0, -2]);
  });

  test('what was pending is counted as taken once the follower has come to it, wherever its cursor stops', async () => {
    const rig = await rigWith(10);
    const follower = new Stated({ cursor: 2n, counts: [{ delivered: 2 }] });
    const books = booksOf(rig, [follower]);
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[10, 2, 0, 8, 0]]);
    await submit(rig, 'a', 'b', 'c');
    for (const [cursor, delivered, pending] of [
      [2n, 2, 11],
      [6n, 6, 7],
      [11n, 10, 3],
      [13n, 12, 1],
      [15n, 13, 0],
    ] as const) {
      follower.cursorAt = cursor;
      follower.counted = [{ delivered }];
      expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[13, delivered, 0, pending, 0]]);
    }
    follower.counted = [{ delivered: 12 }];
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[13, 12, 0, 0, 1]]);
  });

  test('any order of checks, arrivals and steps gives the books of a single count', async () => {
    const rig = await IntakeRig.open();
    const followers = ['a', 'b', 'c'].map((name) => new Stated({ cursor: 0n, name }));
    const books = booksOf(rig, followers);
    for (let step = 0; step < 150; step++) {
      if (rig.chance.fraction() < 0.5)
        await submit(rig, ...Array.from({ length: Math.ceil(rig.chance.fraction() * 9) }, (_, at) => `${step}-${at}`));
      if (rig.chance.fraction() < 0.2) await rig.clock.advance(1_800_000);
      for (const follower of followers) {
        const ahead = Number(rig.journal.head() - follower.cursorAt);
        if (rig.chance.fraction() < 0.5) follower.cursorAt += BigInt(Math.floor(rig.chance.fraction() * (ahead + 1)));
        else if (rig.chance.fraction() < 0.1)
          follower.cursorAt -= BigInt(Math.floor(rig.chance.fraction() * (Number(follower.cursorAt) + 1)));
      }
      if (rig.chance.fraction() < 0.4) {
        const fresh = booksOf(rig, followers);
        expect(whole(await books.check({ isHurried: true }))).toEqual(whole(await fresh.check({ isHurried: true })));
      }
    }
    expect(rig.journal.head()).toBeGreaterThan(100n);
  });

  test('a follower made later, one made anew under its name, and one that is gone have the books of their own time', async () => {
    const rig = await rigWith(3);
    const followers = [new Stated({ cursor: 4n, counts: [{ delivered: 3 }] })];
    const books = booksOf(rig, followers);
    await books.check({ isHurried: true });
    await submit(rig, 'a', 'b');
    followers.push(new Stated({ name: 'late', start: 5n, cursor: 5n }));
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([
      [5, 3, 0, 2, 0],
      [1, 0, 0, 1, 0],
    ]);
    followers[0] = new Stated({ start: 6n, cursor: 7n });
    followers.pop();
    expect((await books.check({ isHurried: true })).rows()).toEqual([]);
    await submit(rig, 'c');
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[1, 0, 0, 1, 0]]);
  });

  test('those who ask while a check is under way share the next one, and get what was there when they asked', async () => {
    const rig = await rigWith(3);
    const books = booksOf(rig, [new Stated({ cursor: 3n, counts: [{ delivered: 3 }] })]);
    const first = books.check({ isHurried: true });
    await Promise.resolve();
    await submit(rig, 'more');
    const answers = await Promise.all(Array.from({ length: 20 }, () => books.check({ isHurried: true })));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]!.rows().map(figures)).toEqual([[4, 3, 0, 1, 0]]);
    expect((await first).head).toBe(4n);
  });

  test('a count that somebody asked for ends with the run: a stop does not wait for the whole journal', async () => {
    const rig = await rigWith(2_000);
    const stopping = new AbortController();
    const read = vi.fn<Journal['read']>((after, limit) => {
      stopping.abort();
      return rig.journal.read(after, limit);
    });
    const books = booksOf(rig, [new Stated({ cursor: 0n })], { read });
    const asked = books.check({ isHurried: true });
    await Promise.all([expect(asked).rejects.toThrow(/aborted/), books.run(stopping.signal, () => undefined)]);
    expect(read).toHaveBeenCalledTimes(1);
  });

  test('a device that does not read fails the check, and the next one goes on where it was', async () => {
    const rig = await rigWith(3);
    let isAway = true;
    const read: Journal['read'] = (after, limit) => (isAway ? Promise.reject(new Error('EIO')) : rig.journal.read(after, limit));
    const books = booksOf(rig, [new Stated({ cursor: 3n, counts: [{ delivered: 3 }] })], { read });
    await expect(books.check({ isHurried: true })).rejects.toThrow('EIO');
    expect(books.last()).toBeUndefined();
    isAway = false;
    expect((await books.check({ isHurried: true })).rows().map(figures)).toEqual([[3, 3, 0, 0, 0]]);
  });
});

describe('saved books', () => {
  test('a start goes on with the count where it was saved, and reads what came since and what is pending', async () => {
    const rig = await rigWith(10);
    const follower = new Stated({ cursor: 7n, counts: [{ delivered: 7 }] });
    expect(await startBooks(rig, [follower]).minute()).toBeUndefined();
    await submit(rig, 'more');
    follower.cursorAt = 8n;
    follower.counted = [{ delivered: 8 }];
    const { check, reads } = startBooks(rig, [follower]);
    expect((await check()).rows().map(figures)).toEqual([[11, 8, 0, 3, 0]]);
    expect(reads()[0]![0]).toBe(7n);
  });

  test('what a follower lost before the start is still unexplained, and so is what its counts lost since', async () => {
    const rig = await rigWith(10);
    const follower = new Stated({ cursor: 10n, counts: [{ delivered: 9 }] });
    const tree = Object.assign(new Stated({ cursor: 10n, name: 'tree' }), { holds: async () => false });
    await startBooks(rig, [follower, tree]).minute();
    const { check, reads } = startBooks(rig, [follower, tree]);
    const rows = async () => (await check()).rows().map(figures);
    expect(await rows()).toEqual([
      [10, 9, 0, 0, 1],
      [10, 0, 0, 0, 10],
    ]);
    expect(reads().every(([after]) => after === 10n)).toBe(true);
    follower.counted = [{ delivered: 7 }];
    expect((await rows())[0]).toEqual([10, 7, 0, 0, 3]);
  });

  test.each([
    ['the journal ends before it', async (rig: IntakeRig) => ({ head: () => rig.journal.head() - 1n })],
    [
      'another event is at its end',
      async (rig: IntakeRig) => ({
        fetch: async (sequences: readonly bigint[]) => (await rig.journal.fetch(sequences)).map((entry) => ({ ...entry, id: 'another' })),
      }),
    ],
  ])('a saved count is thrown away when %s', async (_, changed) => {
    const rig = await rigWith(10);
    const follower = new Stated({ cursor: 11n, counts: [{ delivered: 10 }] });
    await startBooks(rig, [follower]).minute();
    const { check, reads } = startBooks(rig, [follower], { journal: await changed(rig) });
    expect((await check()).rows().map(figures)).toEqual([[10, 10, 0, 0, 0]]);
    expect(reads()[0]![0]).toBe(0n);
  });

  test('a saved count is thrown away when the follower fell back or began again, and that of one that is gone is taken away', async () => {
    const rig = await rigWith(10);
    const [fallen, again, gone] = ['fallen', 'again', 'gone'].map((name) => new Stated({ name, cursor: 10n, counts: [{ delivered: 10 }] }));
    await startBooks(rig, [fallen!, again!, gone!]).minute();
    fallen!.cursorAt = 4n;
    fallen!.counted = [{ delivered: 4 }];
    again!.startAt = 5n;
    again!.counted = [{ delivered: 5 }];
    const expected = [
      [10, 4, 0, 6, 0],
      [5, 5, 0, 0, 0],
    ];
    for (let start = 1; start <= 2; start++) {
      const { check, minute } = startBooks(rig, [fallen!, again!]);
      expect((await check()).rows().map(figures)).toEqual(expected);
      await minute();
    }
    const names = [...(await rig.catalog.list(['book'])), ...(await rig.catalog.list(['book-day']))].map(({ key }) => key[1]);
    expect(names).toEqual(['again', 'fallen', 'again', 'fallen']);
  });

  test('a book that takes the place of another leaves nothing of it, also when its first save fails', async () => {
    const rig = await rigWith(3);
    const follower = new Stated({ cursor: 4n, counts: [{ delivered: 3 }] });
    await startBooks(rig, [follower]).minute();
    await rig.clock.advance(48 * 3_600_000);
    await submit(rig, 'late');
    follower.startAt = follower.cursorAt = 4n;
    follower.counted = [];
    let isAway = true;
    const commit: SavedBooksCatalog['commit'] = (changes) => (isAway ? Promise.reject(new Error('EIO')) : rig.catalog.commit(changes));
    const { minute } = startBooks(rig, [follower], { catalog: { ...rig.catalog, commit } });
    expect(await minute()).toEqual(new Error('EIO'));
    isAway = false;
    follower.cursorAt = 6n;
    follower.counted = [{ hour: HOUR + 48, delivered: 1 }];
    expect(await minute()).toBeUndefined();
    expect((await startBooks(rig, [follower]).check()).rows().map(figures)).toEqual([[1, 1, 0, 0, 0]]);
  });

  test('entries that go bad after they were taken stay in the saved count; a range that was passed over and is whole again is counted', async () => {
    const rig = await rigWith(10);
    const damage = { from: 4n, to: 6n, file: 'journal/1.log', reason: 'wrong CRC' };
    const early = new Stated({ name: 'early', cursor: 10n, counts: [{ delivered: 10 }] });
    await startBooks(rig, [early]).minute();
    rig.journal.pretendDamage(damage);
    const late = new Stated({ name: 'late', cursor: 10n, counts: [{ delivered: 7 }] });
    for (let start = 1; start <= 2; start++) {
      const { check, minute } = startBooks(rig, [early, late]);
      const state = await check();
      expect([state.unreadable, state.rows().map(figures)]).toEqual([
        3,
        [
          [10, 10, 0, 0, 0],
          [7, 7, 0, 0, 0],
        ],
      ]);
      await minute();
    }
    rig.journal.pretendDamage();
    late.counted = [{ delivered: 10 }];
    expect((await startBooks(rig, [early, late]).check()).rows().map(figures)).toEqual([
      [10, 10, 0, 0, 0],
      [10, 10, 0, 0, 0],
    ]);
  });

  test('entries that go bad while they are pending are pending until the follower gets past them, and then in no books (P8)', async () => {
    const rig = await rigWith(10);
    const follower = new Stated({ cursor: 2n, counts: [{ delivered: 2 }] });
    const books = booksOf(rig, [follower]);
    const rows = async () => (await books.check({ isHurried: true })).rows().map(figures);
    expect(await rows()).toEqual([[10, 2, 0, 8, 0]]);
    rig.journal.pretendDamage({ from: 4n, to: 6n, file: 'journal/1.log', reason: 'wrong CRC' });
    follower.cursorAt = 3n;
    follower.counted = [{ delivered: 3 }];
    expect(await rows()).toEqual([[10, 3, 0, 7, 0]]);
    follower.cursorAt = 8n;
    follower.counted = [{ delivered: 5 }];
    expect(await rows()).toEqual([[7, 5, 0, 2, 0]]);
    follower.cursorAt = 11n;
    follower.counted = [{ delivered: 7 }];
    expect(await rows()).toEqual([[7, 7, 0, 0, 0]]);
  });

  test('any order of events, steps, falls, saves that fail and starts gives the books of a single count', async () => {
    for (const seed of ['a', 'b', 'c', 'd']) {
      const rig = await IntakeRig.open();
      const chance = createSeededChance(seed);
      const happens = (share: number) => chance.fraction() < share;
      const upTo = (most: number) => Math.floor(chance.fraction() * (most + 1));
      const followers = ['a', 'b', 'tree'].map((name) => new Stated({ cursor: 0n, name }));
      Object.assign(followers[2]!, { holds: async ({ sequence }: { sequence: bigint }) => sequence % 7n !== 0n });
      const commit: SavedBooksCatalog['commit'] = async (changes) => {
        if (happens(0.2)) throw new Error('the disk is away');
        await rig.catalog.commit(changes);
        if (happens(0.2)) throw new Error('the answer was lost');
      };
      const start = () => startBooks(rig, followers.slice(0, 1 + upTo(2)), { catalog: { ...rig.catalog, commit } });
      let books = start();
      for (let step = 0; step < 200; step++) {
        if (happens(0.5)) await submit(rig, ...Array.from({ length: 1 + upTo(8) }, (_, at) => `${step}-${at}`));
        if (happens(0.1)) await rig.clock.advance(upTo(30) * 3_600_000);
        for (const follower of followers) {
          if (happens(0.5)) follower.cursorAt += BigInt(upTo(Number(rig.journal.head() - follower.cursorAt)));
          else if (happens(0.05)) follower.cursorAt -= BigInt(upTo(Math.min(20, Number(follower.cursorAt))));
          else if (happens(0.02)) follower.cursorAt = follower.startAt = follower.cursorAt + BigInt(upTo(3));
        }
        if (happens(0.3)) await books.minute();
        if (happens(0.15)) books = start();
        if (happens(0.3)) {
          const state = await books.check();
          const fresh = await booksOf(
            rig,
            followers.filter(({ name }) => state.totals.has(name)),
          ).check({ isHurried: true });
          expect(withoutHeld(whole(state)), `seed ${seed}, step ${step}`).toEqual(withoutHeld(whole(fresh)));
        }
      }
    }
  });
});

/** What the parts of a count decide is left out: a follower that counts nothing is asked once for each of them. */
function withoutHeld({ rows, head, unreadable }: ReturnType<typeof whole>) {
  return {
    head,
    unreadable,
    rows: rows.map((row) => (row.follower === 'tree' ? { ...row, delivered: 0, unexplained: 0 } : row)),
  };
}

describe('the watch', () => {
  test('the books are checked at once and then each minute, and a failure is told and does not end it (P19)', async () => {
    const rig = await rigWith(3);
    let isAway = false;
    const read: Journal['read'] = (after, limit) => (isAway ? Promise.reject(new Error('EIO')) : rig.journal.read(after, limit));
    const books = booksOf(rig, [new Stated({ cursor: 3n, counts: [{ delivered: 3 }] })], { read });
    const problems: unknown[] = [];
    const stopping = new AbortController();
    const ended = books.run(stopping.signal, (error) => problems.push(error));
    await rig.clock.someoneSleeps();
    expect(books.last()?.head).toBe(4n);
    await submit(rig, 'more');
    isAway = true;
    await rig.clock.advance(60_000);
    await rig.clock.someoneSleeps();
    expect([books.last()?.head, problems]).toEqual([4n, [new Error('EIO')]]);
    isAway = false;
    await rig.clock.advance(60_000);
    await rig.clock.someoneSleeps();
    expect(books.last()?.head).toBe(6n);
    stopping.abort();
    await ended;
  });
});
