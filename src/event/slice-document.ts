/**
 * Cuts records out of documents: `{"Records":[…]}` as CloudTrail delivers it, or one record as an object over several
 * lines. Documents may follow each other, as after `cat *.json`.
 *
 * Elements are cut at their brackets and not parsed: one that is not JSON inside is a slice all the same, and costs only
 * itself when it is parsed. Broken structure around the elements is reported; after it the next line begins a document.
 */
import { JsonBytes } from './json-bytes.ts';
import { RECORD_BYTES_MAX } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';
import type { PieceSlicer, RecordPiece } from './record-piece.ts';
import type { JsonShape } from './scan-json.ts';
import { ObjectWatcher } from './watch-object.ts';
import { isWhiteSpace } from './white-space.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
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

/** An element that the chunks so far have not completed: its shape up to there, and where its reading goes on. */
interface OpenElement extends JsonShape {
  /** Open brackets; 0 in a scalar. */
  readonly open: number;
  readonly isInText: boolean;
  /** The first byte to come is escaped. */
  readonly isEscaped: boolean;
}

const NEW_ELEMENT: OpenElement = { open: 0, depth: 0, members: 0, names: 0, isInText: false, isEscaped: false };

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

  #element = NEW_ELEMENT;

  push(chunk: Uint8Array, pieces: RecordPiece[]): void {
    const json = new JsonBytes(chunk);
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
          at = this.#readElement(json, at, pieces);
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
    this.#element = NEW_ELEMENT;
    this.#state = 'element';
    return at;
  }

  /** Up to the element's end. The hot loop: state is kept in locals. */
  #readElement(json: JsonBytes, from: number, pieces: RecordPiece[]): number {
    const chunk = json.bytes;
    const end = chunk.length;
    let { open, depth, members, names } = this.#element;
    let at = from;
    /** Where the last text closes; the chunk's length or more while that is not to be seen. */
    let close = -1;
    if (this.#element.isInText) {
      close = json.endOfText(this.#element.isEscaped ? from + 1 : from);
      if (close < end && open === 0) return this.#endElement(chunk, from, close + 1, pieces);
      at = close + 1;
    }
    for (; at < end; at++) {
      const byte = chunk[at]!;
      if (byte === QUOTE) {
        close = json.endOfText(at + 1);
        if (close < end && open === 0) return this.#endElement(chunk, from, close + 1, pieces);
        at = close;
      } else if (byte === COLON) names++;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        members++;
        open++;
        if (open > depth) depth = open;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        // A scalar ends before the bracket that closes the array.
        if (open === 0) return this.#endElement(chunk, from, at, pieces);
        open--;
        if (open === 0) return this.#endElement(chunk, from, at + 1, pieces, { depth, members, names });
      } else if (byte === COMMA) {
        if (open === 0) return this.#endElement(chunk, from, at, pieces);
        members++;
      } else if (open === 0 && isWhiteSpace(byte)) return this.#endElement(chunk, from, at, pieces);
    }
    this.#element = { open, depth, members, names, isInText: close >= end, isEscaped: close > end };
    this.#pending.add(chunk.subarray(from));
    return end;
  }

  /** @param shape Absent for a scalar: nobody needs it, as a scalar is no record. */
  #endElement(chunk: Uint8Array, from: number, to: number, pieces: RecordPiece[], shape?: JsonShape): number {
    this.#emit(chunk.subarray(from, to), pieces, shape);
    this.#state = 'after-element';
    return to;
  }

  /** Completes the pending bytes with `tail` and hands them on as one record. */
  #emit(tail: Uint8Array, pieces: RecordPiece[], shape?: JsonShape): void {
    this.#pending.add(tail);
    const sizeBytes = this.#pending.sizeBytes;
    const bytes = this.#pending.take();
    if (bytes === undefined) {
      this.#report(pieces, 'RecordTooLarge', `record ${this.#number + 1} has ${sizeBytes} bytes; at most ${RECORD_BYTES_MAX} are accepted`);
      return;
    }
    this.#number++;
    const place = { unit: 'record', number: this.#number } as const;
    pieces.push(shape === undefined ? { kind: 'record', bytes, ...place } : { kind: 'record', bytes, shape, ...place });
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
