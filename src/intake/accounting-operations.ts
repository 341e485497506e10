/**
 * Operations that show the books (service `snowtrail`): `GetAccounting` and `GetHealth`.
 */
import { ApiError } from '../api/api-error.ts';
import type { Call, Operation } from '../api/operation.ts';
import { formatEventTime } from '../event/times.ts';
import type { EpochMs } from '../event/types.ts';
import type { HistoryIndex } from '../store/history-index.ts';
import { joinDamage } from '../store/join-damage.ts';
import type { Journal, JournalDamage } from '../store/journal.ts';
import type { MessageLine } from '../store/message-line.ts';
import { type GetAccountingDeps, getAccounting } from './get-accounting.ts';
import { type CountedFollower, lagOf } from './watch-books.ts';

export interface AccountingDeps extends GetAccountingDeps {
  readonly journal: Journal;
  readonly historyIndex: Pick<HistoryIndex, 'dropped'>;
  readonly followers: () => readonly Pick<CountedFollower, 'name' | 'cursor'>[];
  readonly followerStates: () => readonly { readonly name: string; readonly state: string; readonly problem?: string }[];
  /** How messages to topics and their subscribers go. */
  readonly messageLines: () => Promise<readonly MessageLine[]>;
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
 * `GetHealth`: journal, damage, what followers went on without, parts of history that had to be made again, followers with the entries
 * that they have not taken yet, and how messages to topics and their subscribers go. Administrators only.
 */
function getHealth({
  journal,
  historyIndex,
  followers,
  followerStates,
  messageLines,
  passedOver,
  missing,
}: AccountingDeps): Operation<object, object> {
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
          Messages: (await messageLines()).map(({ name, waiting, sent, failed, givenUp, problem }) => ({
            ...{ Name: name, Waiting: waiting, Sent: sent, Failed: failed, GivenUp: givenUp },
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
