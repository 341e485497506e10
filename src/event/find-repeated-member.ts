/**
 * Finds a member name that an object of a JSON text holds twice.
 *
 * `JSON.parse` keeps the last one in silence, other readers the first: whoever writes both can show each reader its own
 * document. Relies on the text being valid JSON, as `JSON.parse` has just said.
 */

/** The first name that is repeated within one object, compared after unescaping; `undefined` when there is none. */
export function findRepeatedMember(text: string): string | undefined {
  // The names seen in each open object; `undefined` stands for an open array.
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    if (character !== '"') continue;
    const end = endOfString(text, at);
    if (isFollowedByColon(text, end)) {
      const names = open.at(-1);
      const name = JSON.parse(text.slice(at, end)) as string;
      if (names?.has(name)) return name;
      names?.add(name);
    }
    at = end - 1;
  }
  return undefined;
}

/** Index after the closing quote of the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}
