/**
 * The journal as a trail's followers see it: while a change of the trail is under way, it ends before the change.
 *
 * The change's place in the journal is known once its fact is there, and the follower learns of it from the catalog a moment later. What comes
 * into the journal in between must not be read meanwhile, or it would be delivered as before the change. Other trails go on: one of them may
 * have come to a change of its own that lies after the beginning of this one, and no follower sees the journal end before what it has delivered.
 */
import assert from 'node:assert/strict';
import type { Journal } from '../store/journal.ts';
import { withAppend } from '../store/with-append.ts';
import { followerName, type TrailId } from './trail.ts';

export class HeldJournal {
  readonly #whole: Journal;
  /** Where the journal ended when the change began that is under way, by trail; a trail's changes come one after the other. */
  readonly #ends = new Map<string, bigint>();

  constructor(journal: Journal) {
    this.#whole = journal;
  }

  /** As the followers of this trail see it. */
  of(trail: TrailId): Journal {
    const whole = this.#whole;
    const name = followerName(trail);
    return { ...withAppend(whole, (entries) => whole.append(entries)), head: () => this.#ends.get(name) ?? whole.head() };
  }

  /** @returns what lets the followers of these trails go on. */
  hold(trails: readonly TrailId[]): () => void {
    const names = trails.map(followerName);
    const end = this.#whole.head();
    for (const name of names) {
      assert(!this.#ends.has(name), `changes of \`${name}\` come one after the other`);
      this.#ends.set(name, end);
    }
    return () => {
      for (const name of names) this.#ends.delete(name);
    };
  }
}
