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
  const history = {
    name: 'history',
    cursor: () => 3n,
    start: () => 0n,
    counts: () => [{ account: OWNER, hour: hourOf(START_MS), delivered, filtered: 0 }],
  };
  const books = new Books({ journal: rig.journal, clock: rig.clock, followers: () => [history] });
  if (isChecked) await books.check({ isHurried: true });
  const pages = createPages({
    journal: rig.journal,
    counter,
    historyIndex: { dropped: () => [{ run: '7.run', after: 2n, to: 9n, reason: 'a page has a wrong checksum' }] },
    books,
    followers: () => [history],
    followerStates: () => [{ name: 'history', state: 'running' }],
    ...sources,
  });
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const { status, body } = await pages.get(path)!({ path, query: '' });
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
    const journal = { ...rig.journal, damage: () => [{ from: 1n, to: 2n, reason: 'wrong CRC' }] };
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

  test('no page names an account or an event', async () => {
    const { get } = await open();
    for (const path of ['/healthz', '/readyz', '/metrics']) expect((await get(path)).body).not.toMatch(/\d{12}|RunInstances/);
  });
});
