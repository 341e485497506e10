/**
 * Rows by account and hour of receipt. Those of one account, those of the newest hours and those that changed are found without a
 * look at all others: an installation of a hundred accounts has hundreds of thousands of rows after a season.
 */

/** What a row is about. */
export interface HourRow {
  readonly account: string;
  /** Whole hours since 1970. */
  readonly hour: number;
}

export class HourTable<Row extends HourRow> {
  /** By hour, then by account. */
  readonly #hours = new Map<number, Map<string, Row>>();
  /** The hours, newest first; absent when one came or went since they were sorted. */
  #sorted: readonly number[] | undefined;
  /** Rows that were set since `takeChanged` was called; absent before its first call, which gives all. */
  #changed: Set<Row> | undefined;

  constructor(rows: Iterable<Row> = []) {
    for (const row of rows) this.set(row);
  }

  get({ account, hour }: HourRow): Row | undefined {
    return this.#hours.get(hour)?.get(account);
  }

  /** Puts a row in the place of the one of its account and hour. */
  set(row: Row): void {
    let rows = this.#hours.get(row.hour);
    if (rows === undefined) {
      rows = new Map();
      this.#hours.set(row.hour, rows);
      this.#sorted = undefined;
    }
    const before = rows.get(row.account);
    rows.set(row.account, row);
    if (before !== undefined) this.#changed?.delete(before);
    this.#changed?.add(row);
  }

  delete({ account, hour }: HourRow): void {
    const rows = this.#hours.get(hour);
    const row = rows?.get(account);
    if (rows === undefined || row === undefined) return;
    rows.delete(account);
    if (rows.size === 0) {
      this.#hours.delete(hour);
      this.#sorted = undefined;
    }
    this.#changed?.delete(row);
  }

  /** All rows, by account and then by hour. */
  all(): readonly Row[] {
    const accounts = new Map<string, Row[]>();
    for (const hour of this.#newestFirst().toReversed()) {
      for (const [account, row] of this.#hours.get(hour)!) {
        const rows = accounts.get(account);
        if (rows === undefined) accounts.set(account, [row]);
        else rows.push(row);
      }
    }
    return [...accounts.keys()].sort().flatMap((account) => accounts.get(account)!);
  }

  /** The rows of one account, oldest hour first. */
  of(account: string): readonly Row[] {
    return this.#newestFirst()
      .toReversed()
      .flatMap((hour) => this.#hours.get(hour)!.get(account) ?? []);
  }

  /** The rows of the newest hours of which there are any, newest hour first. */
  newest(hours: number): readonly Row[] {
    return this.#newestFirst()
      .slice(0, hours)
      .flatMap((hour) => [...this.#hours.get(hour)!.values()]);
  }

  /** The rows that were set since the last call, and all of them at the first call: for one reader. */
  takeChanged(): readonly Row[] {
    const changed = this.#changed === undefined ? [...this.#hours.values()].flatMap((rows) => [...rows.values()]) : [...this.#changed];
    this.#changed = new Set();
    return changed;
  }

  #newestFirst(): readonly number[] {
    this.#sorted ??= [...this.#hours.keys()].sort((a, b) => b - a);
    return this.#sorted;
  }
}
