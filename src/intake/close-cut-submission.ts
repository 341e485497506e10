/**
 * Closes what a crash left of a batch: events at the end of the journal without the fact that says who submitted them.
 *
 * A batch and its fact are written at once, yet a power cut or a kill in the middle of the write may keep the first events
 * alone. Nobody was told that they are there, so their sender will send them again and have them back as repeated. They
 * stay, since a durable event is never taken away; the books name them as what they are. Only the last batch can be cut.
 *
 * Source: reliability.md F01–F10, F45; docs/formats/journal.md "Reading the end after a crash".
 */
import { encodeSubmission, isSubmitted } from '../event/submission.ts';
import type { AccountId, EpochMs, Region } from '../event/types.ts';
import { hourOf } from '../store/account-hour.ts';
import { type Journal, JournalDamaged, type JournalEntry, JournalFull, type NewFact } from '../store/journal.ts';
import { withAppend } from '../store/with-append.ts';
import { IntakeLedger } from './intake-ledger.ts';

/**
 * Makes the fact that closes a cut batch; `undefined` when the journal ends as it should. To be called before anything is
 * appended: later the end of the journal says nothing.
 *
 * @param at What the fact belongs to: the installation's first account, since the submitter is not known.
 */
export async function findCutSubmission(
  journal: Pick<Journal, 'head' | 'fetch'>,
  at: { readonly account: AccountId; readonly region: Region; readonly nowMs: EpochMs },
): Promise<NewFact | undefined> {
  const to = journal.head();
  const ledgers = new Map<number, IntakeLedger>();
  let from = to + 1n;
  for (let entry = await entryAt(journal, to); entry !== undefined && isSubmitted(entry); entry = await entryAt(journal, from - 1n)) {
    from = entry.sequence;
    const hour = hourOf(entry.receivedAtMs);
    const ledger = ledgers.get(hour) ?? new IntakeLedger(entry.receivedAtMs);
    ledgers.set(hour, ledger);
    ledger.receive(entry.account);
    ledger.settle(entry.account, 'accepted');
  }
  if (from > to) return undefined;
  const counts = [...ledgers.values()].flatMap((ledger) => ledger.counts());
  return {
    kind: 'fact',
    factKind: 'intake',
    factId: `intake/cut/${from}-${to}`,
    account: at.account,
    region: at.region,
    receivedAtMs: at.nowMs,
    bytes: encodeSubmission({ cut: { from: String(from), to: String(to) }, counts }),
  };
}

/** The entry; `undefined` when there is none, or none that can be read: then what lies before it is not part of the end. */
async function entryAt(journal: Pick<Journal, 'fetch'>, sequence: bigint): Promise<JournalEntry | undefined> {
  if (sequence < 1n) return undefined;
  try {
    return (await journal.fetch([sequence]))[0];
  } catch (error) {
    if (error instanceof JournalDamaged) return undefined;
    throw error;
  }
}

/** Closes the cut batch before anything else is appended. */
export interface CutClosing {
  /** The journal, in which nothing comes between a cut batch and its fact: an append closes it first, or is refused as it is. */
  readonly journal: Journal;
  /** @returns false when the journal is full just now: to be tried again. @throws JournalFailed */
  close(): Promise<boolean>;
}

/** @param cut As `findCutSubmission` found it. */
export function closeCutFirst(journal: Journal, cut: NewFact | undefined): CutClosing {
  let isClosed = cut === undefined;
  let closing: Promise<unknown> | undefined;
  const closeOrThrow = async (): Promise<void> => {
    if (isClosed) return;
    closing ??= journal.append([cut!]).finally(() => {
      closing = undefined;
    });
    await closing;
    isClosed = true;
  };
  return {
    journal: withAppend(journal, async (entries, close) => {
      if (!isClosed) await closeOrThrow();
      return journal.append(entries, close);
    }),
    async close() {
      try {
        await closeOrThrow();
        return true;
      } catch (error) {
        if (error instanceof JournalFull) return false;
        throw error;
      }
    },
  };
}
