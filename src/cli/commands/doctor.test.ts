import { describe, expect, test } from 'vitest';
import { CommandFailed, EXIT } from '../exit.ts';
import { findGone, findLosses, findProblems, findUnanswered, readBooks } from './doctor.ts';

const IN = { Account: '111122223333', Hour: '2026-11-20T14:00:00.000Z', Accepted: 2, Open: 0, Repeated: 1, Rejected: 0 };
const RECEIVED = [{ ...IN, Received: 3, Unexplained: 0 }];
const BOOK = { Account: '111122223333', Hour: '2026-11-20T14:00:00.000Z', Follower: 'history', Accepted: 2, Delivered: 2, Filtered: 0 };
const HEALTHY = {
  Journal: { State: 'ok', Head: '2' },
  Damage: [],
  PassedOver: [],
  HistoryDropped: [],
  Messages: [{ Name: 'notices/x', Waiting: 0, Sent: 4, Failed: 1, GivenUp: 0 }],
  Followers: [{ Name: 'history', State: 'running' }],
};
const BALANCED = { Received: RECEIVED, Followers: [{ ...BOOK, Pending: 0, Unexplained: 0 }], Unexplained: 0, Unreadable: 0 };

describe('findProblems', () => {
  test('nothing is found where everything is well', () => {
    expect(findProblems(HEALTHY, BALANCED)).toEqual([]);
  });

  test('each thing that is wrong is one finding, with what to do', () => {
    const problems = findProblems(
      {
        Journal: { State: 'full', Reason: 'less than the reserve is free', Head: '2' },
        Damage: [{ From: '1', To: '2', File: 'journal/1.log', Reason: 'checksum' }],
        PassedOver: [{ Follower: 'history', From: '1', To: '2', File: 'journal/1.log', Reason: 'wrong CRC' }],
        HistoryDropped: [{ Run: '7.run', From: '3', To: '9', Reason: 'a page has a wrong checksum' }],
        Followers: [
          { Name: 'tree', State: 'stopped', Problem: 'a bug' },
          { Name: 'trail/x', State: 'retrying', Problem: 'no answer' },
        ],
        Messages: [
          { Name: 'notices/x', Waiting: 3, Sent: 4, Failed: 7, GivenUp: 2, Problem: 'NotFound' },
          // Whose endpoint it is sees to it.
          { Name: 'subscribers/y', Waiting: 1, Sent: 0, Failed: 1, GivenUp: 0, Problem: '503, of 1 subscriber' },
        ],
      },
      {
        ...BALANCED,
        Received: [{ ...IN, Received: 5, Unexplained: 2 }],
        Followers: [{ ...BOOK, Delivered: 1, Pending: 0, Unexplained: 1 }],
      },
    );
    expect(problems.map(({ Problem }) => Problem)).toEqual([
      'the journal takes no events (full): less than the reserve is free',
      'journal entries 1 to 2 cannot be read: journal/1.log: checksum',
      'follower history went on without journal entries 1 to 2, which were damaged: journal/1.log: wrong CRC',
      'part 7.run of the history index (entries 3 to 9) was damaged and dropped: a page has a wrong checksum',
      'follower tree has stopped: a bug',
      'follower trail/x cannot go on for now: no answer',
      'notices/x do not reach their topic: NotFound; 3 wait, 2 were given up',
      '2 events that account 111122223333 was sent in the hour from 2026-11-20T14:00:00.000Z are unexplained: received is not accepted + repeated + rejected',
      '1 events of account 111122223333, received in the hour from 2026-11-20T14:00:00.000Z, are unexplained in follower history',
    ]);
    expect(problems.every(({ Advice }) => Advice.length > 20)).toBe(true);
  });
});

test('what is unexplained on the whole is told also where none of the rows that were read says so', () => {
  const [finding, ...others] = findProblems(HEALTHY, { ...BALANCED, Unexplained: 3 });
  expect(finding?.Problem).toBe('3 events are unexplained in books that changed while they were read');
  expect(others).toEqual([]);
});

test('a journal that ends too early is told first: what is gone, since when, what to do; and nowhere that nothing is lost (F46)', () => {
  const health = {
    ...HEALTHY,
    Journal: { State: 'read-only', Reason: 'contradiction', Head: '0', Missing: { From: '1', To: '313', ThereAt: '2026-11-20T14:00:00Z' } },
    Followers: [{ Name: 'trail/x', State: 'stopped', Problem: 'contradiction' }],
  };
  const books = { ...BALANCED, Followers: [{ ...BOOK, Accepted: 0, Pending: 0, Unexplained: -2 }] };
  const findings = findProblems(health, books);
  expect(findings.map(({ Problem }) => Problem)).toEqual([
    'journal entries 1 to 313 are gone: they had been acknowledged, and were there at 2026-11-20T14:00:00Z; none is left. ' +
      'The journal or a part of it was lost, or an older copy put in its place; nothing is taken, signed or delivered now',
    'follower trail/x has stopped: contradiction',
    '-2 events of account 111122223333, received in the hour from 2026-11-20T14:00:00.000Z, are unexplained in follower history',
  ]);
  expect(findings.map(({ Advice }) => Advice)).toEqual([
    expect.stringMatching(/^stop the server, put back the newest copy of the whole data directory/),
    expect.stringContaining('entries 1 to 313'),
    expect.stringContaining('entries 1 to 313'),
  ]);
  const older = { ...health, Journal: { ...health.Journal, Head: '9', Missing: { From: '10', To: '12', LeftTo: '2026-11-20T13:00:00Z' } } };
  expect(findProblems(older, undefined)[0]!.Problem).toContain('those that are left end with entry 9, of 2026-11-20T13:00:00Z.');
  expect([...findings, ...findProblems(older, books)].every(({ Advice }) => !Advice.includes('nothing is lost'))).toBe(true);
});

test('all pages of the books are read', async () => {
  const rows = [{ ...BOOK, Pending: 0, Unexplained: 0 }];
  const pages = [
    { ...BALANCED, Followers: [], NextToken: 'a' },
    { ...BALANCED, Received: [], Followers: rows, NextToken: 'b' },
    { ...BALANCED, Received: [], Followers: rows, Unexplained: 3 },
  ];
  const asked: unknown[] = [];
  const call = async (_: string, input?: object) => {
    asked.push(input);
    return pages[asked.length - 1];
  };
  expect(await readBooks({ call: call as never })).toEqual({ ...BALANCED, Followers: [...rows, ...rows], Unexplained: 3 });
  expect(asked).toEqual([{ MaxResults: 5_000 }, ...['a', 'b'].map((NextToken) => ({ MaxResults: 5_000, NextToken }))]);
});

test('a part that the server does not answer is a finding, and the others are looked at all the same (F11)', async () => {
  const answers = [Promise.resolve(HEALTHY), Promise.reject(new Error('InternalFailure: unknown'))] as const;
  const [health, books] = await Promise.allSettled(answers);
  expect(findUnanswered({ health, books, trails: health })).toEqual([
    { Problem: 'the books could not be looked at: InternalFailure: unknown', Advice: expect.stringContaining('the log of the server') },
  ]);
  const full = { ...HEALTHY, Journal: { State: 'full', Reason: 'less than the reserve is free', Head: '2' } };
  const unexplained = { ...BALANCED, Received: [{ ...IN, Received: 5, Unexplained: 2 }] };
  expect([findProblems(full, undefined).length, findProblems(undefined, unexplained).length]).toEqual([1, 1]);
});

test('a part that the key may not see is told as that, and not as a fault of the server', async () => {
  const [health, books] = await Promise.allSettled([
    Promise.reject(new CommandFailed(EXIT.denied, 'AccessDeniedException: no')),
    Promise.resolve(BALANCED),
  ]);
  expect(findUnanswered({ health, books, trails: books })).toEqual([
    {
      Problem: 'the health may not be looked at with this key: AccessDeniedException: no',
      Advice: expect.stringContaining('a key of the first account'),
      IsDenied: true,
    },
  ]);
});

describe('the books of a damaged journal', () => {
  test('what was received and is not there is put down to the damage, too', () => {
    const books = { ...BALANCED, Unreadable: 2, Received: [{ ...IN, Received: 5, Unexplained: 2 }] };
    expect(findProblems(HEALTHY, books).map(({ Advice }) => Advice)).toEqual([
      'some of the 2 damaged entries may be of these submissions: see to the damage first, then look again',
    ]);
  });

  test('events that a follower counted and the journal shows no more are put down to the damage, and lost ones are not', () => {
    const books = { ...BALANCED, Unreadable: 2, Followers: [-1, 1].map((Unexplained) => ({ ...BOOK, Pending: 0, Unexplained })) };
    const advice = findProblems(HEALTHY, books).map(({ Advice }) => Advice);
    expect(advice).toEqual([
      'it may have counted some of the 2 entries before they were damaged: see to the damage first, then look again',
      'run `snowtrail verify` to name what is missing; keep a copy of the data directory and report it',
    ]);
  });
});

test('a bucket of the server that is gone, or lacks what was put there last, is a finding however long ago that is (F20)', () => {
  const trail = { TrailARN: 'arn:aws:cloudtrail:eu-west-1:111122223333:trail/main', S3BucketName: 'logs', DeliveredReceiptNumber: 7 };
  const ThereAt = '2026-11-20T14:00:00Z';
  const findings = findGone([trail, { ...trail, Gone: 'bucket', ThereAt }, { ...trail, Gone: 'newest-receipt', ThereAt }]);
  expect(findings.map(({ Problem }) => Problem)).toEqual([
    `the bucket logs of ${trail.TrailARN} is gone, with receipts up to 7 and what they name; it was there at ${ThereAt}`,
    `the bucket logs lacks receipt 7 of ${trail.TrailARN}, which was put there last, and perhaps more; it was there at ${ThereAt}`,
  ]);
  expect(findings.map(({ Advice }) => /put the folder `objects` .* back from a backup/.test(Advice))).toEqual([true, true]);
});

test('objects that were found gone within the last day are a finding; older ones are left to `verify` (F20)', () => {
  const lost = { S3BucketName: 'logs', Key: 'a.json.gz', Outcome: 'put-again', FoundAt: '2026-11-20T14:00:00Z' };
  const trail = {
    TrailARN: 'arn:aws:cloudtrail:eu-west-1:111122223333:trail/main',
    LostObjectCount: 2,
    LostObjects: [lost, { ...lost, Outcome: 'gone' }],
  };
  const atMs = Date.parse(lost.FoundAt);
  expect(findLosses([trail, { TrailARN: 'another' }], atMs + 3_600_000)).toMatchObject([
    { Problem: expect.stringContaining('2 objects of arn:aws:cloudtrail:eu-west-1:111122223333:trail/main were found gone') },
  ]);
  expect(findLosses([trail], atMs + 25 * 3_600_000)).toEqual([]);
});
