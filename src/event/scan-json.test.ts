import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scanJson } from './scan-json.ts';

const encode = (text: string) => new TextEncoder().encode(text);

/** The same counts, byte after byte. */
function countPlainly(text: string): { depth: number; members: number; names: number } {
  let [open, depth, members, names, inText] = [0, 0, 0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (inText) {
      if (character === '\\') at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === ':') names++;
    else if (character === ',') members++;
    else if ('{['.includes(character)) {
      members++;
      open++;
      depth = Math.max(depth, open);
    } else if ('}]'.includes(character)) open--;
  }
  return { depth, members, names };
}

test('a scan counts levels, members and names outside of texts, wherever the bytes lie in memory', () => {
  const text = fc.string({
    unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', '\\"', ',', ':', ' ', 'x', 'abcdefghijklmnop'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(text, fc.nat(7), (input, shift) => {
      const padded = new Uint8Array(shift + input.length + 3).fill(0x22);
      padded.set(encode(input), shift);
      expect(scanJson(padded.subarray(shift, shift + input.length))).toEqual(countPlainly(input));
    }),
    { numRuns: 3000 },
  );
});

test('a member name or an element is counted where it is JSON', () => {
  expect(scanJson(encode('{"a":{"b":[1,"x,{\\"",[]]},"a":null}'))).toEqual({ depth: 4, members: 7, names: 3 });
});
