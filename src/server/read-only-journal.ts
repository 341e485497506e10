/**
 * A journal that is read and takes nothing: what an installation goes on with whose data contradict each other (F46).
 */
import { type Journal, JournalReadOnly } from '../store/journal.ts';

/** @param reason What contradicts, and what to do; told to everybody who appends, and by the readiness probe. */
export function readOnlyJournal(journal: Journal, reason: string): Journal {
  return {
    append: () => Promise.reject(new JournalReadOnly(reason)),
    read: (after, limit) => journal.read(after, limit),
    fetch: (sequences) => journal.fetch(sequences),
    head: () => journal.head(),
    find: (account, id) => journal.find(account, id),
    waitBeyond: (after, signal) => journal.waitBeyond(after, signal),
    damage: () => journal.damage(),
    scrub: (signal, rest) => journal.scrub(signal, rest),
    health: () => ({ state: 'read-only', reason }),
    close: () => journal.close(),
  };
}
