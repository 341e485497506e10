/**
 * Turns submitted records into events of the journal, with a verdict for each.
 *
 * Used by the bulk endpoint for new events (`record`) and for log files that CloudTrail delivered before (`import`).
 * A record is read within limits, must belong to an account that the caller may record for, and is then appended. Every record
 * gets a verdict: accepted, repeated, or rejected with the reason. Each batch ends with one fact in the same append, which says
 * who submitted it, from where, what came in and what became of it: also when nothing of it was accepted. Only callers whose
 * signature was verified come here, so a stranger cannot make the journal grow.
 *
 * Source: DESIGN §2, §5 "One eventID, once per account"; reliability.md P2, F40–F42.
 */
import type { Call } from '../api/operation.ts';
import { parseEvent } from '../event/parse-event.ts';
import type { JsonShape } from '../event/scan-json.ts';
import { encodeSubmission, type Submission } from '../event/submission.ts';
import type { AccountId, Event, EventSourceKind, RefusalCode } from '../event/types.ts';
import type { Chance, Clock } from '../store/clock.ts';
import type { Journal, NewEvent, NewFact } from '../store/journal.ts';
import { IntakeLedger } from './intake-ledger.ts';
import type { UsedRegions } from './used-regions.ts';

/** What became of one submitted record. */
export type EventVerdict =
  | { readonly status: 'accepted'; readonly eventId: string; readonly sequence: bigint; readonly isConflicting: boolean }
  | { readonly status: 'repeated'; readonly eventId: string; readonly sequence: bigint }
  | { readonly status: 'rejected'; readonly code: RefusalCode; readonly reason: string };

/** A piece of a submission: a record's bytes, or what was found in the place of one. */
export type SubmittedPiece =
  | { readonly kind: 'record'; readonly bytes: Uint8Array; readonly shape?: JsonShape }
  | { readonly kind: 'malformed'; readonly code: RefusalCode; readonly reason: string };

export interface AcceptOptions {
  readonly source: Extract<EventSourceKind, 'record' | 'import'>;
  /** Makes accounts that do not exist yet. Administrators only. */
  readonly createAccounts: boolean;
}

/** The accounts, as far as intake needs them. */
export interface IntakeAccounts {
  exists(account: AccountId): boolean;
  /**
   * Makes the account with its first key, as a call of the submission's sender that is recorded first. Nothing is recorded when it
   * exists already.
   * @throws JournalFull, ApiError: it could not be recorded, or not be made after that.
   */
  create(call: Call, account: AccountId): Promise<void>;
}

export interface IntakeStores {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly accounts: IntakeAccounts;
  readonly regions: UsedRegions;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
}

/**
 * Accepts one batch.
 *
 * @param pieces 1 to 5,000 pieces, in the order of the submission.
 * @returns a verdict for each piece, in the same order, once all of it is durable.
 * @throws JournalFull, JournalFailed, ApiError: nothing of this batch was acknowledged; the caller repeats it whole, and what
 *   was kept already comes back as repeated. An account that was made for it stays, and so does the record of that.
 */
export async function acceptEvents(
  stores: IntakeStores,
  call: Call,
  pieces: readonly SubmittedPiece[],
  options: AcceptOptions,
): Promise<readonly EventVerdict[]> {
  const receivedAtMs = stores.clock.nowMs();
  const defaults = { account: call.account, region: call.region, nowMs: receivedAtMs };
  const ledger = new IntakeLedger(receivedAtMs);

  const verdicts: (EventVerdict | undefined)[] = [];
  const entries: NewEvent[] = [];
  const places: number[] = [];
  for (const piece of pieces) {
    const outcome =
      piece.kind === 'malformed' ? { ...piece, kind: 'refused' as const } : parseEvent(piece.bytes, defaults, stores, piece.shape);
    const refusal =
      outcome.kind === 'refused'
        ? outcome
        : isOwn(outcome.event, call)
          ? undefined
          : await refuseAccount(stores.accounts, call, outcome.event, options);
    const countsFor = refusal === undefined && outcome.kind === 'event' ? outcome.event.account : call.account;
    ledger.receive(countsFor);
    if (refusal) {
      verdicts.push({ status: 'rejected', code: refusal.code, reason: refusal.reason });
      ledger.settle(countsFor, 'rejected');
      continue;
    }
    if (outcome.kind !== 'event') continue;
    places.push(verdicts.length);
    verdicts.push(undefined);
    entries.push(newEvent(outcome.event, options.source, receivedAtMs));
  }

  await Promise.all(entries.flatMap(({ account, region }) => stores.regions.use(account, region, receivedAtMs) ?? []));
  const factId = `intake/${stores.chance.uuid()}`;
  const appended = await stores.journal.append(entries, (outcomes) => {
    for (const [index, { kind }] of outcomes.entries()) ledger.settle(entries[index]!.account, kind);
    return closingFact(call, { factId, receivedAtMs, source: options.source, counts: ledger.counts() });
  });
  appended.forEach((verdict, index) => {
    const entry = entries[index]!;
    verdicts[places[index]!] =
      verdict.kind === 'accepted'
        ? { status: 'accepted', eventId: entry.eventId, sequence: verdict.sequence, isConflicting: verdict.isConflicting }
        : { status: 'repeated', eventId: entry.eventId, sequence: verdict.sequence };
  });
  return verdicts as readonly EventVerdict[];
}

function newEvent(event: Event, source: EventSourceKind, receivedAtMs: number): NewEvent {
  return {
    kind: 'event',
    source,
    account: event.account,
    region: event.region,
    eventId: event.eventId,
    receivedAtMs,
    bytes: event.bytes,
    event,
  };
}

/** Says who submitted the batch, and what became of it. */
function closingFact(call: Call, batch: Pick<NewFact, 'factId' | 'receivedAtMs'> & Pick<Submission, 'source' | 'counts'>): NewFact {
  const { factId, receivedAtMs, source, counts } = batch;
  const { principal, account, region } = call;
  const bytes = encodeSubmission({
    submission: call.requestId,
    source,
    by: { arn: principal.arn, accessKeyId: principal.accessKeyId, sourceIPAddress: call.sourceIpAddress },
    counts,
  });
  return { kind: 'fact', factKind: 'intake', factId, account, region, receivedAtMs, bytes };
}

/** The common case, decided without waiting. */
function isOwn(event: Event, call: Call): boolean {
  return event.account === call.account;
}

/** The reason why the caller may not record for another account, that of the event; `undefined` when it may. */
async function refuseAccount(
  accounts: IntakeAccounts,
  call: Call,
  event: Event,
  options: AcceptOptions,
): Promise<{ code: RefusalCode; reason: string } | undefined> {
  // One answer for accounts that exist and for those that do not: a stranger learns nothing (A12).
  if (!call.principal.isAdministrator) {
    return {
      code: 'AccessDenied',
      reason: `account ${call.account} may not record events of account ${event.account}; use a key of that account`,
    };
  }
  if (accounts.exists(event.account)) return undefined;
  if (!options.createAccounts) {
    return {
      code: 'UnknownAccount',
      reason: `account ${event.account} does not exist; make it with \`snowtrail accounts create ${event.account}\` or pass --create-accounts`,
    };
  }
  await accounts.create(call, event.account);
  return undefined;
}
