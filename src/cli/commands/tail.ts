/**
 * `snowtrail tail`: events as they come in, until Ctrl-C.
 */
import type { Command } from 'commander';
import type { EventView } from '../../api/event-view.ts';
import { Client } from '../client.ts';
import { parseCount } from '../counts.ts';
import { type EventField, FIELDS_OPTION, fieldColumns, parseFields, pickFields } from '../event-fields.ts';
import { addFilterOptions, type FilterOptions, filterInput } from '../event-filter-options.ts';
import { type SearchPage, shortTime } from '../event-view.ts';
import { EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { jsonLine, outputForm, say, writeOut } from '../output.ts';
import { safeText } from '../safe-text.ts';
import { addUnreadable, firstEvents, warnOfUnreadable } from '../search-pages.ts';

interface TailOptions extends FilterOptions, GlobalOptions {
  readonly fields?: string;
  readonly lines: string;
  readonly limit: string;
}

interface TailPage extends Pick<SearchPage, 'Events' | 'Unreadable'> {
  readonly NextSequence: string;
}

export function addTail(program: Command): void {
  const command = program
    .command('tail')
    .description('show events as they come in, until Ctrl-C')
    .argument('[query...]', 'filters as words');
  addFilterOptions(command)
    .option(...FIELDS_OPTION)
    .option('-n, --lines <count>', 'newest events shown first', '10')
    .option('--limit <count>', 'end after this many events; 0 never ends', '0');
  addExamples(command, ['tail', 'tail --write --error', 'tail user:alice -n 0 -o ndjson | jq .Sentence']);
  command.action(async (words: string[], _: object, self: Command) => {
    await tail(self.optsWithGlobals<TailOptions>(), words);
  });
}

async function tail(options: TailOptions, words: readonly string[]): Promise<void> {
  const input = filterInput(options, words, Date.now());
  const lines = parseCount(options.lines, '--lines');
  const limit = parseCount(options.limit, '--limit');
  const line = lineFor(outputForm(options), options.fields === undefined ? undefined : parseFields(options.fields));
  const client = new Client(await findServer(options));
  process.once('SIGINT', () => process.exit(EXIT.interrupted));

  // The search says up to which sequence it saw, and the tail goes on from there: nothing falls between the two.
  const past = await firstEvents(client, { operation: 'SearchEvents', input }, Math.max(lines, 1));
  const shown = lines === 0 ? [] : past.events.toReversed().slice(limit === 0 ? 0 : -limit);
  await writeOut(shown.map(line).join(''));
  warnOfUnreadable(past.unreadable);
  say(options, 'waiting for events; Ctrl-C ends');
  let left = limit === 0 ? Number.POSITIVE_INFINITY : limit - shown.length;
  for (let after = past.toSequence; left > 0; ) {
    const page = await client.call<TailPage>('TailEvents', { ...input, AfterSequence: after });
    const events = page.Events.slice(0, left);
    await writeOut(events.map(line).join(''));
    const unreadable = new Set<string>();
    addUnreadable(unreadable, page);
    warnOfUnreadable(unreadable);
    left -= events.length;
    after = page.NextSequence;
  }
}

function lineFor(form: 'table' | 'json' | 'ndjson', fields: readonly EventField[] | undefined): (event: EventView) => string {
  switch (form) {
    case 'table':
      if (fields !== undefined) return (event) => `${fieldCells(fields, event).map(safeText).join('  ')}\n`;
      return (event) => `${shortTime(event.EventTime)}  ${event.AccountId}  ${safeText(event.Sentence)}\n`;
    case 'ndjson':
      return (event) => jsonLine(fields === undefined ? event : pickFields(fields, event));
    case 'json':
      throw new UsageError('a tail never ends, so it has no JSON array; use `-o ndjson`');
  }
}

/** One line has no columns to line up with: the values alone. */
function fieldCells(fields: readonly EventField[], event: EventView): string[] {
  const picked = pickFields(fields, event);
  return fieldColumns(fields).map(({ cell }) => String(cell(picked) ?? '-'));
}
