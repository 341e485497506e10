/**
 * `snowtrail export`: events in the order of their own time, then of acceptance, one line of JSON each.
 *
 * The same export gives the same bytes again, as long as history holds the events: `--to-sequence` leaves out what came in later.
 * A file is written beside its name and renamed at the end, so a half export never looks like a whole one.
 * Source: features.md RC5.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { addFilterOptions, type FilterOptions, filterInput } from '../event-filter-options.ts';
import { EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { jsonLine, say, writeOut } from '../output.ts';
import { safeText } from '../safe-text.ts';
import { addUnreadable, searchPages, warnOfUnreadable } from '../search-pages.ts';

interface ExportOptions extends FilterOptions, GlobalOptions {
  readonly out?: string;
  readonly toSequence?: string;
}

export function addExport(program: Command): void {
  const command = program
    .command('export')
    .description('write events as NDJSON, oldest first, the same bytes each time')
    .argument('[query...]', 'filters as words');
  addFilterOptions(command)
    .option('--to-sequence <number>', 'leave out what was accepted after this sequence')
    .option('--out <file>', 'write to this file (default: stdout)');
  addExamples(command, [
    'export --from -7d --to now --out week.ndjson',
    'export --from 2026-11-20 --to 2026-11-21 user:alice | jq -r .Record',
  ]);
  command.action(async (words: string[], _: object, self: Command) => {
    await exportEvents(self.optsWithGlobals<ExportOptions>(), words);
  });
}

async function exportEvents(options: ExportOptions, words: readonly string[]): Promise<void> {
  if (options.output !== undefined && options.output !== 'ndjson') {
    throw new UsageError(`\`--output ${safeText(options.output)}\` is not an export form; expected ndjson`);
  }
  const filter = filterInput(options, words, Date.now());
  const input = options.toSequence === undefined ? filter : { ...filter, ToSequence: options.toSequence };
  const client = new Client(await findServer(options));
  const target = options.out === undefined ? { write: writeOut, finish: nothing, abandon: nothing } : await openFile(options.out);
  const hash = createHash('sha256');
  let count = 0;
  let toSequence = '0';
  const unreadable = new Set<string>();
  try {
    for await (const page of searchPages(client, { operation: 'ExportEvents', input })) {
      addUnreadable(unreadable, page);
      // Before it is written: a reader may leave early.
      if (unreadable.size > 0) process.exitCode = EXIT.partial;
      const lines = page.Events.map(jsonLine).join('');
      hash.update(lines);
      await target.write(lines);
      count += page.Events.length;
      toSequence = page.ToSequence;
    }
    await target.finish();
  } catch (error) {
    await target.abandon();
    throw error;
  }
  warnOfUnreadable(unreadable);
  say(options, `${count} events in the order of event time, then sequence; SHA-256 ${hash.digest('hex')}`);
  say(options, `everything accepted up to sequence ${toSequence} was looked at; --to-sequence ${toSequence} gives the same again`);
}

/** Writes beside `path`, and becomes `path` at the end. */
async function openFile(path: string) {
  const partial = `${path}.partial`;
  if ((await stat(path).catch(() => undefined))?.isDirectory())
    throw new UsageError(`\`--out ${safeText(path)}\` is a folder; give the name of a file in it`);
  const file = await open(partial, 'w', 0o600).catch((error: Error) => {
    throw new UsageError(`\`--out ${safeText(path)}\` cannot be written: ${error.message}`);
  });
  return {
    write: async (data: string) => void (await file.write(data)),
    finish: async () => {
      await file.sync();
      await file.close();
      await rename(partial, path);
    },
    abandon: async () => {
      await file.close();
      await rm(partial, { force: true });
    },
  };
}

async function nothing(): Promise<void> {
  // Stdout needs neither an end nor a removal.
}
