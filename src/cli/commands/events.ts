/**
 * `snowtrail events`, `who`: searches over event history, several filters at once.
 */
import { type Command, Option } from 'commander';
import type { EventView } from '../../api/event-view.ts';
import { Client } from '../client.ts';
import { parseCount } from '../counts.ts';
import { FIELDS_OPTION, fieldColumns, parseFields, pickFields } from '../event-fields.ts';
import { addFilterOptions, addTimeOptions, type FilterInput, type FilterOptions, filterInput } from '../event-filter-options.ts';
import { EVENT_COLUMNS } from '../event-view.ts';
import { CommandFailed, EXIT } from '../exit.ts';
import { findServer } from '../find-server.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printRows, say } from '../output.ts';
import { firstEvents, type SearchRequest, warnOfUnreadable } from '../search-pages.ts';
import type { Column } from '../table.ts';

interface ListOptions extends FilterOptions, GlobalOptions {
  readonly fields?: string;
  readonly limit: string;
  readonly order?: string;
  readonly failEmpty?: boolean;
}

/** What `who` shows: the sentence says all. */
const WHO_COLUMNS: readonly Column<EventView>[] = [
  { heading: 'event id', cell: (event) => event.EventId },
  { heading: 'who did what', cell: (event) => event.Sentence },
];

export function addEvents(program: Command): void {
  const command = program
    .command('events')
    .description('search event history: 90 days, newest first')
    .argument('[query...]', 'filters as words');
  addFilterOptions(command);
  addListOptions(command).addOption(new Option('--order <order>', 'which first').choices(['newest', 'oldest']).default('newest'));
  addExamples(command, [
    'events --write --from -1h',
    'events user:alice error:AccessDenied --from yesterday',
    'events --resource s3://logs/2026 --fields EventTime,Sentence',
  ]);
  command.action(async (words: string[], _: object, self: Command) => {
    const options = self.optsWithGlobals<ListOptions>();
    const input = filterInput(options, words, Date.now());
    await printSearch(options, { operation: 'SearchEvents', input: { ...input, Order: options.order! } }, EVENT_COLUMNS);
  });
}

export function addWho(program: Command): void {
  const command = program
    .command('who')
    .description('say who touched a resource, newest first')
    .argument('<resource>', 'ARN, name, or s3://bucket/key')
    .option('--write', 'only calls that changed something');
  addListOptions(addTimeOptions(command));
  addExamples(command, [
    'who snowy-pii --write',
    'who s3://snowy-pii/customers.csv --from -7d',
    'who arn:aws:iam::123837392027:role/Admin',
  ]);
  command.action(async (resource: string, _: object, self: Command) => {
    const options = self.optsWithGlobals<ListOptions>();
    const input: FilterInput = { ...filterInput(options, [], Date.now()), Resource: resource };
    await printSearch(options, { operation: 'WhoTouched', input }, WHO_COLUMNS);
  });
}

function addListOptions(command: Command): Command {
  return command
    .option(...FIELDS_OPTION)
    .option('--limit <count>', 'most events shown; 0 shows all', '50')
    .option('--fail-empty', `exit ${EXIT.notFound} when nothing matches`);
}

async function printSearch(options: ListOptions, request: SearchRequest, columns: readonly Column<EventView>[]): Promise<void> {
  const limit = parseCount(options.limit, '--limit');
  outputForm(options);
  const fields = options.fields === undefined ? undefined : parseFields(options.fields);
  const client = new Client(await findServer(options));
  const { events, hasMore, unreadable } = await firstEvents(client, request, limit);
  // Before it is printed: a reader may leave early.
  if (unreadable.size > 0) process.exitCode = EXIT.partial;
  if (fields === undefined) await printRows(options, columns, events);
  else {
    const picked = events.map((event) => pickFields(fields, event));
    await printRows(options, fieldColumns(fields), picked);
  }
  const isPartial = warnOfUnreadable(unreadable);
  if (events.length === 0 && !isPartial) {
    const message = 'no event matches; widen the filters or the time (--from -90d), or wait a second if it happened just now';
    if (options.failEmpty) throw new CommandFailed(EXIT.notFound, message);
    say(options, message);
  }
  if (hasMore) say(options, `these are the first ${events.length}; --limit 0 shows all`);
}
