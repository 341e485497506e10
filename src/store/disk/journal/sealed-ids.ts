/**
 * Says which sealed segments may hold an id, from memory: one filter over about a million ids, and below it one for each
 * segment. An id that is new asks a disk about once in thirty times at ten million ids.
 */
import { IdFilter } from './id-filter.ts';
import type { SealedSegment } from './sealed-segment.ts';

const GROUP_IDS = 1_048_576;

interface Group {
  readonly filter: IdFilter;
  readonly segments: SealedSegment[];
  count: number;
}

export class SealedIds {
  readonly #groups: Group[] = [];

  add(segment: SealedSegment): void {
    const highs = segment.takeHighs();
    let group = this.#groups.at(-1);
    if (group === undefined || (group.count > 0 && group.count + highs.length > GROUP_IDS)) {
      group = { filter: new IdFilter(GROUP_IDS), segments: [], count: 0 };
      this.#groups.push(group);
    }
    for (const high of highs) group.filter.add(high);
    group.count += highs.length;
    group.segments.push(segment);
  }

  /** Segments that may hold an id with this fingerprint, oldest first; `undefined` when there is none. */
  candidates(high: number): SealedSegment[] | undefined {
    let found: SealedSegment[] | undefined;
    for (const { filter, segments } of this.#groups) {
      if (!filter.mayHave(high)) continue;
      for (const segment of segments) {
        if (!segment.mayHave(high)) continue;
        found ??= [];
        found.push(segment);
      }
    }
    return found;
  }
}
