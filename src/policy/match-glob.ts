/**
 * Matches text against a pattern of `*` (any text, also none) and `?` (any one character).
 *
 * No RegExp is made of user text: `*a*a*a…` makes a RegExp run for minutes (reliability.md A67). Here the last `*` alone is
 * ever taken back, so the time is at most the product of both lengths, which are bounded where policies are parsed.
 */

/** One place of a pattern: a character that must be there, any one character, or any text. */
export type GlobToken = { readonly kind: 'character'; readonly character: string } | { readonly kind: 'one' } | { readonly kind: 'many' };

const ONE: GlobToken = { kind: 'one' };
const MANY: GlobToken = { kind: 'many' };

/** The tokens of a pattern in which every `*` and `?` is a wildcard. */
export function globOf(pattern: string): readonly GlobToken[] {
  return Array.from(pattern, (character) => (character === '*' ? MANY : character === '?' ? ONE : { kind: 'character', character }));
}

/** The tokens of a text in which `*` and `?` stand for themselves. */
export function literalGlob(text: string): readonly GlobToken[] {
  return Array.from(text, (character) => ({ kind: 'character', character }));
}

/** A pattern made ready for many texts: most are one text, or one that begins or ends with a `*`. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (pattern === '*') return () => true;
  if (pattern.includes('?')) {
    const tokens = globOf(pattern);
    return (text) => matchGlob(tokens, text);
  }
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  const lengthMin = pattern.length - rest.length - 1;
  return (text) => {
    if (text.length < lengthMin || !text.startsWith(first) || !text.endsWith(last)) return false;
    // The first place where a piece fits leaves the most room for those after it.
    let at = first.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
}

/** Whether the whole of `text` matches. Compares code points; case counts. */
export function matchGlob(glob: readonly GlobToken[], text: string): boolean {
  const characters = Array.from(text);
  let at = 0;
  let token = 0;
  // Where the last `*` is, and the first character that it has not swallowed yet.
  let star = -1;
  let swallowedTo = 0;
  while (at < characters.length) {
    const current = glob[token];
    if (current?.kind === 'many') {
      star = token++;
      swallowedTo = at;
    } else if (current !== undefined && (current.kind === 'one' || current.character === characters[at])) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++swallowedTo;
    } else {
      return false;
    }
  }
  while (glob[token]?.kind === 'many') token++;
  return token === glob.length;
}
