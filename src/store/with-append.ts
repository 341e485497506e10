/**
 * The same journal with another way to append.
 */
import type { Journal } from './journal.ts';

export function withAppend(journal: Journal, append: Journal['append']): Journal {
  return {
    append,
    read: (after, limit) => journal.read(after, limit),
    fetch: (sequences) => journal.fetch(sequences),
    head: () => journal.head(),
    find: (account, id) => journal.find(account, id),
    waitBeyond: (after, signal) => journal.waitBeyond(after, signal),
    damage: () => journal.damage(),
    scrub: (signal, rest) => journal.scrub(signal, rest),
    health: () => journal.health(),
    close: () => journal.close(),
  };
}
