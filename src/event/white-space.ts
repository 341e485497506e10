/**
 * White space between the tokens of JSON: space, tab, line feed, carriage return (RFC 8259 §2), and no other.
 */

/** The bytes from the first to the last that is not JSON white space. A view, not a copy. */
export function trimWhiteSpace(bytes: Uint8Array): Uint8Array {
  let from = 0;
  let to = bytes.length;
  while (from < to && isWhiteSpace(bytes[from]!)) from++;
  while (to > from && isWhiteSpace(bytes[to - 1]!)) to--;
  return from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
}

/** True for the four bytes that JSON calls white space. */
export function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
