/**
 * One pass over the bytes of an untrusted JSON text, before anything recursive touches it.
 *
 * It counts levels and members, so that neither `JSON.parse` nor code after it sees a text that is deep or wide beyond
 * the limits (A45). It does not decide whether the text is JSON: brackets and commas of an invalid text are counted all
 * the same, and `JSON.parse` refuses it afterwards.
 */
import { JsonBytes } from './json-bytes.ts';

/** What was counted. */
export interface JsonShape {
  /** Deepest nesting of objects and arrays; the outermost counts as 1. */
  readonly depth: number;
  /** Members and elements, all levels together: an opening bracket and a comma each announce one, so an empty object or array counts as one. */
  readonly members: number;
  /** Members of objects (names, not elements), repeated names included. Exact when the text is valid JSON. */
  readonly names: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Scans `bytes`; time is linear, memory constant. */
export function scanJson(bytes: Uint8Array): JsonShape {
  const json = new JsonBytes(bytes);
  const end = bytes.length;
  let open = 0;
  let depth = 0;
  let members = 0;
  let names = 0;
  for (let at = 0; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = json.endOfText(at + 1);
    else if (byte === COLON) names++;
    else if (byte === COMMA) members++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      members++;
      open++;
      if (open > depth) depth = open;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) open--;
  }
  return { depth, members, names };
}
