/**
 * What is wrong with the English of a sentence, as far as that can be told without knowing what it is about.
 *
 * What stands in quotes came from a record and may be anything; only that it is on one line and not empty is looked at.
 */
const PREPOSITIONS = 'as|at|by|for|from|of|on|through|to|with|without';
/** What a sentence cannot hold, and how that is called. */
const FLAWS: ReadonlyMap<string, RegExp> = new Map([
  ['dangling preposition', new RegExp(`(^| )(${PREPOSITIONS}) ((${PREPOSITIONS}) |\\()`)],
  ['comma without words', /(^| ),|, ?\(/],
  ['two spaces', / {2}|^ | $/],
  ['nothing named', /\b(undefined|null|NaN|\[object)\b/],
]);

/** Empty when it reads well. */
export function sentenceFlaws(sentence: string): readonly string[] {
  const flaws = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(sentence) ? ['control character'] : [];
  if (/(?<!\\)""/.test(sentence)) flaws.push('empty quotes');
  const words = sentence.replace(/"(?:[^"\\]|\\.)*"/g, 'QUOTED');
  for (const [name, pattern] of FLAWS) if (pattern.test(words)) flaws.push(name);
  return flaws;
}
