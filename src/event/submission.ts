/**
 * The fact that closes a submission: who sent what lies right before it in the journal, and what became of all of it.
 *
 * It is appended together with the events of its batch, as the last entry, so that the events are never durable for long
 * without it, nor it without them. A crash can cut a batch that nobody was told of; the next start then closes what is left of
 * it by a fact without `by`. Facts are leaves of the evidence tree: who submitted an event can't be changed later.
 *
 * Pure. Written by `intake/`, read by accounting and look-ups. Source: DESIGN §2 step 1; docs/formats/submission.md.
 */
import type { AccountId, EventSourceKind } from './types.ts';

/** What came in for one account in one hour of receipt. All are numbers of events. */
export interface SubmissionCounts {
  readonly account: AccountId;
  /** Whole hours since 1970. */
  readonly hour: number;
  /** Counted as they came in, before anything was decided. */
  readonly received: number;
  readonly accepted: number;
  readonly repeated: number;
  readonly rejected: number;
}

/** Who submitted, as the signature proved. */
export interface Submitter {
  readonly arn: string;
  readonly accessKeyId: string;
  /** The peer of the connection. */
  readonly sourceIPAddress: string;
}

export interface Submission {
  /** The request's id. A long request is several submissions with one id, a fact for each batch. */
  readonly submission: string;
  readonly source: Extract<EventSourceKind, 'record' | 'import'>;
  readonly by: Submitter;
  /** One for each account that a record was for. Refused records count for the account that submitted them. */
  readonly counts: readonly SubmissionCounts[];
}

/** What a crash left of a batch, closed at the next start. Its submitter is not known, and was not told that it is here. */
export interface CutSubmission {
  /** The first and last event of it, decimal. */
  readonly cut: { readonly from: string; readonly to: string };
  readonly counts: readonly SubmissionCounts[];
}

/** The bytes of the fact: one line of JSON. */
export function encodeSubmission(submission: Submission | CutSubmission): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(submission));
}

/** Reads the bytes of such a fact. Our own: the journal's checksum vouches for them. @throws SyntaxError when they are no JSON. */
export function decodeSubmission(bytes: Uint8Array): Submission | CutSubmission {
  return JSON.parse(new TextDecoder().decode(bytes)) as Submission | CutSubmission;
}

/** Whether an entry is an event that a submission brought, so that the submission's fact follows it. Own calls name their caller themselves. */
export function isSubmitted(entry: { readonly kind: 'event' | 'fact'; readonly source: EventSourceKind | 'fact' }): boolean {
  return entry.kind === 'event' && entry.source !== 'own-call';
}
