/**
 * One pass over the bytes of an untrusted JSON text, before anything recursive touches it.
 *
 * It counts levels and members and stops at the first one too many, so that neither `JSON.parse` nor code after it
 * sees a text that is deep or wide beyond the limits (A45). It does not decide whether the text is JSON: brackets and
 * commas of an invalid text are counted all the same, and `JSON.parse` refuses it afterwards.
 */

/** Where the scan stops. */
export interface ScanLimits {
  /** Deepest nesting of objects and arrays; the outermost counts as 1. */
  readonly depthMax: number;
  /** Most members and elements, all levels together. */
  readonly membersMax: number;
}

/** What the scan found. */
export type JsonScan =
  | {
      readonly kind: 'within-limits';
      /** Members of objects (names, not elements), repeated names included. Exact when the text is valid JSON. */
      readonly names: number;
    }
  | { readonly kind: 'too-deep' }
  | { readonly kind: 'too-many-members' };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Scans `bytes`; time is linear in what is read, memory constant.
 *
 * An opening bracket and a comma each announce one value, so an empty object or array counts as one member as well.
 */
export function scanJson(bytes: Uint8Array, { depthMax, membersMax }: ScanLimits): JsonScan {
  const end = bytes.length;
  let depth = 0;
  let values = 0;
  let names = 0;
  for (let at = 0; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      for (at++; at < end; at++) {
        const inside = bytes[at]!;
        // Most bytes of a text are lower-case letters; this one comparison halves the time of the scan.
        if (inside > BACKSLASH) continue;
        if (inside === QUOTE) break;
        if (inside === BACKSLASH) at++;
      }
    } else if (byte === COLON) {
      names++;
    } else if (byte === COMMA) {
      values++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      values++;
      depth++;
      if (depth > depthMax) return { kind: 'too-deep' };
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    }
    if (values > membersMax) return { kind: 'too-many-members' };
  }
  return { kind: 'within-limits', names };
}
