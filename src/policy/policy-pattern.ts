/**
 * Texts of a policy in which variables such as `${aws:username}` stand for values of the request.
 *
 * What a variable brings in is text: a user named `*` is no wildcard (A16). A variable without a single value matches nothing.
 * A policy of version 2008-10-17 has none: `${…}` is text there.
 * Source: IAM User Guide, "IAM policy elements: Variables and tags".
 */
import { compileGlob, globOf, literalGlob, matchGlob } from './match-glob.ts';

/** Values of the request by context key in lower case. A key that is not there is absent; one value is the usual case. */
export type PolicyContext = ReadonlyMap<string, readonly string[]>;

/** Whether a value of the request fits one value of a policy. */
export type Matcher = (actual: string, context: PolicyContext) => boolean;

/** Compares as a whole. @param fold Applied to both sides. */
export function compileText(wanted: string, hasVariables: boolean, fold: (text: string) => string = (text) => text): Matcher {
  const pieces = hasVariables ? readPieces(wanted) : undefined;
  if (pieces === undefined) {
    const folded = fold(wanted);
    return (actual) => fold(actual) === folded;
  }
  return (actual, context) => {
    const texts = pieces.map((piece) => (piece.isVariable ? variableValue(piece.text, context) : piece.text));
    return !texts.includes(undefined) && fold(actual) === fold(texts.join(''));
  };
}

/** Compares with `*` and `?` as wildcards. */
export function compilePattern(wanted: string, hasVariables: boolean): Matcher {
  const pieces = hasVariables ? readPieces(wanted) : undefined;
  if (pieces === undefined) return compileGlob(wanted);
  return (actual, context) => {
    const globs = pieces.map((piece) => {
      if (!piece.isVariable) return globOf(piece.text);
      const value = variableValue(piece.text, context);
      return value === undefined ? undefined : literalGlob(value);
    });
    return globs.every((glob) => glob !== undefined) && matchGlob(globs.flat(), actual);
  };
}

/** Compares the six parts of an ARN, each with wildcards; a `*` does not reach over a colon but in the last part. */
export function compileArn(wanted: string, hasVariables: boolean): Matcher {
  if (wanted === '*') return () => true;
  const parts = arnParts(wanted, hasVariables)?.map((part) => compilePattern(part, hasVariables));
  if (parts === undefined) return () => false;
  return (actual, context) => arnParts(actual, false)?.every((part, index) => parts[index]!(part, context)) ?? false;
}

/** Six parts between colons; `undefined` when there are fewer. Colons inside of a variable don't separate. */
export function arnParts(text: string, hasVariables: boolean): readonly string[] | undefined {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length && parts.length < 5; at++) {
    if (hasVariables && text.startsWith('${', at)) at = Math.max(at, text.indexOf('}', at));
    if (text[at] !== ':') continue;
    parts.push(text.slice(from, at));
    from = at + 1;
  }
  parts.push(text.slice(from));
  return parts.length === 6 ? parts : undefined;
}

interface Piece {
  readonly text: string;
  readonly isVariable: boolean;
}

/** `undefined` when the text has no variable. */
function readPieces(text: string): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('${', at);
    const close = open < 0 ? -1 : text.indexOf('}', open);
    if (close < 0) break;
    pieces.push({ text: text.slice(at, open), isVariable: false }, { text: text.slice(open + 2, close), isVariable: true });
    at = close + 1;
  }
  if (pieces.length === 0) return undefined;
  pieces.push({ text: text.slice(at), isVariable: false });
  return pieces;
}

/** `${*}`, `${?}` and `${$}` stand for the character; `${key, 'default'}` has a value for an absent key. */
function variableValue(name: string, context: PolicyContext): string | undefined {
  if (name === '*' || name === '?' || name === '$') return name;
  const [, key, fallback] = /^([^,]*)(?:,\s*'([^']*)')?$/.exec(name) ?? [];
  const values = context.get(key?.trim().toLowerCase() ?? '');
  return values?.length === 1 ? values[0] : fallback;
}
