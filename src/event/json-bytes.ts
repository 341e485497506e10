/**
 * Finds the end of a text inside JSON bytes, four bytes at a time: most bytes of a record lie in texts.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
/** Shorter bytes are not worth a view of words. */
const WORDS_FROM = 16;

const NO_WORDS = new Int32Array(0);

/** Bytes with their view as words. */
export class JsonBytes {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  /** Place in `bytes` where the first word begins, 0 to 3. */
  readonly #wordsAt: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#wordsAt = -bytes.byteOffset & 3;
    this.#words =
      bytes.length < WORDS_FROM
        ? NO_WORDS
        : new Int32Array(bytes.buffer, bytes.byteOffset + this.#wordsAt, (bytes.length - this.#wordsAt) >>> 2);
  }

  /**
   * @param from Place inside a text, not within an escape.
   * @returns place of the closing quote; the length when it does not come; the length and one more when the last byte
   *   begins an escape.
   */
  endOfText(from: number): number {
    const { bytes } = this;
    const words = this.#words;
    const wordsAt = this.#wordsAt;
    const end = bytes.length;
    for (let at = from; at < end; at++) {
      if (((at - wordsAt) & 3) === 0) {
        let word = (at - wordsAt) >> 2;
        for (; word < words.length; word++) {
          // A byte of either is zero where the byte is a quote, or a backslash; the rest tells whether any is.
          const quotes = words[word]! ^ QUOTES;
          const backslashes = words[word]! ^ BACKSLASHES;
          if ((((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes)) & 0x80808080) break;
        }
        at = Math.max(at, (word << 2) + wordsAt);
        if (at >= end) return end;
      }
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) {
        at++;
        if (at === end) return end + 1;
      }
    }
    return end;
  }
}
