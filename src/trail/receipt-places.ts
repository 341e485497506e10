/**
 * Where each receipt of a trail went: the one account of it, from which receipts tell it to their readers.
 *
 * A trail may be moved to another bucket or prefix and back. One that is moved away from a place which refuses it gives its
 * pending receipt up: that may have come there or not, and so may what it names. The next receipt says so (`withdrawn`).
 * Specified in ARCHITECTURE.md, "Evidence beside the digests".
 */
import type { BucketName } from '../event/types.ts';
import { RECEIPT_RANGES_MAX, type Receipt } from '../tlog/receipt.ts';
import type { ReceiptSpan, TrailTarget } from './trail-state.ts';

type Spans = readonly ReceiptSpan[];

export function isSameTarget(one: TrailTarget, other: TrailTarget): boolean {
  return one.bucket === other.bucket && one.prefix === other.prefix;
}

/** The place of a receipt. `undefined` when no such receipt was made. */
export function placeOfReceipt(spans: Spans, number: number): ReceiptSpan['place'] | undefined {
  return spans.find(({ from, to }) => from <= number && number <= to)?.place;
}

/** The newest receipt up to `number` that is to be found, and where. `undefined` when there is none, or nobody knows where. */
export function newestPlaced(spans: Spans, number: number): { readonly number: number; readonly target: TrailTarget } | undefined {
  const newest = spans.findLast(({ from, place }) => place !== 'withdrawn' && from <= number);
  if (newest === undefined || typeof newest.place === 'string') return undefined;
  return { number: Math.min(newest.to, number), target: newest.place };
}

/** Every place of a receipt up to `number`, oldest first, each once. */
export function placesUpTo(spans: Spans, number: number): readonly TrailTarget[] {
  const targets = spans.flatMap(({ from, place }) => (from > number || typeof place === 'string' ? [] : place));
  return targets.filter((target, index) => targets.findIndex((each) => isSameTarget(each, target)) === index);
}

/** The spans once the next receipt, `number`, has gone to `target`. */
export function placeReceipt(spans: Spans, number: number, target: TrailTarget): Spans {
  const last = spans.at(-1);
  if (last !== undefined && isAt(last, target)) return [...spans.slice(0, -1), { ...last, to: number }];
  const [first, second, ...rest] = spans;
  // A receipt can name no more than these; one for the span of the new receipt itself.
  const isFull = spans.length >= RECEIPT_RANGES_MAX && first !== undefined && second !== undefined;
  const kept: Spans = isFull ? [{ from: first.from, to: second.to, place: 'forgotten' }, ...rest] : spans;
  return [...kept, { from: number, to: number, place: target }];
}

/** The spans once the newest receipt, `number`, is given up. */
export function withdrawReceipt(spans: Spans, number: number): Spans {
  const before = spans.flatMap((span) => (span.from === number ? [] : span.to === number ? { ...span, to: number - 1 } : span));
  const last = before.at(-1);
  if (last?.place === 'withdrawn') return [...before.slice(0, -1), { ...last, to: number }];
  return [...before, { from: number, to: number, place: 'withdrawn' }];
}

/** What a receipt for `target` has to say of those since the last one that is there. */
export function tellPlaces(spans: Spans, target: TrailTarget): Pick<Receipt, 'elsewhere' | 'withdrawn'> {
  const since = spans.slice(spans.findLastIndex((span) => isAt(span, target)) + 1);
  const withdrawn = since.filter(({ place }) => place === 'withdrawn').map(({ from, to }) => ({ from, to }));
  const elsewhere = since.flatMap(({ from, to, place }) => {
    if (place === 'withdrawn') return [];
    const at: { bucket: BucketName | null; prefix: string | null } = place === 'forgotten' ? { bucket: null, prefix: null } : place;
    return { from, to, bucket: at.bucket, prefix: at.prefix };
  });
  return { ...(elsewhere.length > 0 && { elsewhere }), ...(withdrawn.length > 0 && { withdrawn }) };
}

function isAt({ place }: ReceiptSpan, target: TrailTarget): boolean {
  return typeof place !== 'string' && isSameTarget(place, target);
}
