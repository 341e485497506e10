/**
 * Follows one JSON object byte by byte, to find its `Records` array or its end, without parsing it.
 *
 * It sees only what it needs: strings, brackets, and whether two values follow each other without a comma or colon
 * between them, which tells lines of records from one document that spans lines. What it lets pass may still not be
 * JSON; whoever parses the slices finds out. Memory is constant, whatever comes.
 */

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const RECORDS = 'Records';

/** What one more byte has shown. */
export type ObjectSight =
  /** Nothing yet. */
  | 'more'
  /** This byte opens the array of the member `Records`. */
  | 'records'
  /** This byte closes the object. */
  | 'closed'
  /** The bytes so far begin no JSON object. */
  | 'broken';

export class ObjectWatcher {
  /** Open brackets; 0 before the object's own. */
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  /** A value or name has just ended: the next one needs a comma or colon before it. */
  #isAfterValue = false;
  /** The first characters of the last string at depth 1; compared with `Records`. */
  #name = '';
  /** The last two tokens at depth 1 are the name `Records` and a colon. */
  #isRecordsNext = false;

  /** Takes the next byte. The first must be the opening brace. Not to be called after `closed` or `broken`. */
  step(byte: number): ObjectSight {
    if (this.#inString) return this.#stepInString(byte);
    switch (byte) {
      case QUOTE:
        if (this.#isAfterValue || this.#depth === 0) return 'broken';
        this.#inString = true;
        this.#isRecordsNext = false;
        if (this.#depth === 1) this.#name = '';
        return 'more';
      case OPEN_BRACE:
      case OPEN_BRACKET:
        return this.#open(byte);
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#depth--;
        this.#isAfterValue = true;
        this.#isRecordsNext = false;
        return this.#depth > 0 ? 'more' : byte === CLOSE_BRACE && this.#depth === 0 ? 'closed' : 'broken';
      case COLON:
        this.#isRecordsNext = this.#depth === 1 && this.#isAfterValue && this.#name === RECORDS;
        this.#isAfterValue = false;
        return 'more';
      case COMMA:
        this.#isAfterValue = false;
        this.#isRecordsNext = false;
        return 'more';
      case 0x20:
      case 0x09:
      case 0x0d:
      case NEWLINE:
        return this.#depth === 0 ? 'broken' : 'more';
      default:
        // Numbers and words; their letters follow each other, so only what comes after them is checked.
        this.#isAfterValue = true;
        this.#isRecordsNext = false;
        if (this.#depth === 1) this.#name = '';
        return this.#depth === 0 ? 'broken' : 'more';
    }
  }

  /** Continues behind the array that `records` announced; its closing bracket was taken by someone else. */
  resumeAfterRecords(): void {
    this.#depth--;
    this.#isAfterValue = true;
  }

  #open(byte: number): ObjectSight {
    if (this.#isAfterValue || (this.#depth === 0 && byte !== OPEN_BRACE)) return 'broken';
    this.#depth++;
    const isRecords = this.#isRecordsNext && byte === OPEN_BRACKET;
    this.#isRecordsNext = false;
    return isRecords ? 'records' : 'more';
  }

  #stepInString(byte: number): ObjectSight {
    if (byte === NEWLINE) return 'broken';
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      this.#isAfterValue = true;
      return 'more';
    }
    if (this.#depth === 1 && this.#name.length <= RECORDS.length) this.#name += String.fromCharCode(byte);
    return 'more';
  }
}
