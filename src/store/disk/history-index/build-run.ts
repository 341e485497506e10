/**
 * Turns a full table into a run.
 *
 * Rows are sorted by (scope, time, sequence), so that a look-up without attribute is a range; then each posting's row
 * is replaced by its new place and the postings are sorted as plain 64-bit numbers, which brings every term's rows
 * together and into order.
 */
import type { TableColumns } from './newest-table.ts';
import { type RunScope, runName } from './run-directory.ts';
import { scopeKey } from './term-hash.ts';
import { type TermRows, writeRun } from './write-run.ts';

export interface BuildRun extends TableColumns {
  readonly kind: 'build';
  readonly folder: string;
  readonly after: number;
  readonly to: number;
  readonly keyCheck: string;
}

/** Writes the run of a table; durable on return. */
export function buildRun(build: BuildRun): void {
  const { rowCount } = build;
  const scopeOrder = build.scopes
    .map((_, index) => index)
    .sort((a, b) => compareText(scopeKey(build.scopes[a]!), scopeKey(build.scopes[b]!)));
  const rankOfScope = new Uint32Array(build.scopes.length);
  for (const [rank, scope] of scopeOrder.entries()) rankOfScope[scope] = rank;

  const order = new Uint32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) order[row] = row;
  const { rowScopes, times: tableTimes, sequences: tableSequences } = build;
  order.sort(
    (a, b) =>
      rankOfScope[rowScopes[a]!]! - rankOfScope[rowScopes[b]!]! ||
      tableTimes[a]! - tableTimes[b]! ||
      tableSequences[a]! - tableSequences[b]!,
  );

  const times = new Float64Array(rowCount);
  const sequences = new Float64Array(rowCount);
  const placeOf = new Uint16Array(rowCount);
  for (let place = 0; place < rowCount; place += 1) {
    const row = order[place]!;
    times[place] = tableTimes[row]!;
    sequences[place] = tableSequences[row]!;
    placeOf[row] = place;
  }

  const scopes: RunScope[] = [];
  for (let first = 0; first < rowCount; ) {
    const scope = rowScopes[order[first]!]!;
    let end = first + 1;
    while (end < rowCount && rowScopes[order[end]!] === scope) end += 1;
    scopes.push({
      scope: build.scopes[scope]!,
      firstRow: first,
      rowCount: end - first,
      minTimeMs: times[first]!,
      maxTimeMs: times[end - 1]!,
    });
    first = end;
  }

  const sorted = new BigUint64Array(build.postingCount);
  const words = new Uint32Array(sorted.buffer);
  for (let at = 0; at < words.length; at += 2) {
    const low = build.postings[at]!;
    words[at] = ((low & 0xffff0000) | placeOf[low & 0xffff]!) >>> 0;
    words[at + 1] = build.postings[at + 1]!;
  }
  sorted.sort();

  let at = 0;
  const nextTerm = (term: TermRows): boolean => {
    if (at >= words.length) return false;
    const high = words[at + 1]!;
    const low = words[at]! >>> 16;
    let end = at + 2;
    while (end < words.length && words[end + 1] === high && words[end]! >>> 16 === low) end += 2;
    term.bucket = high >>> 16;
    term.fingerprint = (((high & 0xffff) << 16) | low) >>> 0;
    term.count = (end - at) / 2;
    if (term.rows.length < term.count) term.rows = new Uint32Array(term.count * 2);
    for (let index = 0, from = end - 2; from >= at; index += 1, from -= 2) term.rows[index] = words[from]! & 0xffff;
    at = end;
    return true;
  };
  writeRun(
    {
      folder: build.folder,
      name: runName(build.after, build.to),
      after: build.after,
      to: build.to,
      keyCheck: build.keyCheck,
      scopes,
      rowCount,
      times,
      sequences,
    },
    nextTerm,
  );
}

/** Order by UTF-16 code unit: the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
