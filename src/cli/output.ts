/**
 * The one place where commands print data: a table for people, JSON for programs.
 *
 * Data goes to stdout, talk to stderr (`say`). Untrusted text is made safe in every form: cells by `table.ts`, JSON by escapes
 * that mean the same. A reader that stops early (`| head`) ends the command quietly.
 */
import { once } from 'node:events';
import { EXIT, UsageError } from './exit.ts';
import type { GlobalOptions, OutputForm } from './global-options.ts';
import { safeJson, safeText } from './safe-text.ts';
import { type Column, type Fact, formatFacts, formatTable } from './table.ts';

const FORMS: readonly OutputForm[] = ['table', 'json', 'ndjson'];

/** The form that was asked for, else a table on a terminal and lines of JSON elsewhere. @throws UsageError */
export function outputForm(options: Pick<GlobalOptions, 'output'>): OutputForm {
  const { output } = options;
  if (output === undefined) return process.stdout.isTTY ? 'table' : 'ndjson';
  if (FORMS.includes(output)) return output;
  throw new UsageError(`\`--output ${safeText(output)}\` is none of: ${FORMS.join(', ')}`);
}

/** Prints rows: a table, one JSON array, or one line of JSON for each. */
export async function printRows<Row extends object>(
  options: Pick<GlobalOptions, 'output'>,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  switch (outputForm(options)) {
    case 'table':
      if (rows.length > 0) await writeOut(formatTable(columns, rows));
      break;
    case 'json':
      await writeOut(`${safeJson(JSON.stringify(rows, undefined, 2))}\n`);
      break;
    case 'ndjson':
      await writeOut(rows.map(jsonLine).join(''));
      break;
  }
}

/** Prints one thing: names and values below each other, or the value as JSON. */
export async function printFacts(options: Pick<GlobalOptions, 'output'>, facts: readonly Fact[], value: object): Promise<void> {
  switch (outputForm(options)) {
    case 'table':
      await writeOut(formatFacts(facts));
      break;
    case 'json':
      await writeOut(`${safeJson(JSON.stringify(value, undefined, 2))}\n`);
      break;
    case 'ndjson':
      await writeOut(jsonLine(value));
      break;
  }
}

/** One line of JSON, safe for a terminal. */
export function jsonLine(value: object): string {
  return `${safeJson(JSON.stringify(value))}\n`;
}

/** Writes data to stdout, waiting while its reader is slow. */
export async function writeOut(data: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(data)) await once(process.stdout, 'drain');
}

/** Says something about the work, on stderr; nothing with `--quiet`. The text is ours, with untrusted parts made safe. */
export function say(options: Pick<GlobalOptions, 'quiet'>, text: string): void {
  if (!options.quiet) process.stderr.write(`${text}\n`);
}

/** Ends the command once nobody reads stdout any more: there is nothing left to do. Talk that nobody hears is no reason to end. */
export function endWithReader(): void {
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // What the command has found by then stays its answer: `verify | head` is not 0 where something was tampered with.
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
}
