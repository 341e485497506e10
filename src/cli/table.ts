/**
 * Plain tables: columns set apart by two spaces, a heading in capitals, no lines drawn.
 *
 * Every cell is made safe for a terminal here, so no caller can forget it.
 */
import { safeText } from './safe-text.ts';

export interface Column<Row> {
  /** Written in capitals. */
  readonly heading: string;
  /** What the row shows; `undefined` shows as `-`. */
  readonly cell: (row: Row) => string | number | undefined;
  /** Most characters of a cell; longer ones are cut and end in `…`. Absent: never cut. */
  readonly widthMax?: number;
  /** True for numbers that are compared. */
  readonly isRight?: boolean;
}

/** The table with its heading; each line ends in a line end. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ heading }) => heading.toUpperCase()),
    ...rows.map((row) => columns.map((column) => cut(safeText(String(column.cell(row) ?? '-')), column.widthMax))),
  ];
  const widths = columns.map((_, at) => lines.reduce((width, cells) => Math.max(width, displayWidth(cells[at]!)), 0));
  const formatLine = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const space = ' '.repeat(widths[at]! - displayWidth(cell));
        return columns[at]!.isRight ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return lines.map((cells) => `${formatLine(cells)}\n`).join('');
}

/** Names and values below each other. Values that are `undefined` are left out. */
export function formatFacts(facts: readonly Fact[]): string {
  const given = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  const width = Math.max(0, ...given.map(([name]) => displayWidth(name)));
  return given.map(([name, value]) => `${name}${' '.repeat(width - displayWidth(name))}  ${safeText(value)}\n`).join('');
}

/** What it is called, and the value. */
export type Fact = readonly [name: string, value: string | undefined];

/** Columns that a text takes on a terminal: wide characters take two, combining ones none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

function cut(text: string, widthMax: number | undefined): string {
  if (widthMax === undefined || displayWidth(text) <= widthMax) return text;
  let kept = '';
  let width = 0;
  for (const character of text) {
    width += displayWidth(character);
    if (width > widthMax - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
