import { describe, expect, test } from 'vitest';
import { bytesOf, callOf, IntakeRig, OWNER, recordText, START_MS } from '../../test/support/intake-rig.ts';
import { acceptEvents } from '../intake/accept-events.ts';
import { EventCounter } from '../intake/count-events.ts';
import { Books } from '../intake/watch-books.ts';
import { hourOf } from '../store/account-hour.ts';
import { createPages, type PageSources } from './pages.ts';

/** An installation with two events, a repeat and a refusal; all of it counted. */
async function open(more: Partial<PageSources> & { delivered?: number; isChecked?: boolean } = {}) {
  const rig = await IntakeRig.open();
  const texts = [recordText('one'), recordText('two'), recordText('one'), 'nonsense'];
  const pieces = texts.map((text) => ({ kind: 'record', bytes: bytesOf(text) }) as const);
  await acceptEvents(rig.stores, callOf(OWNER), pieces, { source: 'record', createAccounts: false });
  const counter = await EventCounter.open(rig);
  await counter.take(await rig.journal.read(0n, 100));
  const { delivered = 2, isChecked = true, ...sources } = more;
  const counts = () => [{ account: OWNER, hour: hourOf(START_MS), delivered, filtered: 0 }];
  const history = { name: 'history', cursor: () => 3n, start: () => 0n, counts, changedCounts: counts };
  const books = new Books({ journal: rig.journal, clock: rig.clock, followers: () => [history] });
  if (isChecked) await books.check({ isHurried: true });
  const pages = createPages({
    journal: rig.journal,
    counter,
    historyIndex: { dropped: () => [{ run: '7.run', after: 2n, to: 9n, reason: 'a page has a wrong checksum' }] },
    books,
    followers: () => [history],
    followerStates: () => [{ name: 'history', state: 'running' }],
    messageLines: async () => [{ name: 'notices/main', waiting: 3, sent: 5, failed: 2, givenUp: 1, problem: 'NotFound' }],
    logsFollowers: () => [{ name: 'logs/main', refused: () => ({ tooOld: 2, tooNew: 0, invalid: 0 }) }],
    metricsAccess: { isOpen: true },
    ...sources,
  });
  const get = async (path: string, authorization?: string): Promise<{ status: number; body: string }> => {
    const { status, body } = await pages.get(path)!({ method: 'GET', path, query: '', authorization });
    return { status, body: String(body) };
  };
  return { rig, get };
}

describe('createPages', () => {
  test('/healthz answers whatever the journal is like, and /readyz only while events can be accepted', async () => {
    const { rig, get } = await open();
    expect(await get('/readyz')).toEqual({ status: 200, body: 'ready\n' });
    rig.journal.pretend('full');
    expect(await get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toEqual({ status: 503, body: 'not ready\njournal: the journal pretends to be full\n' });
  });

  test('a follower that retries makes the server unready once it has failed for more than a minute', async () => {
    const retrying = { name: 'history', state: 'retrying', problem: 'away', retryingMs: 60_000 } as const;
    const { get } = await open({ followerStates: () => [retrying] });
    expect((await get('/readyz')).status).toBe(200);
    const late = await open({ followerStates: () => [{ ...retrying, retryingMs: 60_001 }] });
    expect(await late.get('/healthz')).toEqual({ status: 200, body: 'ok\n' });
    expect(await late.get('/readyz')).toEqual({
      status: 503,
      body: 'not ready\nfollower history cannot go on for more than a minute; see `snowtrail doctor`\n',
    });
  });

  test('a follower that has stopped makes the server unready, one that retries for a while does not', async () => {
    const retrying = { name: 'history', state: 'retrying', problem: 'away' } as const;
    expect((await (await open({ followerStates: () => [retrying] })).get('/readyz')).status).toBe(200);
    const stopped = { name: 'tree', state: 'stopped', problem: 'a bug' } as const;
    const { status, body } = await (await open({ followerStates: () => [retrying, stopped] })).get('/readyz');
    expect([status, body]).toEqual([503, 'not ready\nfollower tree has stopped; see `snowtrail doctor`\n']);
  });

  test('damage of the journal makes the server unready and is named', async () => {
    const { rig } = await open();
    const journal = { ...rig.journal, damage: () => [{ from: 1n, to: 2n, file: 'journal/1.log', reason: 'wrong CRC' }] };
    const { get } = await open({ journal });
    expect((await get('/readyz')).body).toContain('entries 1 to 2 are damaged');
    expect((await get('/metrics')).body).toContain('snowtrail_journal_damaged_ranges 1\n');
  });

  test('/metrics has the books, and what was received beside them (RC1)', async () => {
    const { body } = await (await open()).get('/metrics');
    const lines = body.split('\n').filter((line) => !line.startsWith('#'));
    expect(lines).toEqual(
      expect.arrayContaining([
        'snowtrail_events{verdict="received"} 4',
        'snowtrail_events{verdict="accepted"} 2',
        'snowtrail_events{verdict="repeated"} 1',
        'snowtrail_events{verdict="rejected"} 1',
        'snowtrail_journal_head 3',
        'snowtrail_journal_ok 1',
        'snowtrail_history_dropped_runs 1',
        'snowtrail_follower_events{follower="history",outcome="delivered"} 2',
        'snowtrail_follower_lag_entries{follower="history"} 0',
        'snowtrail_follower_events{follower="history",outcome="accepted"} 2',
        'snowtrail_follower_events{follower="history",outcome="filtered"} 0',
        'snowtrail_follower_events{follower="history",outcome="pending"} 0',
        'snowtrail_books_checked_entries 3',
        'snowtrail_books_unreadable_entries 0',
        'snowtrail_unexplained_received_events 0',
        'snowtrail_follower_running{follower="history"} 1',
        'snowtrail_messages{line="notices/main",outcome="waiting"} 3',
        'snowtrail_messages{line="notices/main",outcome="sent"} 5',
        'snowtrail_messages{line="notices/main",outcome="failed"} 2',
        'snowtrail_messages{line="notices/main",outcome="given_up"} 1',
      ]),
    );
  });

  test('/metrics shows 0 unexplained events, and exactly 1 when a follower lost one (F45)', async () => {
    expect((await (await open()).get('/metrics')).body).toContain('snowtrail_unexplained_events{follower="history"} 0\n');
    expect((await (await open({ delivered: 1 })).get('/metrics')).body).toContain('snowtrail_unexplained_events{follower="history"} 1\n');
  });

  test('before the first check of the books no follower is called balanced', async () => {
    const { body } = await (await open({ isChecked: false })).get('/metrics');
    expect(body).toContain('snowtrail_books_checked_entries 0\n');
    expect(body).not.toContain('snowtrail_unexplained_events{');
  });

  test('/metrics shows what was received and became nothing', async () => {
    const { rig } = await open();
    const counter = await EventCounter.open(rig);
    // The two events of the submission whose fact follows are not in the journal.
    await counter.take((await rig.journal.read(2n, 1)).map((entry) => ({ ...entry, sequence: 4n })));
    expect((await (await open({ counter })).get('/metrics')).body).toContain('snowtrail_unexplained_received_events 2\n');
  });

  test('/metrics has the newest two hours by account, and any hour in which something is unexplained (RC1, P19)', async () => {
    const hours = [0, 1, 2].map((back) => hourOf(START_MS) - back);
    const counts = () => hours.map((hour, index) => ({ account: OWNER, hour, delivered: index === 0 ? 2 : index, filtered: 0 }));
    const history = { name: 'history', cursor: () => 3n, start: () => 0n, counts, changedCounts: counts };
    const { rig } = await open();
    const books = new Books({ journal: rig.journal, clock: rig.clock, followers: () => [history] });
    await books.check({ isHurried: true });
    const lines = (await (await open({ books })).get('/metrics')).body.split('\n').filter((line) => line.includes('hour='));
    const at = (hour: string) => `account="${OWNER}",hour="2026-01-02T${hour}:00:00.000Z"`;
    expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([
      `snowtrail_hour_events{${at('03')},verdict="received"} 4`,
      `snowtrail_hour_events{${at('03')},verdict="accepted"} 2`,
      `snowtrail_hour_events{${at('03')},verdict="repeated"} 1`,
      `snowtrail_hour_events{${at('03')},verdict="rejected"} 1`,
      `snowtrail_hour_follower_events{${at('03')},follower="history",outcome="accepted"} 2`,
      `snowtrail_hour_follower_events{${at('03')},follower="history",outcome="delivered"} 2`,
      `snowtrail_hour_follower_events{${at('02')},follower="history",outcome="delivered"} 1`,
      `snowtrail_hour_follower_events{${at('02')},follower="history",outcome="unexplained"} -1`,
      `snowtrail_unexplained_hour_events{${at('02')},follower="history"} -1`,
      `snowtrail_unexplained_hour_events{${at('01')},follower="history"} -2`,
    ]);
  });

  test('/metrics has a bounded number of series, and says how many rows it leaves out', async () => {
    const accounts = Array.from({ length: 2_500 }, (_, index) => String(100_000_000_000 + index));
    const counts = () => accounts.map((account) => ({ account, hour: hourOf(START_MS), delivered: 1, filtered: 0 }));
    const history = { name: 'history', cursor: () => 3n, start: () => 0n, counts, changedCounts: counts };
    const { rig } = await open();
    const books = new Books({ journal: rig.journal, clock: rig.clock, followers: () => [history] });
    await books.check({ isHurried: true });
    const { body } = await (await open({ books })).get('/metrics');
    // `OWNER`'s two events are in the journal.
    expect(body).toContain('snowtrail_hour_rows_left_out 501\n');
    expect(body.match(/^snowtrail_hour_follower_events\{/gm)?.length).toBe(2_000 * 5);
    expect(body.match(/^snowtrail_unexplained_hour_events\{/gm)?.length).toBe(100);
    expect(body).toContain('snowtrail_unexplained_events{follower="history"} 2502\n');
  });

  test('/metrics is told to nobody beyond loopback but to whoever has the token', async () => {
    const token = 'a-token-of-some-length';
    const withToken = await open({ metricsAccess: { token, isOpen: true } });
    const closed = await open({ metricsAccess: { isOpen: false } });
    expect((await withToken.get('/metrics', `Bearer ${token}`)).status).toBe(200);
    for (const [page, authorization] of [
      [withToken, undefined],
      [withToken, 'Bearer '],
      [withToken, `Bearer ${token}x`],
      [withToken, token],
      [closed, undefined],
      [closed, 'Bearer undefined'],
    ] as const) {
      const { status, body } = await page.get('/metrics', authorization);
      expect([status, body]).toEqual([401, expect.not.stringMatching(/snowtrail_|\d{12}/)]);
    }
    expect((await closed.get('/readyz')).status).toBe(200);
  });

  test('no page names an event, and those that are for everybody no account', async () => {
    const { get } = await open();
    expect((await get('/metrics')).body).not.toMatch(/RunInstances/);
    for (const path of ['/healthz', '/readyz']) expect((await get(path)).body).not.toMatch(/\d{12}|RunInstances/);
  });
});
