/**
 * The order in which changes of trails are carried out: those of one trail one after the other, those of different trails side by
 * side, and alone what depends on all trails or touches several (a new name, a Region's number of trails, the members of an organization).
 *
 * Side by side they share the syncs of the journal and of the catalog.
 */
import { KeyedLock } from '../store/keyed-lock.ts';
import { followerName, type TrailId } from './trail.ts';

export class ChangeTurns {
  readonly #byTrail = new KeyedLock();
  /** Changes of single trails that have not ended. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** The end of the last change that was to be alone. */
  #alone: Promise<unknown> = Promise.resolve();

  /** Runs `change` after what was asked for before: of this trail, and alone. */
  ofTrail<T>(trail: TrailId, change: () => Promise<T>): Promise<T> {
    const result = this.#alone.then(() => this.#byTrail.run(followerName(trail), change));
    const ended: Promise<unknown> = result.catch(() => undefined).then(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return result;
  }

  /** Runs `change` after everything that was asked for before, and before everything that is asked for later. */
  alone<T>(change: () => Promise<T>): Promise<T> {
    const result = Promise.all([this.#alone, ...this.#underWay]).then(change);
    this.#alone = result.catch(() => undefined);
    return result;
  }
}
