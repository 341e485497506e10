/**
 * The newest rows of the index: one table of typed arrays, visible as soon as a row is added.
 *
 * Rows lie in the order they came. A term's rows are a chain through the postings, newest first; the head of each
 * chain is found by open addressing. Nothing is sorted and nothing is allocated for a row. The columns lie in shared
 * memory, so that a worker writes the run while this thread goes on answering queries from the table.
 *
 * A posting is (term, row) as one 64-bit number: 48 bits of hash above 16 bits of row. That is why a table has at most
 * 65,536 rows; sorting the postings as plain numbers is then all that building a run takes.
 */
import { endianness } from 'node:os';
import type { HistoryAttribute, HistoryRow, HistoryScope, HistoryTerm } from '../../history-index.ts';
import { scopeKey, type TermHasher, type TermPrefix } from './term-hash.ts';
import type { TopPositions } from './top-positions.ts';

/** Most rows of a table: a row number has 16 bits. */
export const TABLE_ROWS_MAX = 65_536;
/** Most postings: 16 for each row. A record of 1 MiB has fewer terms than that by far, so one row always fits. */
const POSTINGS_MAX = 1 << 20;
/** Slots of the open addressing, a power of two. */
const SLOTS = 1 << 20;
/** Most different terms, so that a free slot is found soon. */
const TERMS_MAX = 700_000;

if (endianness() !== 'LE') throw new Error('the history index sorts 64-bit numbers as pairs and needs a little-endian machine');

/** What a worker needs of a table to write it as a run. All of it is shared or small. */
export interface TableColumns {
  readonly scopes: readonly HistoryScope[];
  readonly rowCount: number;
  readonly postingCount: number;
  /** For each row the index of its scope in `scopes`. */
  readonly rowScopes: Uint16Array;
  readonly times: Float64Array;
  readonly sequences: Float64Array;
  /** For each posting two words: low (16 bits of the fingerprint, row), then high (bucket, 16 bits of the fingerprint). */
  readonly postings: Uint32Array;
}

interface TableScope {
  readonly index: number;
  readonly scope: HistoryScope;
  readonly prefixes: Map<HistoryAttribute, TermPrefix>;
  minTimeMs: number;
  maxTimeMs: number;
}

/** Rows of the journal range (`after`, `to`]. One writer; queries between its calls. */
export class NewestTable {
  /** Sequence before the first one that is covered. */
  after = 0;
  /** Last sequence that is covered. */
  to = 0;
  readonly #rowsMax: number;
  readonly #hasher: TermHasher;
  #rowCount = 0;
  #postingCount = 0;
  #termCount = 0;
  readonly #rowScopes = new Uint16Array(new SharedArrayBuffer(TABLE_ROWS_MAX * 2));
  readonly #times = new Float64Array(new SharedArrayBuffer(TABLE_ROWS_MAX * 8));
  readonly #sequences = new Float64Array(new SharedArrayBuffer(TABLE_ROWS_MAX * 8));
  readonly #postings = new Uint32Array(new SharedArrayBuffer(POSTINGS_MAX * 8));
  /** The posting before this one in its term's chain, −1 at the end. */
  readonly #next = new Int32Array(POSTINGS_MAX);
  /** 1 + the newest posting of a term; 0 is a free slot. */
  readonly #slots = new Int32Array(SLOTS);
  readonly #scopes = new Map<string, TableScope>();
  /** How many of a query's terms a row has. Used and cleared within one query. */
  readonly #marks = new Uint8Array(TABLE_ROWS_MAX);

  constructor(hasher: TermHasher, rowsMax: number) {
    this.#hasher = hasher;
    this.#rowsMax = rowsMax;
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Empties the table; it then covers nothing and goes on after `after`. */
  reset(after: number): void {
    if (this.#rowCount > 0) this.#slots.fill(0);
    this.#rowCount = 0;
    this.#postingCount = 0;
    this.#termCount = 0;
    this.#scopes.clear();
    this.after = after;
    this.to = after;
  }

  /** Whether one more row with so many terms fits. */
  hasRoom(terms: number): boolean {
    return (
      this.#rowCount < this.#rowsMax &&
      this.#postingCount + terms <= POSTINGS_MAX &&
      (this.#rowCount === 0 || this.#termCount + terms <= TERMS_MAX)
    );
  }

  /** Adds a row, for which there must be room. */
  add(row: HistoryRow): void {
    const scope = this.#scope(row.scope);
    const index = this.#rowCount;
    this.#rowScopes[index] = scope.index;
    this.#times[index] = row.timeMs;
    this.#sequences[index] = Number(row.sequence);
    if (row.timeMs < scope.minTimeMs) scope.minTimeMs = row.timeMs;
    if (row.timeMs > scope.maxTimeMs) scope.maxTimeMs = row.timeMs;
    for (const term of row.terms) this.#addPosting(scope, term, index);
    this.#rowCount = index + 1;
    this.to = this.#sequences[index]!;
  }

  #scope(scope: HistoryScope): TableScope {
    const key = scopeKey(scope);
    let known = this.#scopes.get(key);
    if (known === undefined) {
      known = {
        index: this.#scopes.size,
        scope,
        prefixes: new Map(),
        minTimeMs: Number.POSITIVE_INFINITY,
        maxTimeMs: Number.NEGATIVE_INFINITY,
      };
      this.#scopes.set(key, known);
    }
    return known;
  }

  #addPosting(scope: TableScope, term: HistoryTerm, row: number): void {
    let prefix = scope.prefixes.get(term.attribute);
    if (prefix === undefined) {
      prefix = this.#hasher.prefix(scope.scope, term.attribute);
      scope.prefixes.set(term.attribute, prefix);
    }
    this.#hasher.hash(prefix, term.value);
    const slot = this.#findSlot(this.#hasher.bucket, this.#hasher.fingerprint);
    const head = this.#slots[slot]! - 1;
    // A row that names a term twice has one posting.
    if (head >= 0 && (this.#postings[head * 2]! & 0xffff) === row) return;
    const posting = this.#postingCount;
    this.#postings[posting * 2] = (this.#hasher.fingerprint << 16) | row;
    this.#postings[posting * 2 + 1] = (this.#hasher.bucket << 16) | (this.#hasher.fingerprint >>> 16);
    this.#next[posting] = head;
    this.#slots[slot] = posting + 1;
    this.#postingCount = posting + 1;
    if (head < 0) this.#termCount += 1;
  }

  /** The slot that holds the term, or the free one where it belongs. */
  #findSlot(bucket: number, fingerprint: number): number {
    const low = (fingerprint & 0xffff) >>> 0;
    const high = ((bucket << 16) | (fingerprint >>> 16)) >>> 0;
    let slot = fingerprint & (SLOTS - 1);
    for (;;) {
      const posting = this.#slots[slot]! - 1;
      if (posting < 0) return slot;
      if (this.#postings[posting * 2 + 1] === high && this.#postings[posting * 2]! >>> 16 === low) return slot;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  /** Offers every row of the scopes that has all terms to `top`. */
  query(scopes: readonly HistoryScope[], terms: readonly HistoryTerm[], top: TopPositions): void {
    if (terms.length === 0) this.#scan(scopes, top);
    else for (const scope of scopes) this.#walk(scope, terms, top);
  }

  #scan(scopes: readonly HistoryScope[], top: TopPositions): void {
    const wanted = new Set<number>();
    for (const scope of scopes) {
      const known = this.#scopes.get(scopeKey(scope));
      if (known !== undefined && !top.excludes(known.minTimeMs, known.maxTimeMs)) wanted.add(known.index);
    }
    if (wanted.size === 0) return;
    const isWanted = new Uint8Array(this.#scopes.size);
    for (const index of wanted) isWanted[index] = 1;
    for (let row = this.#rowCount - 1; row >= 0; row -= 1) {
      if (isWanted[this.#rowScopes[row]!] === 1) top.offer(this.#times[row]!, this.#sequences[row]!);
    }
  }

  #walk(scope: HistoryScope, terms: readonly HistoryTerm[], top: TopPositions): void {
    const known = this.#scopes.get(scopeKey(scope));
    if (known === undefined || top.excludes(known.minTimeMs, known.maxTimeMs)) return;
    const heads: number[] = [];
    for (const term of terms) {
      this.#hasher.hash(this.#hasher.prefix(scope, term.attribute), term.value);
      const head = this.#slots[this.#findSlot(this.#hasher.bucket, this.#hasher.fingerprint)]! - 1;
      if (head < 0) return;
      // Two terms may be the same, or collide: they then share a chain.
      if (!heads.includes(head)) heads.push(head);
    }
    const last = heads.pop()!;
    for (const [index, head] of heads.entries()) {
      for (let posting = head; posting >= 0; posting = this.#next[posting]!) {
        const row = this.#postings[posting * 2]! & 0xffff;
        if (this.#marks[row] === index) this.#marks[row] = index + 1;
      }
    }
    for (let posting = last; posting >= 0; posting = this.#next[posting]!) {
      const row = this.#postings[posting * 2]! & 0xffff;
      if (this.#marks[row] === heads.length) top.offer(this.#times[row]!, this.#sequences[row]!);
    }
    if (heads.length > 0) this.#marks.fill(0, 0, this.#rowCount);
  }

  /** Scopes with a row that has not expired. */
  scopes(floorMs: number): HistoryScope[] {
    return [...this.#scopes.values()].filter((scope) => scope.maxTimeMs >= floorMs).map((scope) => scope.scope);
  }

  columns(): TableColumns {
    return {
      scopes: [...this.#scopes.values()].map((scope) => scope.scope),
      rowCount: this.#rowCount,
      postingCount: this.#postingCount,
      rowScopes: this.#rowScopes,
      times: this.#times,
      sequences: this.#sequences,
      postings: this.#postings,
    };
  }
}
