/**
 * Operations that show the books (service `snowtrail`): `GetAccounting` and `GetHealth`.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { EpochMs } from '../event/types.ts';
import { startOfHour } from '../store/account-hour.ts';
import type { Clock } from '../store/clock.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import { joinDamage } from '../store/join-damage.ts';
import type { Journal, JournalDamage } from '../store/journal.ts';
import { type EventCounter, unexplainedOf } from './count-events.ts';
import { type Books, type BooksState, type CountedFollower, lagOf } from './watch-books.ts';

/** So long does who may not hurry a check wait for it. */
const WAIT_MS_MAX = 10_000;

export interface AccountingDeps {
  readonly journal: Journal;
  readonly counter: EventCounter;
  readonly historyIndex: Pick<HistoryIndex, 'dropped'>;
  readonly books: Pick<Books, 'check' | 'last'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly followers: () => readonly Pick<CountedFollower, 'name' | 'cursor'>[];
  readonly followerStates: () => readonly { readonly name: string; readonly state: string; readonly problem?: string }[];
  /** Entries that were acknowledged, and that the journal ends before (F46); `undefined` when there are none. */
  readonly missing: MissingEntries | undefined;
  /** Damaged entries that followers went on without. */
  readonly passedOver: () => readonly (JournalDamage & { readonly follower: string })[];
}

/** What is known of entries that are gone. */
interface MissingEntries {
  readonly from: bigint;
  readonly to: bigint;
  /** When the newest entry that is left was received. */
  readonly leftToMs: EpochMs | undefined;
  /** When some of them were known to be there. */
  readonly thereAtMs: EpochMs | undefined;
}

/** The operations of accounting. */
export function accountingOperations(deps: AccountingDeps): readonly Operation[] {
  return [getAccounting(deps), getHealth(deps)] as readonly Operation[];
}

/**
 * `GetAccounting`: what came in by account and hour, and each follower held against the journal, as of the call. Own account only;
 * administrators see all; other accounts' trails are not shown either. What was counted before is not read again, and all who ask meanwhile share one check. `Unreadable` are the
 * damaged entries of the whole journal, since nobody knows whose they are.
 */
function getAccounting(deps: AccountingDeps): Operation<object, object> {
  const { counter } = deps;
  return {
    name: 'GetAccounting',
    isReadOnly: true,
    decide: async (call) => {
      const state = await booksFor(call, deps);
      // A trail counts the events of all accounts as filtered: that another account has one, and how it does, is not told.
      const isOwn = ({ follower }: { follower: string }) =>
        call.principal.isAdministrator || !follower.startsWith('trail/') || follower.startsWith(`trail/${call.account}/`);
      const account = call.principal.isAdministrator ? undefined : call.account;
      const rows = state.rows(account).filter(isOwn);
      const received = counter.counts(account);
      return {
        output: {
          Received: received.map((count) => ({
            Account: count.account,
            Hour: startOfHour(count.hour),
            Received: count.received,
            Accepted: count.accepted,
            Open: count.open,
            Repeated: count.repeated,
            Rejected: count.rejected,
            Unexplained: unexplainedOf(count),
          })),
          CountedTo: String(counter.cursor()),
          Head: String(state.head),
          Followers: rows.map(({ account: owner, hour, follower, accepted, delivered, filtered, pending, unexplained }) => ({
            Account: owner,
            Hour: startOfHour(hour),
            Follower: follower,
            Accepted: accepted,
            Delivered: delivered,
            Filtered: filtered,
            Pending: pending,
            Unexplained: unexplained,
          })),
          Unexplained: [...received.map(unexplainedOf), ...rows.map(({ unexplained }) => unexplained)].reduce(
            (sum, each) => sum + Math.abs(each),
            0,
          ),
          Unreadable: state.unreadable,
        },
      };
    },
  };
}

/**
 * The books as of the call. Only an administrator may have a count of the whole journal go on without rests; others wait for a
 * while, and then get what the last check found.
 */
async function booksFor(call: Call, { books, clock }: AccountingDeps): Promise<BooksState> {
  if (call.principal.isAdministrator) return books.check({ isHurried: true });
  const waiting = new AbortController();
  const late = clock.sleep(WAIT_MS_MAX, waiting.signal).then(() => books.last());
  try {
    const state = await Promise.race([books.check({ isHurried: false }), late]);
    if (state !== undefined) return state;
  } finally {
    waiting.abort();
  }
  throw new ApiError('ThrottlingException', 'the whole journal is being counted, which takes a while; ask again later', { status: 503 });
}

/**
 * `GetHealth`: journal, damage, what followers went on without, parts of history that had to be made again, and
 * followers with the entries that they have not taken yet. Administrators only.
 */
function getHealth({ journal, historyIndex, followers, followerStates, passedOver, missing }: AccountingDeps): Operation<object, object> {
  return {
    name: 'GetHealth',
    isReadOnly: true,
    decide: async (call) => {
      requireAdministrator(call);
      const { state, reason } = journal.health();
      const head = journal.head();
      const lags = new Map(followers().map((follower) => [follower.name, lagOf(head, follower)]));
      return {
        output: {
          Journal: {
            State: state,
            ...(reason === undefined ? {} : { Reason: reason }),
            Head: String(head),
            ...(missing === undefined ? {} : { Missing: missingOutput(missing) }),
          },
          Damage: joinDamage(journal.damage()).map(damageOutput),
          PassedOver: passedOver().map(({ follower, ...range }) => ({ Follower: follower, ...damageOutput(range) })),
          HistoryDropped: historyIndex
            .dropped()
            .map(({ run, after, to, reason: why }) => ({ Run: run, From: String(after + 1n), To: String(to), Reason: why })),
          Followers: followerStates().map(({ name, state: doing, problem }) => ({
            Name: name,
            State: doing,
            Lag: lags.get(name),
            ...(problem === undefined ? {} : { Problem: problem }),
          })),
        },
      };
    },
  };
}

function missingOutput({ from, to, leftToMs, thereAtMs }: MissingEntries): object {
  return {
    From: String(from),
    To: String(to),
    ...(leftToMs === undefined ? {} : { LeftTo: formatEventTime(leftToMs) }),
    ...(thereAtMs === undefined ? {} : { ThereAt: formatEventTime(thereAtMs) }),
  };
}

function damageOutput({ from, to, file, reason }: JournalDamage): object {
  return { From: String(from), To: String(to), File: file, Reason: reason };
}

function requireAdministrator(call: Call): void {
  if (call.principal.isAdministrator) return;
  throw new ApiError('AccessDeniedException', 'only the first account sees the health of the installation', { status: 403 });
}
