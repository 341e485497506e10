/**
 * Cuts records out of documents: `{"Records":[…]}` as CloudTrail delivers it, or one record as an object over several
 * lines. Documents may follow each other, as after `cat *.json`.
 *
 * Elements are cut at their brackets and not parsed: one that is not JSON inside is a slice all the same, and costs only
 * itself when it is parsed. Broken structure around the elements is reported; after it the next line begins a document.
 */
import { RECORD_BYTES_MAX } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';
import type { PieceSlicer, RecordPiece } from './record-piece.ts';
import { ObjectWatcher } from './watch-object.ts';
import { isWhiteSpace } from './white-space.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

type State =
  /** Between two documents. */
  | 'outside'
  /** Behind broken structure, up to the end of the line. */
  | 'lost'
  /** In a document's object, not in its records. */
  | 'object'
  /** In the array, where an element may begin. */
  | 'before-element'
  /** In the array, where a comma or the end is due. */
  | 'after-element'
  /** In an element. */
  | 'element';

export class DocumentSlicer implements PieceSlicer {
  #state: State = 'outside';
  /** Records found so far, malformed ones included. */
  #number = 0;
  readonly #pending = new PendingBytes(RECORD_BYTES_MAX);

  // Of the document that is open:
  #watcher = new ObjectWatcher();
  /** The document has a `Records` array, so it is not a record itself. */
  #hasRecords = false;
  /** The array has had an element. */
  #hasElements = false;

  // Of the element that is open:
  /** Open brackets; 0 in a scalar. */
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  push(chunk: Uint8Array, pieces: RecordPiece[]): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case 'outside':
          at = this.#findDocument(chunk, at, pieces);
          break;
        case 'lost':
          at = this.#skipLine(chunk, at);
          break;
        case 'object':
          at = this.#readObject(chunk, at, pieces);
          break;
        case 'element':
          at = this.#readElement(chunk, at, pieces);
          break;
        default:
          at = this.#readArray(chunk, at, pieces);
      }
    }
  }

  end(pieces: RecordPiece[]): void {
    if (this.#state === 'outside' || this.#state === 'lost') return;
    const inRecord = this.#state === 'element' || (this.#state === 'object' && !this.#hasRecords);
    this.#report(
      pieces,
      'InvalidJson',
      inRecord ? `the input ends inside record ${this.#number + 1}` : `the input ends before the end of the \`Records\` document`,
    );
  }

  #findDocument(chunk: Uint8Array, from: number, pieces: RecordPiece[]): number {
    let at = from;
    while (at < chunk.length && isWhiteSpace(chunk[at]!)) at++;
    if (at === chunk.length) return at;
    if (chunk[at] !== OPEN_BRACE) return this.#lose(at, pieces, 'a JSON object is expected');
    this.#watcher = new ObjectWatcher();
    this.#hasRecords = false;
    this.#state = 'object';
    return at;
  }

  /** Up to the document's end or its `Records` array. The bytes are kept, in case that the document is a record. */
  #readObject(chunk: Uint8Array, from: number, pieces: RecordPiece[]): number {
    for (let at = from; at < chunk.length; at++) {
      const sight = this.#watcher.step(chunk[at]!);
      if (sight === 'more') continue;
      if (sight === 'broken') return this.#lose(at, pieces, 'the document is not a JSON object');
      if (sight === 'records') {
        this.#pending.take();
        this.#hasRecords = true;
        this.#hasElements = false;
        this.#state = 'before-element';
        return at + 1;
      }
      if (this.#hasRecords) this.#pending.take();
      else this.#emit(chunk.subarray(from, at + 1), pieces);
      this.#state = 'outside';
      return at + 1;
    }
    if (!this.#hasRecords) this.#pending.add(chunk.subarray(from));
    return chunk.length;
  }

  /** White space, commas and the end of the array, up to the next element. */
  #readArray(chunk: Uint8Array, from: number, pieces: RecordPiece[]): number {
    let at = from;
    while (at < chunk.length && isWhiteSpace(chunk[at]!)) at++;
    if (at === chunk.length) return at;
    const byte = chunk[at]!;
    const isElementDue = this.#state === 'before-element';
    if (byte === COMMA) {
      if (isElementDue) this.#report(pieces, 'InvalidJson', `record ${this.#number + 1} is missing before a comma`);
      this.#hasElements = true;
      this.#state = 'before-element';
      return at + 1;
    }
    if (byte === CLOSE_BRACKET) {
      if (isElementDue && this.#hasElements)
        this.#report(pieces, 'InvalidJson', `record ${this.#number + 1} is missing after the last comma`);
      this.#watcher.resumeAfterRecords();
      this.#state = 'object';
      return at + 1;
    }
    if (byte === CLOSE_BRACE) return this.#lose(at, pieces, 'the `Records` array is closed by a brace');
    if (!isElementDue) this.#report(pieces, 'InvalidJson', `a comma is missing after record ${this.#number}`);
    this.#hasElements = true;
    this.#depth = 0;
    this.#inString = false;
    this.#isEscaped = false;
    this.#state = 'element';
    return at;
  }

  /** Up to the element's end. The hot loop: state is kept in locals. */
  #readElement(chunk: Uint8Array, from: number, pieces: RecordPiece[]): number {
    const end = chunk.length;
    let depth = this.#depth;
    let inString = this.#inString;
    let at = from;
    // An escape was the last byte of the chunk before.
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < end; at++) {
      const byte = chunk[at]!;
      if (inString) {
        if (byte > BACKSLASH) continue;
        if (byte === QUOTE) {
          inString = false;
          if (depth === 0) return this.#endElement(chunk, from, at + 1, pieces);
        } else if (byte === BACKSLASH) at++;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        // A scalar ends before the bracket that closes the array.
        if (depth === 0) return this.#endElement(chunk, from, at, pieces);
        depth--;
        if (depth === 0) return this.#endElement(chunk, from, at + 1, pieces);
      } else if (depth === 0 && (byte === COMMA || isWhiteSpace(byte))) return this.#endElement(chunk, from, at, pieces);
    }
    this.#isEscaped = at > end;
    this.#depth = depth;
    this.#inString = inString;
    this.#pending.add(chunk.subarray(from));
    return end;
  }

  #endElement(chunk: Uint8Array, from: number, to: number, pieces: RecordPiece[]): number {
    this.#emit(chunk.subarray(from, to), pieces);
    this.#state = 'after-element';
    return to;
  }

  /** Completes the pending bytes with `tail` and hands them on as one record. */
  #emit(tail: Uint8Array, pieces: RecordPiece[]): void {
    this.#pending.add(tail);
    const sizeBytes = this.#pending.sizeBytes;
    const bytes = this.#pending.take();
    if (bytes === undefined) {
      this.#report(pieces, 'RecordTooLarge', `record ${this.#number + 1} has ${sizeBytes} bytes; at most ${RECORD_BYTES_MAX} are accepted`);
      return;
    }
    this.#number++;
    pieces.push({ kind: 'record', bytes, unit: 'record', number: this.#number });
  }

  #report(pieces: RecordPiece[], code: 'InvalidJson' | 'RecordTooLarge', reason: string): void {
    this.#number++;
    pieces.push({ kind: 'malformed', code, reason, unit: 'record', number: this.#number });
  }

  #lose(at: number, pieces: RecordPiece[], reason: string): number {
    this.#report(pieces, 'InvalidJson', `${reason}; reading goes on with the next line`);
    this.#pending.take();
    this.#state = 'lost';
    return at;
  }

  #skipLine(chunk: Uint8Array, from: number): number {
    const newline = chunk.indexOf(NEWLINE, from);
    if (newline === -1) return chunk.length;
    this.#state = 'outside';
    return newline + 1;
  }
}
