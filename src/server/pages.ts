/**
 * The pages that need no signature: `/healthz`, `/readyz`, `/metrics`.
 *
 * `/healthz` says that the process answers; `/readyz` that events can be accepted and every follower goes on, or has
 * failed for at most a minute if it is one of the server's own; `/metrics` gives the books and lags in Prometheus' text form.
 * No page names an event or holds a secret.
 *
 * `/metrics` names accounts and trails, so it is only for whoever may know them: this machine, or who has the token. What a scrape
 * costs does not grow with the age of the installation: sums run along, and of accounts by hour only the newest are shown.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Gauge, Registry } from 'prom-client';
import type { Page, PageAnswer } from '../http/ports.ts';
import type { BooksRow } from '../intake/book.ts';
import { type EventCounter, unexplainedOf } from '../intake/count-events.ts';
import { type Books, type CountedFollower, lagOf } from '../intake/watch-books.ts';
import { startOfHour } from '../store/account-hour.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import type { Journal } from '../store/journal.ts';
import type { MessageLine } from '../store/message-line.ts';
import type { LogsFollower } from '../trail/logs/follow-logs.ts';
import type { FollowerState } from './run-follower.ts';

/** A follower of the server's own that fails for longer makes it unready; a trail whose bucket is away keeps no event out. */
const RETRYING_MS_MAX = 60_000;

/** Hours by which accounts are shown: the one that runs, and the last whole one. */
const HOURS = 2;
/** Most accounts' hours that are shown of what was received, and most of the followers' books; each has five series. */
const ROWS_MAX = 2_000;
/** Most rows that are named because something in them is unexplained. */
const WRONG_MAX = 100;

/** Who may read `/metrics`. */
export interface MetricsAccess {
  /** Whoever sends it as a bearer token. */
  readonly token?: string | undefined;
  /** Everybody, where no token is set: only this machine reaches the server. */
  readonly isOpen?: boolean;
}

export interface PageSources {
  readonly journal: Journal;
  readonly counter: EventCounter;
  readonly historyIndex: Pick<HistoryIndex, 'dropped'>;
  readonly books: Pick<Books, 'last'>;
  readonly followers: () => readonly CountedFollower[];
  readonly followerStates: () => readonly FollowerState[];
  /** Those that deliver log events. */
  readonly logsFollowers: () => readonly Pick<LogsFollower, 'name' | 'refused'>[];
  /** How messages to topics and their subscribers go. */
  readonly messageLines: () => Promise<readonly MessageLine[]>;
  readonly metricsAccess: MetricsAccess;
}

export function createPages(sources: PageSources): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ['/healthz', async () => ({ status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok\n' })],
    ['/readyz', async () => readiness(sources)],
    ['/metrics', async ({ authorization }) => (mayRead(sources.metricsAccess, authorization) ? metrics(sources) : METRICS_REFUSED)],
  ]);
}

const METRICS_REFUSED: PageAnswer = {
  status: 401,
  contentType: 'text/plain; charset=utf-8',
  body: 'metrics name accounts and trails: they need the token that the setting `metricsToken` holds, or a server that listens on loopback\n',
  headers: { 'www-authenticate': 'Bearer realm="snowtrail metrics"' },
};

function mayRead({ token, isOpen = false }: MetricsAccess, authorization: string | undefined): boolean {
  if (token === undefined) return isOpen;
  // Of one length, and compared in constant time.
  const [given, expected] = [authorization ?? '', `Bearer ${token}`].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(given!, expected!);
}

async function readiness({ journal, followerStates }: PageSources): Promise<PageAnswer> {
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

async function metrics(sources: PageSources): Promise<PageAnswer> {
  const { journal, counter, historyIndex, books, followers, followerStates } = sources;
  const registry = new Registry();
  const gauge: MakeGauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name: `snowtrail_${name}`, help, labelNames: [...labelNames], registers: [registry] });

  const received = gauge('events', 'Events by what became of them, since the installation was made', ['verdict'] as const);
  const { unexplained: unexplainedReceived, ...verdicts } = counter.totals();
  for (const [verdict, value] of Object.entries(verdicts)) received.set({ verdict }, value);
  gauge('unexplained_received_events', 'Events received that were neither accepted, repeated nor rejected, or the reverse').set(
    unexplainedReceived,
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
  for (const [follower, total] of state?.totals ?? []) {
    for (const outcome of ['accepted', 'delivered', 'filtered', 'pending'] as const) outcomes.set({ follower, outcome }, total[outcome]);
    unexplained.set({ follower }, total.unexplained);
  }
  const lag = gauge('follower_lag_entries', 'Journal entries that a follower has not taken yet', ['follower'] as const);
  for (const follower of followers()) lag.set({ follower: follower.name }, lagOf(head, follower));
  const refused = gauge('refused_log_events', 'Events that CloudWatch Logs was sent and did not keep, by why', [
    'follower',
    'reason',
  ] as const);
  for (const follower of sources.logsFollowers())
    for (const [reason, value] of Object.entries(follower.refused())) refused.set({ follower: follower.name, reason }, value);
  const messages = gauge('messages', 'Messages to topics and their subscribers by what became of them; `failed` are tries', [
    'line',
    'outcome',
  ] as const);
  for (const { name: line, waiting, sent, failed, givenUp } of await sources.messageLines())
    for (const [outcome, value] of Object.entries({ waiting, sent, failed, given_up: givenUp })) messages.set({ line, outcome }, value);
  const running = gauge('follower_running', '1 while a follower goes on, 0 when it retries or has stopped', ['follower'] as const);
  for (const { name, state } of followerStates()) running.set({ follower: name }, state === 'running' ? 1 : 0);
  setHours(sources, gauge);
  return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
}

type MakeGauge = <Label extends string>(name: string, help: string, labelNames?: readonly Label[]) => Gauge<Label>;

/** What was received by account in the newest hours, and what became of it in each follower. */
function setHours({ counter, books }: PageSources, gauge: MakeGauge): void {
  const received = gauge('hour_events', 'Events of an account by hour of receipt and by what became of them, of the newest hours', [
    'account',
    'hour',
    'verdict',
  ] as const);
  const counts = counter.newestCounts(HOURS);
  for (const count of counts.slice(0, ROWS_MAX)) {
    const labels = { account: count.account, hour: startOfHour(count.hour) };
    for (const verdict of ['received', 'accepted', 'repeated', 'rejected'] as const) received.set({ ...labels, verdict }, count[verdict]);
    received.set({ ...labels, verdict: 'unexplained' }, unexplainedOf(count));
  }

  const outcomes = gauge('hour_follower_events', 'Events of an account by hour of receipt, follower and outcome, of the newest hours', [
    'account',
    'hour',
    'follower',
    'outcome',
  ] as const);
  const state = books.last();
  const rows = state?.newestRows(HOURS) ?? [];
  for (const row of rows.slice(0, ROWS_MAX)) {
    const labels = labelsOf(row);
    for (const outcome of ['accepted', 'delivered', 'filtered', 'pending', 'unexplained'] as const)
      outcomes.set({ ...labels, outcome }, row[outcome]);
  }
  gauge('hour_rows_left_out', "Accounts' hours among the newest that are not shown, for they are too many").set(
    Math.max(0, counts.length - ROWS_MAX) + Math.max(0, rows.length - ROWS_MAX),
  );

  const wrong = gauge(
    'unexplained_hour_events',
    'Unexplained events of an account by hour and follower, whatever the hour; 100 of them at most',
    ['account', 'hour', 'follower'] as const,
  );
  for (const row of (state?.wrongRows(WRONG_MAX) ?? []).slice(0, WRONG_MAX)) wrong.set(labelsOf(row), row.unexplained);
}

function labelsOf({ account, hour, follower }: BooksRow) {
  return { account, hour: startOfHour(hour), follower };
}
