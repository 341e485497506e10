/**
 * Cuts records out of a stream of bytes, without parsing and without copying more than pieces that span chunks.
 *
 * Two forms, told apart by their beginning: `{"Records":[…]}` with any white space and other members around, as
 * CloudTrail delivers log files; and lines of one record each. A record alone, spread over several lines, is read too.
 * Each slice is the exact bytes of one record. A piece that is none is reported in its place, with its number, and
 * never disappears; in lines it costs only itself.
 *
 * Untrusted input: memory is bounded by one chunk and one record of `RECORD_BYTES_MAX`.
 */
import { RECORD_BYTES_MAX } from './limits.ts';
import type { PieceSlicer, RecordPiece } from './record-piece.ts';
import { DocumentSlicer } from './slice-document.ts';
import { LineSlicer } from './slice-lines.ts';
import { ObjectWatcher } from './watch-object.ts';
import { isWhiteSpace } from './white-space.ts';

export type { RecordPiece } from './record-piece.ts';

/** Slices one input. `push` its chunks in order, then `end` once. */
export class RecordSlicer {
  /** Set as soon as the form is known. */
  #slicer: PieceSlicer | undefined;
  /** Bytes that came before the form was known, without a byte order mark. */
  #held: Uint8Array[] = [];
  readonly #mark = new MarkFilter();
  readonly #detector = new FormDetector();

  /** @param form `lines`: each line is a record, whatever the first ones look like, a byte order mark included. */
  constructor(form?: 'lines') {
    if (form === 'lines') this.#slicer = new LineSlicer();
  }

  /**
   * Takes the next chunk and returns the pieces that it completes, in order.
   * Slices are views of the chunks: a chunk must not be changed afterwards.
   */
  push(chunk: Uint8Array): RecordPiece[] {
    const pieces: RecordPiece[] = [];
    if (this.#slicer !== undefined) this.#slicer.push(chunk, pieces);
    else this.#detect(this.#mark.push(chunk), pieces);
    return pieces;
  }

  /** The input is complete: returns what is left, or the report that it ends too early. */
  end(): RecordPiece[] {
    const pieces: RecordPiece[] = [];
    if (this.#slicer === undefined) this.#detect(this.#mark.end(), pieces);
    const slicer = this.#slicer ?? this.#begin('lines', pieces);
    slicer.end(pieces);
    return pieces;
  }

  #detect(chunk: Uint8Array, pieces: RecordPiece[]): void {
    this.#held.push(chunk);
    const form = this.#detector.push(chunk);
    if (form !== undefined) this.#begin(form, pieces);
  }

  #begin(form: InputForm, pieces: RecordPiece[]): PieceSlicer {
    const slicer = form === 'lines' ? new LineSlicer() : new DocumentSlicer();
    for (const chunk of this.#held) slicer.push(chunk, pieces);
    this.#held = [];
    this.#slicer = slicer;
    return slicer;
  }
}

/** Slices an input that is in memory as a whole. */
export function sliceRecords(bytes: Uint8Array): RecordPiece[] {
  const slicer = new RecordSlicer();
  return [...slicer.push(bytes), ...slicer.end()];
}

type InputForm = 'lines' | 'document';

const NEWLINE = 0x0a;

/**
 * Decides by the first object: lines when it ends within its line, or when it breaks; a document when its `Records`
 * array begins, or when it is whole and has line breaks inside.
 */
class FormDetector {
  readonly #watcher = new ObjectWatcher();
  #hasBegun = false;
  #hasNewline = false;
  #seenBytes = 0;

  push(chunk: Uint8Array): InputForm | undefined {
    for (const byte of chunk) {
      if (!this.#hasBegun && isWhiteSpace(byte)) continue;
      this.#hasBegun = true;
      const sight = this.#watcher.step(byte);
      if (sight === 'broken') return 'lines';
      if (sight === 'records') return 'document';
      if (sight === 'closed') return this.#hasNewline ? 'document' : 'lines';
      if (byte === NEWLINE) this.#hasNewline = true;
      this.#seenBytes++;
      if (this.#seenBytes > RECORD_BYTES_MAX) return 'lines';
    }
    return undefined;
  }
}

/** UTF-8 byte order mark. */
const MARK = [0xef, 0xbb, 0xbf];
const NOTHING = new Uint8Array(0);

/** Takes away a byte order mark at the very beginning: some tools put one there, and it is no part of the first record. */
class MarkFilter {
  /** Bytes held back because they may be the beginning of a mark; `undefined` when the beginning is past. */
  #first: Uint8Array | undefined = NOTHING;

  push(chunk: Uint8Array): Uint8Array {
    if (this.#first === undefined) return chunk;
    const joined = this.#first.length === 0 ? chunk : new Uint8Array([...this.#first, ...chunk]);
    if (joined.length < MARK.length && MARK.slice(0, joined.length).every((byte, index) => byte === joined[index])) {
      this.#first = joined;
      return NOTHING;
    }
    this.#first = undefined;
    return MARK.every((byte, index) => byte === joined[index]) ? joined.subarray(MARK.length) : joined;
  }

  end(): Uint8Array {
    const rest = this.#first ?? NOTHING;
    this.#first = undefined;
    return rest;
  }
}
