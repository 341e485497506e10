/**
 * The pages that everybody may read: `/healthz`, `/readyz`, `/metrics`.
 *
 * `/healthz` says that the process answers; `/readyz` that events can be accepted and every follower goes on; `/metrics` gives
 * the books and lags in Prometheus' text form. No page names an event or holds a secret.
 */
import { Gauge, Registry } from 'prom-client';
import type { Page } from '../http/ports.ts';
import type { CountedFollower } from '../intake/accounting.ts';
import { type EventCounter, unexplainedOf } from '../intake/count-events.ts';
import type { Clock } from '../store/clock.ts';
import type { Follower, HourCount } from '../store/follower.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import type { FollowerState } from './run-follower.ts';

export interface PageSources {
  readonly journal: Journal;
  readonly counter: EventCounter;
  readonly historyIndex: Pick<HistoryIndex, 'dropped'>;
  readonly followers: () => readonly CountedFollower[];
  readonly followerStates: () => readonly FollowerState[];
  readonly tree: Follower;
  readonly clock: Clock;
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
  ];
  const body = problems.length === 0 ? 'ready\n' : `not ready\n${problems.join('\n')}\n`;
  return { status: problems.length === 0 ? 200 : 503, contentType: 'text/plain; charset=utf-8', body };
}

async function metrics(sources: PageSources): Promise<{ status: number; contentType: string; body: string }> {
  const { journal, counter, historyIndex, followers, followerStates, tree } = sources;
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

  const head = journal.head();
  gauge('journal_head', 'Sequence of the last durable journal entry').set(Number(head));
  gauge('journal_ok', '1 while appends can succeed').set(journal.health().state === 'ok' ? 1 : 0);
  gauge('journal_damaged_ranges', 'Ranges of entries that cannot be read').set(journal.damage().length);

  gauge('history_dropped_runs', 'Parts of the history index that were damaged and are made again, since the start').set(
    historyIndex.dropped().length,
  );

  const books = gauge('follower_events', 'Events of a follower by what it did with them', ['follower', 'outcome'] as const);
  const lag = gauge('follower_lag_entries', 'Journal entries that a follower has not taken yet', ['follower'] as const);
  const unexplained = gauge('unexplained_events', 'Events taken by a follower that are neither delivered nor filtered', [
    'follower',
  ] as const);
  unexplained.set(
    { follower: counter.name },
    counter.counts().reduce((sum, count) => sum + Math.abs(unexplainedOf(count)), 0),
  );
  for (const follower of followers()) {
    const sum = (pick: (count: HourCount) => number) => follower.counts().reduce((total, count) => total + pick(count), 0);
    const delivered = sum((count) => count.delivered);
    const filtered = sum((count) => count.filtered);
    books.set({ follower: follower.name, outcome: 'delivered' }, delivered);
    books.set({ follower: follower.name, outcome: 'filtered' }, filtered);
    lag.set({ follower: follower.name }, Number(head - follower.cursor()));
    // Events between a follower's start and its cursor, as the counter saw them: comparable when both stand at one place.
    if (follower.start() === 0n && follower.cursor() === counter.cursor()) {
      unexplained.set({ follower: follower.name }, totals.accepted - delivered - filtered);
    }
  }
  lag.set({ follower: 'tree' }, Number(head - tree.cursor()));
  lag.set({ follower: counter.name }, Number(head - counter.cursor()));
  const running = gauge('follower_running', '1 while a follower goes on, 0 when it retries or has stopped', ['follower'] as const);
  for (const { name, state } of followerStates()) running.set({ follower: name }, state === 'running' ? 1 : 0);
  return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
}
