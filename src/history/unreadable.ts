/**
 * What a look-up says of journal entries that are damaged: it answers with the rest, and names them (P8).
 *
 * Nobody can say any more what a damaged entry was. So every one of them that history went past belongs to every
 * look-up whose time begins before the entry was received at the latest: an event may be dated any time before its receipt,
 * and fifteen minutes after. Those that are in the index are named where they would have been shown.
 */
import { ApiError } from '../api/api-error.ts';
import { EVENT_TIME_AHEAD_MAX_MS } from '../event/limits.ts';
import type { EpochMs } from '../event/types.ts';
import type { PassedOver } from '../store/passed-over.ts';

/** Entries that cannot be read, both inclusive. */
export interface UnreadableRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** As operations of Snowtrail answer it: decimal digits, both inclusive. */
export interface UnreadableView {
  readonly From: string;
  readonly To: string;
}

/** The ranges that history went past and that may hold an event of a look-up. */
export function mayMiss(
  passedOver: readonly PassedOver[],
  search: { readonly fromMs: EpochMs; readonly sequenceMax: bigint },
): readonly UnreadableRange[] {
  return passedOver.filter(
    ({ from, receivedToMs }) => from <= search.sequenceMax && search.fromMs <= receivedToMs + EVENT_TIME_AHEAD_MAX_MS,
  );
}

/** The same entries as few ranges, in order. */
export function joinRanges(ranges: readonly UnreadableRange[]): readonly UnreadableRange[] {
  const joined: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => Number(a.from - b.from))) {
    const last = joined.at(-1);
    if (last === undefined || from > last.to + 1n) joined.push({ from, to });
    else if (to > last.to) last.to = to;
  }
  return joined;
}

/** The member `Unreadable` of an answer; absent when all can be read. */
export function viewUnreadable(ranges: readonly UnreadableRange[]): { readonly Unreadable?: readonly UnreadableView[] } {
  return ranges.length === 0 ? {} : { Unreadable: ranges.map(({ from, to }) => ({ From: `${from}`, To: `${to}` })) };
}

/** The refusal of a request whose answer has no place to say that something is missing. Repeating it changes nothing. */
export function historyDamaged(ranges: readonly UnreadableRange[], advice: string): ApiError {
  return new ApiError(
    'EventHistoryDamagedException',
    `journal entries ${ranges.map(nameRange).join(', ')} are damaged and cannot be read; ${advice}`,
    { status: 409 },
  );
}

function nameRange({ from, to }: UnreadableRange): string {
  return from === to ? `${from}` : `${from} to ${to}`;
}
