/**
 * Who submitted an event: read from the fact that follows its batch in the journal (docs/formats/submission.md).
 */
import { decodeSubmission, isSubmitted } from '../event/submission.ts';
import { type Journal, JournalDamaged, type JournalEntry } from '../store/journal.ts';

/** A batch has at most 500 events and its fact. */
const BATCH_ENTRIES = 501;
/** Entries that are read at once. */
const READ_ENTRIES = 64;

/** As the signature of the request proved it. */
export interface SubmitterView {
  readonly Arn: string;
  readonly AccessKeyId: string;
  /** The peer of the connection. */
  readonly SourceIpAddress: string;
  /** The request's id. */
  readonly RequestId: string;
  /** Of the fact that says so, which is a leaf of the evidence tree; decimal. */
  readonly Sequence: string;
}

/** @returns `undefined` for the server's own calls, when a crash cut the batch before its fact, and when the fact is damaged. */
export async function findSubmitter(journal: Pick<Journal, 'read'>, entry: JournalEntry): Promise<SubmitterView | undefined> {
  if (!isSubmitted(entry)) return undefined;
  const fact = await closingFact(journal, entry.sequence);
  if (fact?.factKind !== 'intake') return undefined;
  const submission = decodeSubmission(fact.bytes);
  if ('cut' in submission) return undefined;
  // What a crash left of another batch may lie before this one, closed or not.
  const accepted = submission.counts.reduce((sum, count) => sum + count.accepted, 0);
  if (entry.sequence < fact.sequence - BigInt(accepted)) return undefined;
  const { arn, accessKeyId, sourceIPAddress } = submission.by;
  return {
    Arn: arn,
    AccessKeyId: accessKeyId,
    SourceIpAddress: sourceIPAddress,
    RequestId: submission.submission,
    Sequence: String(fact.sequence),
  };
}

/** The first entry after a submitted event that is none. */
async function closingFact(journal: Pick<Journal, 'read'>, sequence: bigint): Promise<JournalEntry | undefined> {
  try {
    for (let after = sequence; after < sequence + BigInt(BATCH_ENTRIES); ) {
      const entries = await journal.read(after, READ_ENTRIES);
      const closing = entries.find((entry) => !isSubmitted(entry));
      if (closing !== undefined || entries.length === 0) return closing;
      after = entries.at(-1)!.sequence;
    }
    return undefined;
  } catch (error) {
    if (error instanceof JournalDamaged) return undefined;
    throw error;
  }
}
