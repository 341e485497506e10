/**
 * The look-up index of event history in memory: every query looks at every row.
 *
 * The reference that the index on disk is compared with, and the index of simulations.
 */
import type { EpochMs } from '../../event/types.ts';
import type { DroppedRun, HistoryIndex, HistoryPosition, HistoryQuery, HistoryRow, HistoryScope, HistoryTerm } from '../history-index.ts';

export function createMemoryHistoryIndex(): HistoryIndex {
  return new MemoryHistoryIndex();
}

interface Row {
  readonly scope: string;
  readonly timeMs: EpochMs;
  readonly sequence: bigint;
  readonly terms: ReadonlySet<string>;
}

class MemoryHistoryIndex implements HistoryIndex {
  /** In the order of their sequences. */
  #rows: Row[] = [];
  /** By text; also of scopes whose rows have expired. */
  readonly #scopes = new Map<string, HistoryScope>();
  #coveredTo = 0n;
  #floorMs = Number.NEGATIVE_INFINITY;

  async add(rows: readonly HistoryRow[], coveredTo: bigint): Promise<void> {
    for (const row of rows) {
      if (row.sequence <= this.#coveredTo || row.sequence > coveredTo) continue;
      this.#scopes.set(scopeText(row.scope), row.scope);
      this.#rows.push({
        scope: scopeText(row.scope),
        timeMs: row.timeMs,
        sequence: row.sequence,
        terms: new Set(row.terms.map(termText)),
      });
    }
    if (coveredTo > this.#coveredTo) this.#coveredTo = coveredTo;
  }

  async query(query: HistoryQuery): Promise<readonly HistoryPosition[]> {
    const scopes = new Set(query.scopes.map(scopeText));
    const terms = query.terms.map(termText);
    const direction = query.order === 'oldest' ? 1 : -1;
    const isLater = (a: HistoryPosition, b: HistoryPosition): boolean => compare(a, b) * direction > 0;
    return this.#rows
      .filter((row) => row.timeMs >= this.#floorMs && row.timeMs >= query.fromMs && row.timeMs <= query.toMs)
      .filter((row) => row.sequence <= query.sequenceMax && (query.after === undefined || isLater(row, query.after)))
      .filter((row) => scopes.has(row.scope) && terms.every((term) => row.terms.has(term)))
      .sort((a, b) => compare(a, b) * direction)
      .slice(0, query.limit)
      .map(({ timeMs, sequence }) => ({ timeMs, sequence }));
  }

  coveredTo(): bigint {
    return this.#coveredTo;
  }

  async forget(after: bigint, to: bigint): Promise<void> {
    if (to <= after || after >= this.#coveredTo) return;
    this.#rows = this.#rows.filter((row) => row.sequence <= after);
    this.#coveredTo = after;
  }

  keepFiles(): void {}

  dropped(): readonly DroppedRun[] {
    return [];
  }

  scopes(): readonly HistoryScope[] {
    const held = new Set(this.#rows.filter((row) => row.timeMs >= this.#floorMs).map((row) => row.scope));
    return [...this.#scopes].filter(([text]) => held.has(text)).map(([, scope]) => scope);
  }

  async expire(beforeMs: EpochMs): Promise<void> {
    this.#floorMs = Math.max(this.#floorMs, beforeMs);
    this.#rows = this.#rows.filter((row) => row.timeMs >= this.#floorMs);
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {}
}

function compare(a: HistoryPosition, b: HistoryPosition): number {
  return a.timeMs - b.timeMs || Number(a.sequence - b.sequence);
}

function scopeText(scope: HistoryScope): string {
  return `${scope.account}/${scope.region}/${scope.category}`;
}

function termText(term: HistoryTerm): string {
  return `${term.attribute}=${term.value}`;
}
