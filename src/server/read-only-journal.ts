/**
 * A journal that is read and takes nothing: what an installation goes on with whose data contradict each other (F46).
 */
import { type Journal, JournalReadOnly } from '../store/journal.ts';
import { withAppend } from '../store/with-append.ts';

/** @param reason What contradicts, and what to do; told to everybody who appends, and by the readiness probe. */
export function readOnlyJournal(journal: Journal, reason: string): Journal {
  const readOnly = withAppend(journal, () => Promise.reject(new JournalReadOnly(reason)));
  return { ...readOnly, health: () => ({ state: 'read-only', reason }) };
}
