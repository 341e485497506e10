/**
 * Reads the journal for who goes on behind damage, and says what is missing.
 */
import { type Journal, JournalDamaged, type JournalEntry } from './journal.ts';

/** The next entries, at most `limit` and in order; or that the first of them is damaged. */
export async function readPast(
  journal: Pick<Journal, 'read'>,
  after: bigint,
  limit: number,
): Promise<readonly JournalEntry[] | JournalDamaged> {
  try {
    return await journal.read(after, limit);
  } catch (error) {
    if (error instanceof JournalDamaged) return error;
    throw error;
  }
}
