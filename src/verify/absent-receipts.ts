/**
 * The receipts of one trail that are not there, and what later receipts say of them.
 *
 * Receipts come in order, so all that a receipt speaks of is known when it comes. One that is not there is missing, unless
 * a later one says that it was given up, or that it lies at a place that is not looked at. What a receipt says counts as
 * far as the receipt does: its signature is checked with all others.
 */
import type { Receipt, ReceiptsElsewhere } from '../tlog/receipt.ts';

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Numbers of receipts that are not there, both inclusive. */
export interface AbsentReceipts extends Range {
  /** `unexplained`: no later receipt speaks of them. */
  readonly why: 'unexplained' | 'withdrawn' | ReceiptsElsewhere | UnreadWord;
}

/** A later receipt that may speak of them cannot be read. */
export interface UnreadWord {
  /** Of that receipt. */
  readonly unreadKey: string;
}

export class AbsentReceiptList {
  #unexplained: readonly Range[] = [];
  readonly #explained: AbsentReceipts[] = [];
  /** What receipts that cannot be read may say. */
  readonly #unread: AbsentReceipts[] = [];
  /** Those of which the receipt right after them is silent: it tells of all since the last one at its place, so they were at that place. */
  readonly #due: AbsentReceipts[] = [];

  add(from: number, to = from): void {
    const last = this.#unexplained.at(-1);
    if (last !== undefined && from === last.to + 1) this.#unexplained = [...this.#unexplained.slice(0, -1), { from: last.from, to }];
    else this.#unexplained = [...this.#unexplained, { from, to }];
  }

  /**
   * Takes what a receipt says of those before it.
   * @returns Whether one that is not there lies elsewhere.
   */
  explain({ number, bucket, prefix, elsewhere = [], withdrawn = [] }: Receipt): boolean {
    if (this.#unexplained.length === 0) return false;
    const words: AbsentReceipts[] = [
      ...withdrawn.map((range) => ({ ...range, why: 'withdrawn' as const })),
      ...elsewhere.map((range) => ({ from: range.from, to: range.to, why: range })),
    ];
    const { met, rest } = meet(this.#unexplained, words);
    this.#unexplained = rest;
    const before = { from: number - 1, to: number - 1 };
    this.#due.push(...meet(rest, [{ ...before, why: { ...before, bucket, prefix } }]).met);
    this.#explained.push(...met);
    return met.some(({ why }) => why !== 'withdrawn');
  }

  /** Takes a receipt that cannot be read, which may speak of these: a later one that does outweighs it. */
  mayExplain(range: Range, unreadKey: string): void {
    if (range.from <= range.to) this.#unread.push({ ...range, why: { unreadKey } });
  }

  /** All of them. Complete when every receipt was taken. */
  all(): readonly AbsentReceipts[] {
    const due = meet(this.#unexplained, this.#due);
    const { met, rest } = meet(due.rest, this.#unread);
    return [...rest.map((range) => ({ ...range, why: 'unexplained' as const })), ...due.met, ...met, ...this.#explained];
  }
}

/** The parts of gaps that words speak of, and the rest. */
function meet(gaps: readonly Range[], words: readonly AbsentReceipts[]): { readonly met: AbsentReceipts[]; readonly rest: Range[] } {
  const inOrder = words.toSorted((one, other) => one.from - other.from);
  const met: AbsentReceipts[] = [];
  const rest: Range[] = [];
  for (const { from, to } of gaps) {
    let next = from;
    for (const word of inOrder) {
      const [first, last] = [Math.max(next, word.from), Math.min(to, word.to)];
      if (first > last) continue;
      if (first > next) rest.push({ from: next, to: first - 1 });
      met.push({ from: first, to: last, why: word.why });
      next = last + 1;
    }
    if (next <= to) rest.push({ from: next, to });
  }
  return { met, rest };
}
