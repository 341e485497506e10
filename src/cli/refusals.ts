/**
 * Records that were not taken: all of them counted by why, the first of them named.
 */

/** A record that was not taken. */
export interface Rejection {
  /** Line or record number in its file, from 1. */
  readonly number: number;
  readonly code: string;
  readonly reason: string;
}

export class Refusals<Named extends Rejection = Rejection> {
  readonly #namedMax: number;
  readonly #reasons: Record<string, number> = {};
  readonly #named: Named[] = [];
  #count = 0;

  constructor(namedMax: number) {
    this.#namedMax = namedMax;
  }

  get count(): number {
    return this.#count;
  }

  /** How many by code. */
  get reasons(): Readonly<Record<string, number>> {
    return this.#reasons;
  }

  /** The first ones. */
  get named(): readonly Named[] {
    return this.#named;
  }

  add(rejection: Named): void {
    this.addCounts({ [rejection.code]: 1 });
    this.name([rejection]);
  }

  /** Adds what was counted elsewhere, by code. */
  addCounts(reasons: Readonly<Record<string, number>>): void {
    for (const [code, count] of Object.entries(reasons)) {
      this.#reasons[code] = (this.#reasons[code] ?? 0) + count;
      this.#count += count;
    }
  }

  /** Names some of those that are counted, as far as there is room. */
  name(rejections: readonly Named[]): void {
    this.#named.push(...rejections.slice(0, this.#namedMax - this.#named.length));
  }
}
