/**
 * The receipts of one trail that are not there, and what later receipts say of them.
 *
 * Receipts come in order, so all that a receipt speaks of is known when it comes. One that is not there is missing, unless
 * a later one says that it was given up, or that it lies at a place that is not looked at. What a receipt says counts as
 * far as the receipt does: its signature is checked with all others.
 */
import type { Receipt, ReceiptsElsewhere } from '../tlog/receipt.ts';

/** Numbers of receipts that are not there, both inclusive. */
export interface AbsentReceipts {
  readonly from: number;
  readonly to: number;
  /** `unexplained`: no later receipt speaks of them. */
  readonly why: 'unexplained' | 'withdrawn' | ReceiptsElsewhere;
}

export class AbsentReceiptList {
  #unexplained: { readonly from: number; readonly to: number }[] = [];
  readonly #explained: AbsentReceipts[] = [];

  add(from: number, to = from): void {
    const last = this.#unexplained.at(-1);
    if (last !== undefined && from === last.to + 1) this.#unexplained[this.#unexplained.length - 1] = { from: last.from, to };
    else this.#unexplained.push({ from, to });
  }

  /**
   * Takes what a receipt says of those before it.
   * @returns Whether one that is not there lies elsewhere.
   */
  explain({ elsewhere = [], withdrawn = [] }: Receipt): boolean {
    const words: AbsentReceipts[] = [
      ...withdrawn.map((range) => ({ ...range, why: 'withdrawn' as const })),
      ...elsewhere.map((range) => ({ from: range.from, to: range.to, why: range })),
    ];
    if (words.length === 0 || this.#unexplained.length === 0) return false;
    words.sort((one, other) => one.from - other.from);
    const explained = this.#explained.length;
    const gaps = this.#unexplained;
    this.#unexplained = [];
    for (const { from, to } of gaps) {
      let next = from;
      for (const word of words) {
        const [first, last] = [Math.max(next, word.from), Math.min(to, word.to)];
        if (first > last) continue;
        if (first > next) this.#unexplained.push({ from: next, to: first - 1 });
        this.#explained.push({ from: first, to: last, why: word.why });
        next = last + 1;
      }
      if (next <= to) this.#unexplained.push({ from: next, to });
    }
    return this.#explained.slice(explained).some(({ why }) => why !== 'withdrawn');
  }

  /** All of them. Complete when every receipt was taken. */
  all(): readonly AbsentReceipts[] {
    return [...this.#unexplained.map((range) => ({ ...range, why: 'unexplained' as const })), ...this.#explained];
  }
}
