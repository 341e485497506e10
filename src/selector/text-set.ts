/**
 * A set of texts that another text is held against: whether it begins, or ends, with one of them.
 *
 * A trie whose edges carry as many characters as have no branch, so that a look-up costs as much as the text is long, however many texts
 * there are. Characters are UTF-16 units, as in `startsWith` and `endsWith`. There is no expression that a stranger could make slow.
 */

interface Node {
  /** What comes before the branch, in the order of walking. */
  readonly label: string;
  /** By the unit that comes next; absent where one of the texts ends: what comes after that does not matter. */
  readonly next?: ReadonlyMap<number, Node>;
}

/** @returns whether a text begins with one of `texts`. */
export function beginsWithOneOf(texts: readonly string[]): (text: string) => boolean {
  const root = nodeOf(texts);
  return (text) => walk(root, text, 0, 1);
}

/** @returns whether a text ends with one of `texts`. */
export function endsWithOneOf(texts: readonly string[]): (text: string) => boolean {
  const root = nodeOf(texts.map(backwards));
  return (text) => walk(root, text, text.length - 1, -1);
}

/** By units, not by characters: half of a pair is a unit as well. */
function backwards(text: string): string {
  let reversed = '';
  for (let at = text.length - 1; at >= 0; at--) reversed += text[at];
  return reversed;
}

function nodeOf(texts: readonly string[]): Node {
  const label = texts.reduce(commonBeginning);
  if (texts.includes(label)) return { label };
  const groups = new Map<number, string[]>();
  for (const text of texts) {
    const unit = text.charCodeAt(label.length);
    const group = groups.get(unit);
    if (group === undefined) groups.set(unit, [text.slice(label.length + 1)]);
    else group.push(text.slice(label.length + 1));
  }
  return { label, next: new Map([...groups].map(([unit, rest]) => [unit, nodeOf(rest)])) };
}

function commonBeginning(one: string, other: string): string {
  let length = 0;
  while (length < one.length && length < other.length && one.charCodeAt(length) === other.charCodeAt(length)) length++;
  return one.slice(0, length);
}

function walk(root: Node, text: string, from: number, step: 1 | -1): boolean {
  let at = from;
  for (let node = root; ; ) {
    const { label, next } = node;
    // Beyond the text `charCodeAt` is no number, which equals nothing.
    for (let index = 0; index < label.length; index++, at += step) if (text.charCodeAt(at) !== label.charCodeAt(index)) return false;
    if (next === undefined) return true;
    const following = next.get(text.charCodeAt(at));
    if (following === undefined) return false;
    node = following;
    at += step;
  }
}
