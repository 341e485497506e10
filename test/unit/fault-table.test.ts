/**
 * The table of docs/faults.md names tests that are there, and that name the fault.
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';

/** Ids of a cell: `A01–A03` stands for three. */
function idsOf(cell: string): readonly string[] {
  return cell.split(',').flatMap((part) => {
    const [from, to = from] = part.trim().split('–') as [string, string?];
    const [first, last] = [Number(from.slice(1)), Number(to.slice(1))];
    return Array.from({ length: last - first + 1 }, (_, index) => `${from[0]}${String(first + index).padStart(2, '0')}`);
  });
}

/** Whether a file speaks of an id, by itself or within a range such as `F28–F30` or `A01 to A11`. */
function names(text: string, id: string): boolean {
  if (text.includes(id)) return true;
  const number = Number(id.slice(1));
  return [...text.matchAll(/([FA])(\d\d)(?:–| to )[FA](\d\d)/g)].some(
    ([, letter, from, to]) => letter === id[0] && Number(from) <= number && number <= Number(to),
  );
}

describe('docs/faults.md', async () => {
  const text = await readFile('docs/faults.md', 'utf8');
  const rows: { readonly id: string; readonly path: string }[] = [];
  let last: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [, first, , file] = line.split('|').map((cell) => cell.trim());
    if (file === undefined || !file.endsWith('.test.ts')) continue;
    if (first !== '') last = idsOf(first!);
    for (const id of last) rows.push({ id, path: file });
  }

  test('has a row for each fault and attack that concerns what is built', () => {
    const wanted = ['F01–F13, F15–F25, F28–F37, F40–F42, F44–F45', 'A01–A13, A15–A23, A25, A27–A36, A38, A44–A50, A55'].flatMap(idsOf);
    expect(wanted.filter((id) => !rows.some((row) => row.id === id))).toEqual([]);
  });

  test('names files that name the fault', async () => {
    const wrong: string[] = [];
    for (const { id, path } of rows) if (!names(await readFile(path, 'utf8'), id)) wrong.push(`${path} does not name ${id}`);
    expect(wrong).toEqual([]);
  });
});
