import { describe, expect, test } from 'vitest';
import type { BucketName } from '../event/types.ts';
import { RECEIPT_RANGES_MAX } from '../tlog/receipt.ts';
import { newestPlaced, placeOfReceipt, placeReceipt, placesUpTo, tellPlaces, withdrawReceipt } from './receipt-places.ts';
import type { ReceiptSpan, TrailTarget } from './trail-state.ts';

const place = (bucket: string, prefix: string | null = null): TrailTarget => ({ bucket: bucket as BucketName, prefix });
const [A, B, C] = [place('bucket-a'), place('bucket-a', 'other'), place('bucket-c')];

/** The spans of receipts that went to these places, one after the other; a withdrawn one was given up before the next was made. */
function spansOf(...places: readonly (TrailTarget | 'withdrawn')[]): readonly ReceiptSpan[] {
  return places.reduce<readonly ReceiptSpan[]>(
    (spans, to, index) =>
      to === 'withdrawn' ? withdrawReceipt(placeReceipt(spans, index + 1, A), index + 1) : placeReceipt(spans, index + 1, to),
    [],
  );
}

describe('the places of receipts', () => {
  test('nothing is to be told while a trail stays at one place', () => {
    expect(tellPlaces(spansOf(), A)).toEqual({});
    expect(tellPlaces(spansOf(A, A, A), A)).toEqual({});
  });

  test('at a new place all before is told, and back at an old one what came since', () => {
    const spans = spansOf(A, A, B, B, C);
    expect(tellPlaces(spans, place('bucket-d')).elsewhere).toEqual([
      { from: 1, to: 2, bucket: 'bucket-a', prefix: null },
      { from: 3, to: 4, bucket: 'bucket-a', prefix: 'other' },
      { from: 5, to: 5, bucket: 'bucket-c', prefix: null },
    ]);
    expect(tellPlaces(spans, B)).toEqual({ elsewhere: [{ from: 5, to: 5, bucket: 'bucket-c', prefix: null }] });
  });

  test('receipts that were given up in a row are told as one range, wherever the trail goes', () => {
    const spans = spansOf(A, 'withdrawn', 'withdrawn');
    expect(tellPlaces(spans, A)).toEqual({ withdrawn: [{ from: 2, to: 3 }] });
    expect(tellPlaces(spans, C)).toEqual({
      elsewhere: [{ from: 1, to: 1, bucket: 'bucket-a', prefix: null }],
      withdrawn: [{ from: 2, to: 3 }],
    });
    expect(tellPlaces(placeReceipt(spans, 4, C), A)).toEqual({
      elsewhere: [{ from: 4, to: 4, bucket: 'bucket-c', prefix: null }],
      withdrawn: [{ from: 2, to: 3 }],
    });
  });

  test('the newest receipt that is to be found is not one that was given up', () => {
    expect(newestPlaced(spansOf(A, 'withdrawn'), 2)).toEqual({ number: 1, target: A });
    expect(newestPlaced(spansOf(A, A, C), 2)).toEqual({ number: 2, target: A });
    expect(newestPlaced(spansOf('withdrawn'), 1)).toBeUndefined();
    expect(placeOfReceipt(spansOf(A, 'withdrawn', C), 2)).toBe('withdrawn');
  });

  test('every place up to a receipt is named once, the oldest first; where nobody knows any more, and what was given up, is none', () => {
    const spans = spansOf(A, B, 'withdrawn', A, C);
    expect(placesUpTo(spans, 5)).toEqual([A, B, C]);
    expect(placesUpTo(spans, 4)).toEqual([A, B]);
    expect(placesUpTo(spans, 0)).toEqual([]);
    expect(
      placesUpTo(
        [
          { from: 1, to: 7, place: 'forgotten' },
          { from: 8, to: 8, place: C },
        ],
        8,
      ),
    ).toEqual([C]);
  });

  test('no more ranges are kept than a receipt can name; of the oldest only that they were is known', () => {
    const places = Array.from({ length: 3 * RECEIPT_RANGES_MAX }, (_, index) => place(`bucket-${index}`));
    const spans = spansOf(...places);
    expect(spans).toHaveLength(RECEIPT_RANGES_MAX);
    expect(spans[0]).toEqual({ from: 1, to: 2 * RECEIPT_RANGES_MAX + 1, place: 'forgotten' });
    const { elsewhere } = tellPlaces(spans, places[0]!);
    expect(elsewhere).toHaveLength(RECEIPT_RANGES_MAX);
    expect(elsewhere![0]).toEqual({ from: 1, to: 2 * RECEIPT_RANGES_MAX + 1, bucket: null, prefix: null });
  });
});
