/**
 * What the clients know, outside of the machine that fails: what they sent, and every answer that they got.
 */
import type { AccountId } from '../../src/event/types.ts';
import { Violation } from './life.ts';
import type { SentRecord } from './records.ts';

/** An answer of the server that an event is in the journal. */
export interface Acknowledgement {
  readonly account: AccountId;
  readonly eventId: string;
  readonly sequence: bigint;
  /** The record as it was sent. */
  readonly text: string;
}

/** A call to an operation, by its request id. */
export interface SentCall {
  readonly requestId: string;
  readonly account: AccountId;
  readonly name: string;
  /** `unknown`: no answer came. */
  outcome: 'unknown' | 'succeeded' | 'refused';
  /** Its record was said to be missing. */
  isUnrecorded: boolean;
}

export class Ledger {
  /** Texts that were sent, by account. */
  readonly #sent = new Map<AccountId, Set<string>>();
  /** By account and text. */
  readonly #acknowledged = new Map<string, Acknowledgement>();
  readonly calls = new Map<string, SentCall>();
  /** Submissions that may make accounts, and for which accounts they held records, by request id. */
  readonly creating = new Map<string, { readonly caller: AccountId; readonly accounts: ReadonlySet<AccountId> }>();
  /** What to send again, now and then. */
  readonly records: { readonly caller: AccountId; readonly record: SentRecord; readonly source: 'record' | 'import' }[] = [];
  /** Records that may have been counted as repeated or rejected, and those whose verdict came. */
  readonly repeated = { sent: 0, acknowledged: 0 };
  readonly rejected = { sent: 0, acknowledged: 0 };

  send(account: AccountId, text: string): void {
    const texts = this.#sent.get(account) ?? new Set();
    this.#sent.set(account, texts.add(text));
  }

  wasSent(account: AccountId, text: string): boolean {
    return this.#sent.get(account)?.has(text) ?? false;
  }

  /** @throws Violation when an earlier answer said something else. */
  acknowledge(acknowledgement: Acknowledgement): void {
    const { account, text, sequence } = acknowledgement;
    const key = `${account}/${text}`;
    const before = this.#acknowledged.get(key);
    if (before !== undefined && before.sequence !== sequence)
      throw new Violation(`event ${acknowledgement.eventId} was acknowledged at ${before.sequence} and at ${sequence}`);
    this.#acknowledged.set(key, acknowledgement);
  }

  acknowledgements(): readonly Acknowledgement[] {
    return [...this.#acknowledged.values()];
  }
}
