/**
 * Makes untrusted text fit for a terminal: no byte of a record may move the cursor, begin a line, or turn the reading direction.
 *
 * Events are written by whoever makes calls, so every text of theirs passes here before it is shown.
 * Source: reliability.md A56.
 */

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, marks that turn or hide text, and lone surrogates,
 * which have no UTF-8.
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;
/** The same, but for what stands between the tokens of JSON. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

/** The text with every unsafe character written out, such as `\u001b`; always one line. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/**
 * JSON text (untrusted, valid) with the same meaning that a terminal shows as it is: unsafe characters can only stand in
 * its texts, where an escape says the same.
 */
export function safeJson(json: string): string {
  // A carriage return between two tokens would let a line overwrite the one before.
  return json.replaceAll('\r', ' ').replace(UNSAFE_IN_JSON, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
