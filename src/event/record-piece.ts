/**
 * What cutting records out of a stream of bytes gives: pieces, each a record's bytes or what was found in its place.
 *
 * Types only, between the slicers (`slice-lines.ts`, `slice-document.ts`) and `slice-records.ts`, which picks one of them.
 */
import type { JsonShape } from './scan-json.ts';
import type { RefusalCode } from './types.ts';

/** Where a piece stands in its input. */
export interface PiecePlace {
  /** Lines are counted in lines of records, records in documents. */
  readonly unit: 'line' | 'record';
  /** From 1. */
  readonly number: number;
}

/** A record's exact bytes (not parsed yet), or what was found in the place of one. */
export type RecordPiece = PiecePlace &
  (
    | {
        readonly kind: 'record';
        readonly bytes: Uint8Array;
        /** What a scan of `bytes` gives, where slicing needed one anyway. */
        readonly shape?: JsonShape;
      }
    | { readonly kind: 'malformed'; readonly code: Extract<RefusalCode, 'InvalidJson' | 'RecordTooLarge'>; readonly reason: string }
  );

/** A slicer of one form: adds the pieces that a chunk completes. */
export interface PieceSlicer {
  push(chunk: Uint8Array, pieces: RecordPiece[]): void;
  end(pieces: RecordPiece[]): void;
}
