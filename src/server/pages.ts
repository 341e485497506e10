/**
 * The pages that everybody may read: `/healthz`, `/readyz`, `/metrics`.
 *
 * `/healthz` says that the process answers; `/readyz` that events can be accepted and every follower goes on, or has
 * failed for at most a minute if it is one of the server's own; `/metrics` gives the books and lags in Prometheus' text form.
 * No page names an event or holds a secret.
 */
import { Gauge, Registry } from 'prom-client';
import type { Page } from '../http/ports.ts';
import { type EventCounter, unexplainedOf } from '../intake/count-events.ts';
import type { Books, CountedFollower } from '../intake/watch-books.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import type { FollowerState } from './run-follower.ts';

/** A follower of the server's own that fails for longer makes it unready; a trail whose bucket is away keeps no event out. */
const RETRYING_MS_MAX = 60_000;

export interface PageSources {
  readonly journal: Journal;
  readonly counter: EventCounter;
  readonly historyIndex: Pick<HistoryIndex, 'dropped'>;
  readonly books: Pick<Books, 'last'>;
  readonly followers: () => readonly CountedFollower[];
  readonly followerStates: () => readonly FollowerState[];
}

export function createPages(sources: PageSources): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ['/healthz', async () => ({ status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok\n' })],
    ['/readyz', async () => readiness(sources)],
    ['/metrics', async () => metrics(sources)],
  ]);
}

async function readiness({ journal, followerStates }: PageSources): Promise<{ status: number; contentType: string; body: string }> {
  const { state, reason } = journal.health();
  const problems = [
    ...(state === 'ok' ? [] : [`journal: ${reason ?? state}`]),
    ...journal.damage().map(({ from, to }) => `journal: entries ${from} to ${to} are damaged; see \`snowtrail doctor\``),
    ...followerStates()
      .filter((follower) => follower.state === 'stopped')
      .map(({ name }) => `follower ${name} has stopped; see \`snowtrail doctor\``),
    ...followerStates()
      .filter(({ retryingMs = 0 }) => retryingMs > RETRYING_MS_MAX)
      .map(({ name }) => `follower ${name} cannot go on for more than a minute; see \`snowtrail doctor\``),
  ];
  const body = problems.length === 0 ? 'ready\n' : `not ready\n${problems.join('\n')}\n`;
  return { status: problems.length === 0 ? 200 : 503, contentType: 'text/plain; charset=utf-8', body };
}

async function metrics(sources: PageSources): Promise<{ status: number; contentType: string; body: string }> {
  const { journal, counter, historyIndex, books, followers, followerStates } = sources;
  const registry = new Registry();
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name: `snowtrail_${name}`, help, labelNames: [...labelNames], registers: [registry] });

  const received = gauge('events', 'Events by what became of them, since the installation was made', ['verdict'] as const);
  const totals = { received: 0, accepted: 0, repeated: 0, rejected: 0 };
  for (const count of counter.counts()) {
    totals.received += count.received;
    totals.accepted += count.accepted;
    totals.repeated += count.repeated;
    totals.rejected += count.rejected;
  }
  for (const [verdict, value] of Object.entries(totals)) received.set({ verdict }, value);

  gauge('unexplained_received_events', 'Events received that were neither accepted, repeated nor rejected, or the reverse').set(
    counter.counts().reduce((sum, count) => sum + Math.abs(unexplainedOf(count)), 0),
  );

  const head = journal.head();
  gauge('journal_head', 'Sequence of the last durable journal entry').set(Number(head));
  gauge('journal_ok', '1 while appends can succeed').set(journal.health().state === 'ok' ? 1 : 0);
  gauge('journal_damaged_ranges', 'Ranges of entries that cannot be read').set(journal.damage().length);

  gauge('history_dropped_runs', 'Parts of the history index that were damaged and are made again, since the start').set(
    historyIndex.dropped().length,
  );

  const unexplained = gauge('unexplained_events', 'Events that are not accounted for in a follower, at the last check', [
    'follower',
  ] as const);
  const outcomes = gauge('follower_events', 'Events of a follower by what it did with them, at the last check', [
    'follower',
    'outcome',
  ] as const);
  const state = books.last();
  gauge('books_checked_entries', 'Journal entries up to which the books were checked last').set(Number(state?.head ?? 0n));
  gauge('books_unreadable_entries', 'Damaged journal entries, which are in no books').set(state?.unreadable ?? 0);
  if (state !== undefined) for (const { name } of followers()) unexplained.set({ follower: name }, 0);
  for (const row of state?.rows ?? []) {
    const { follower } = row;
    for (const outcome of ['accepted', 'delivered', 'filtered', 'pending'] as const) outcomes.inc({ follower, outcome }, row[outcome]);
    // What one hour lacks and another has too many of does not cancel out.
    unexplained.inc({ follower }, Math.abs(row.unexplained));
  }
  const lag = gauge('follower_lag_entries', 'Journal entries that a follower has not taken yet', ['follower'] as const);
  for (const follower of followers()) lag.set({ follower: follower.name }, Number(head - follower.cursor()));
  const running = gauge('follower_running', '1 while a follower goes on, 0 when it retries or has stopped', ['follower'] as const);
  for (const { name, state } of followerStates()) running.set({ follower: name }, state === 'running' ? 1 : 0);
  return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
}
