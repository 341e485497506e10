/**
 * The receipts of one trail that are there and cannot be read, and what they may say.
 *
 * What such a receipt says is not known, so nothing that it may explain is a fault: a file that it may name, a receipt
 * before it that it may withdraw or place elsewhere. The verdict is incomplete for the receipt itself. How much it may
 * explain is kept as small as the receipts around it allow: what it cannot change is judged as ever.
 */
import type { Receipt } from '../tlog/receipt.ts';
import type { ScopeId } from './layout.ts';
import { isWithdrawn } from './receipt-chain.ts';

export interface UnreadReceipt {
  readonly number: number;
  readonly key: string;
  readonly scope: ScopeId;
  /** It was made between these two, both inclusive: `YYYY-MM-DDTHH:MM:SSZ`, `''` and `LATEST` where nothing is known. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** The receipt after it was read, and does not withdraw it. */
  readonly isKept: boolean;
}

/** Later than every time, as a text. */
const LATEST = '~';

export class UnreadReceipts {
  readonly #passed: UnreadReceipt[] = [];
  /** Those after the newest that was read. */
  readonly #open: UnreadReceipt[] = [];
  #newest = '';

  add(place: Pick<UnreadReceipt, 'number' | 'key' | 'scope'>): void {
    this.#open.push({ ...place, notBefore: this.#newest, notAfter: LATEST, isKept: false });
  }

  /** Takes the next receipt that can be read. */
  passed(next: Receipt): void {
    this.#newest = next.createdAt;
    for (const receipt of this.#open.splice(0)) {
      const isKept = receipt.number === next.number - 1 && !isWithdrawn(next, receipt.number);
      this.#passed.push({ ...receipt, notAfter: next.createdAt, isKept });
    }
  }

  /** In order. */
  all(): readonly UnreadReceipt[] {
    return [...this.#passed, ...this.#open];
  }

  /** The newest of them, when no receipt was read after it. */
  get newest(): UnreadReceipt | undefined {
    return this.#open.at(-1);
  }

  /** Whether one of them comes after the first number and before the second. */
  isBetween(after: number, before: number): boolean {
    return this.#some(({ number }) => after < number && number < before);
  }

  /** Whether one of them may have been made in this time. */
  mayBeOf({ start, end }: { readonly start: string; readonly end: string }): boolean {
    return this.#some(({ notBefore, notAfter }) => notBefore <= end && start <= notAfter);
  }

  #some(is: (receipt: UnreadReceipt) => boolean): boolean {
    return this.#passed.some(is) || this.#open.some(is);
  }
}
