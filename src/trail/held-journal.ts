/**
 * The journal as the trails' followers see it: while a change of a trail is under way, it ends before the change.
 *
 * The change's place in the journal is known once its fact is there, and the follower learns of it from the catalog a moment later. What comes
 * into the journal in between must not be read meanwhile, or it would be delivered as before the change.
 */
import type { Journal } from '../store/journal.ts';
import { withAppend } from '../store/with-append.ts';

export class HeldJournal {
  readonly journal: Journal;
  readonly #whole: Journal;
  /** The ends of the journal when the changes began that are under way. */
  readonly #ends = new Set<{ readonly end: bigint }>();

  constructor(journal: Journal) {
    this.#whole = journal;
    const head = () => {
      // The change that began first, of those under way, has the least end.
      const [first] = this.#ends;
      return first?.end ?? journal.head();
    };
    this.journal = { ...withAppend(journal, (entries) => journal.append(entries)), head };
  }

  /** @returns what lets followers go on. */
  hold(): () => void {
    const held = { end: this.#whole.head() };
    this.#ends.add(held);
    return () => void this.#ends.delete(held);
  }
}
