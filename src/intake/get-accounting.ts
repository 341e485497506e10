/**
 * `GetAccounting`: what came in by account and hour, and each follower held against the journal, as of the call, page by page.
 *
 * Own account only; administrators see all; other accounts' trails are not shown either. What was counted before is not read again,
 * and all who ask meanwhile share one check. `Unreadable` are the damaged entries of the whole journal, since nobody knows whose
 * they are; it, `Unexplained`, `Head` and `CountedTo` are of everything that the caller may see, on each page.
 *
 * Input: `MaxResults` (1 to 5,000 rows, 1,000 by default) and `NextToken`, a place in the order of rows and no secret. Rows are of the moment of the
 * page that has them, so what comes in between two pages may be in the rows of one and not in those of the other; each row adds up.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import type { JsonObject } from '../event/types.ts';
import { startOfHour } from '../store/account-hour.ts';
import type { Clock } from '../store/clock.ts';
import type { BooksRow } from './book.ts';
import { type EventCounter, type ReceivedCounts, unexplainedOf } from './count-events.ts';
import type { Books, BooksState } from './watch-books.ts';

/** So long does who may not hurry a check wait for it. */
const WAIT_MS_MAX = 10_000;
const ROWS_MAX = 5_000;
const ROWS_DEFAULT = 1_000;

export interface GetAccountingDeps {
  readonly counter: Pick<EventCounter, 'counts' | 'cursor'>;
  readonly books: Pick<Books, 'check' | 'last'>;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** A place in the order of rows: what was received first, then the followers by name; each by account and hour. */
interface Place {
  /** Empty for what was received. */
  readonly follower: string;
  readonly account: string;
  readonly hour: number;
}

export function getAccounting(deps: GetAccountingDeps): Operation<JsonObject, object> {
  const { counter } = deps;
  return {
    name: 'GetAccounting',
    isReadOnly: true,
    decide: async (call, input) => {
      const limit = readLimit(input);
      const after = readPlace(input);
      const state = await booksFor(call, deps);
      // A trail counts the events of all accounts as filtered: that another account has one, and how it does, is not told.
      const isOwn = ({ follower }: { follower: string }) =>
        call.principal.isAdministrator || !follower.startsWith('trail/') || follower.startsWith(`trail/${call.account}/`);
      const account = call.principal.isAdministrator ? undefined : call.account;
      const received = counter.counts(account);
      const books = state.rows(account).filter(isOwn);
      const rows = [
        ...received.map((count) => ({ follower: '', account: count.account, hour: count.hour, count, book: undefined })),
        ...books.map((book) => ({ follower: book.follower, account: book.account, hour: book.hour, count: undefined, book })),
      ].sort(byPlace);
      const first = after === undefined ? 0 : rows.findIndex((row) => byPlace(row, after) > 0);
      const page = first < 0 ? [] : rows.slice(first, first + limit);
      const last = page.at(-1);
      return {
        output: {
          Received: page.flatMap(({ count }) => (count === undefined ? [] : [receivedOutput(count)])),
          CountedTo: String(counter.cursor()),
          Head: String(state.head),
          Followers: page.flatMap(({ book }) => (book === undefined ? [] : [bookOutput(book)])),
          Unexplained:
            received.reduce((sum, count) => sum + Math.abs(unexplainedOf(count)), 0) +
            books.reduce((sum, { unexplained }) => sum + Math.abs(unexplained), 0),
          Unreadable: state.unreadable,
          ...(last !== undefined && last !== rows.at(-1) && { NextToken: tokenOf(last) }),
        },
      };
    },
  };
}

/**
 * The books as of the call. Only an administrator may have a count of the whole journal go on without rests; others wait for a
 * while, and then get what the last check found.
 */
async function booksFor(call: Call, { books, clock }: GetAccountingDeps): Promise<BooksState> {
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

function byPlace(one: Place, other: Place): number {
  if (one.follower !== other.follower) return one.follower < other.follower ? -1 : 1;
  if (one.account !== other.account) return one.account < other.account ? -1 : 1;
  return one.hour - other.hour;
}

function receivedOutput(count: ReceivedCounts): object {
  return {
    Account: count.account,
    Hour: startOfHour(count.hour),
    Received: count.received,
    Accepted: count.accepted,
    Open: count.open,
    Repeated: count.repeated,
    Rejected: count.rejected,
    Unexplained: unexplainedOf(count),
  };
}

function bookOutput({ account, hour, follower, accepted, delivered, filtered, pending, unexplained }: BooksRow): object {
  return {
    Account: account,
    Hour: startOfHour(hour),
    Follower: follower,
    Accepted: accepted,
    Delivered: delivered,
    Filtered: filtered,
    Pending: pending,
    Unexplained: unexplained,
  };
}

/** @throws ApiError `ValidationException` */
function readLimit({ MaxResults }: JsonObject): number {
  if (MaxResults === undefined) return ROWS_DEFAULT;
  if (typeof MaxResults === 'number' && Number.isInteger(MaxResults) && MaxResults >= 1 && MaxResults <= ROWS_MAX) return MaxResults;
  throw new ApiError('ValidationException', `\`MaxResults\` is not valid: expected a whole number from 1 to ${ROWS_MAX}`);
}

function tokenOf({ follower, account, hour }: Place): string {
  return `${hour}:${account}:${follower}`;
}

/** @throws ApiError `InvalidNextTokenException` */
function readPlace({ NextToken }: JsonObject): Place | undefined {
  if (NextToken === undefined) return undefined;
  const parts = typeof NextToken === 'string' ? /^([0-9]{1,9}):([0-9]{12}):(.{0,512})$/.exec(NextToken) : null;
  if (parts !== null) return { hour: Number(parts[1]), account: parts[2]!, follower: parts[3]! };
  throw new ApiError('InvalidNextTokenException', '`NextToken` is not one that was given here; begin again without it');
}
