/**
 * `GetEvent`: one event by its id or its sequence, with all that is known beside its bytes.
 *
 * Reads the journal, not the index: it finds events older than 90 days, and those whose id is another event's. An event of
 * an account that the caller may not see looks as if it were not there. The nonce is given to the owner only because
 * it lets guesses about the bytes be tested.
 */
import assert from 'node:assert/strict';
import { ApiError } from '../api/api-error.ts';
import type { EventView } from '../api/event-view.ts';
import type { Call, Operation } from '../api/operation.ts';
import { parseEvent } from '../event/parse-event.ts';
import type { AccountId, JsonObject } from '../event/types.ts';
import { JournalDamaged, type JournalEntry } from '../store/journal.ts';
import { maySee, requireVisible } from './event-filter.ts';
import { viewEvent } from './event-view.ts';
import { type ChangeView, findChanges } from './find-changes.ts';
import { findSubmitter, type SubmitterView } from './find-submitter.ts';
import type { HistoryDeps } from './history-deps.ts';
import { readSequence, readText } from './read-input.ts';
import { historyDamaged, joinRanges, type UnreadableRange } from './unreadable.ts';

export interface EventDetail extends EventView {
  /** The account holds the same id with other bytes; this one came later and is in no follower. */
  readonly IsConflicting: boolean;
  /** Members that were missing and got a documented default beside the bytes. */
  readonly DefaultedMembers: readonly string[];
  /** An object in the record repeats a member name. */
  readonly HasDuplicateKeys: boolean;
  /** Of the record's bytes, hexadecimal. */
  readonly Sha256: string;
  /** Who sent it in. Absent for the server's own calls, and where a crash or damage took the fact that says so. */
  readonly SubmittedBy?: SubmitterView;
  /** What the call changed of the configuration; absent: nothing, as far as facts of this account say. */
  readonly Changes?: readonly ChangeView[];
  /** Of the evidence leaf, which holds SHA-256(nonce ‖ bytes); base64. */
  readonly Nonce: string;
}

/** Input: `EventId`, with `AccountId` where several accounts may hold it; or `Sequence`. */
export function getEvent(deps: HistoryDeps): Operation<JsonObject, { readonly Event: EventDetail }> {
  return {
    name: 'GetEvent',
    isReadOnly: true,
    decide: async (call, input) => {
      const entry = await findEntry(deps, call, input);
      if (entry === undefined || entry.kind !== 'event' || !maySee(call, entry.account)) {
        const damaged = joinRanges([...deps.journal.damage(), ...deps.follower.passedOver()]);
        throw new ApiError(
          'EventNotFoundException',
          `no such event in an account that you may see${damaged.length === 0 ? '' : `; it may be among ${countOf(damaged)} entries that are damaged`}`,
          { status: 404 },
        );
      }
      const submitter = await findSubmitter(deps.journal, entry);
      const changes = await findChanges(deps.journal, entry);
      const more = { ...(submitter !== undefined && { SubmittedBy: submitter }), ...(changes.length > 0 && { Changes: changes }) };
      return { output: { Event: { ...detail(deps, entry), ...more } } };
    },
  };
}

async function findEntry(deps: HistoryDeps, call: Call, input: JsonObject): Promise<JournalEntry | undefined> {
  const eventId = readText(input, 'EventId');
  const sequence = readSequence(input, 'Sequence');
  if ((eventId === undefined) === (sequence === undefined)) {
    throw new ApiError('ValidationException', 'expected one of `EventId` and `Sequence`');
  }
  const found = eventId === undefined ? sequence : await findSequence(deps, accountsOf(deps, call, input), eventId);
  if (found === undefined || found < 1n || found > deps.journal.head()) return undefined;
  try {
    return (await deps.journal.fetch([found]))[0];
  } catch (error) {
    if (!(error instanceof JournalDamaged)) throw error;
    throw historyDamaged(
      [{ from: found, to: found }],
      'an administrator puts the segment back from a backup: see `snowtrail doctor`; what a trail delivered of it is in its log files',
    );
  }
}

function countOf(ranges: readonly UnreadableRange[]): bigint {
  return ranges.reduce((sum, { from, to }) => sum + (to - from + 1n), 0n);
}

/** The account that is named; else the caller's own, then for an administrator all others. */
function accountsOf(deps: HistoryDeps, call: Call, input: JsonObject): Iterable<AccountId> {
  const account = readText(input, 'AccountId');
  if (account !== undefined) {
    requireVisible(call, account);
    return [account];
  }
  return call.principal.isAdministrator ? new Set([call.account, ...deps.accounts()]) : [call.account];
}

async function findSequence(deps: HistoryDeps, accounts: Iterable<AccountId>, eventId: string): Promise<bigint | undefined> {
  for (const account of accounts) {
    const sequence = await deps.journal.find(account, eventId);
    if (sequence !== undefined) return sequence;
  }
  return undefined;
}

function detail(deps: HistoryDeps, entry: JournalEntry): EventDetail {
  // Read as intake did: whether a name is repeated is of interest here.
  const outcome = parseEvent(entry.bytes, { account: entry.account, region: entry.region, nowMs: entry.receivedAtMs }, deps);
  assert(outcome.kind === 'event', `journal entry ${entry.sequence} is an event that can be read`);
  const { event } = outcome;
  return {
    ...viewEvent({ entry, event }),
    IsConflicting: entry.isConflicting,
    DefaultedMembers: event.remarks.defaulted,
    HasDuplicateKeys: event.remarks.hasDuplicateKeys,
    Sha256: Buffer.from(deps.sha256(entry.bytes)).toString('hex'),
    Nonce: Buffer.from(entry.nonce).toString('base64'),
  };
}
