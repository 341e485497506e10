/**
 * The filters of `events`, `tail`, `who` and `export`: as flags, or typed as `user:alice error:AccessDenied` in the query.
 *
 * All of them must hold; a list (`--accounts`, `--regions`) holds when one of its values does. The server decides what an event
 * matches: here words are only turned into the members of its input.
 */
import type { Command } from 'commander';
import { UsageError } from './exit.ts';
import { addInBrief } from './help.ts';
import { parseTime } from './parse-time.ts';
import { safeText } from './safe-text.ts';

/** What commander gives for the flags that `addFilterOptions` adds. */
export interface FilterOptions {
  readonly from?: string;
  readonly to?: string;
  readonly user?: string;
  readonly name?: string;
  readonly source?: string;
  readonly resource?: string;
  readonly ip?: string;
  readonly accessKey?: string;
  /** True: any error. */
  readonly error?: string | true;
  readonly write?: boolean;
  readonly category?: string;
  readonly accounts?: string;
  readonly regions?: string;
}

/** Members of the input of `SearchEvents` and its like. */
export interface FilterInput {
  From?: string;
  To?: string;
  User?: string;
  Name?: string;
  Source?: string;
  Resource?: string;
  Ip?: string;
  AccessKeyId?: string;
  EventId?: string;
  Error?: string;
  Write?: boolean;
  Categories?: readonly string[];
  AccountIds?: readonly string[];
  Regions?: readonly string[];
}

const TIME_OPTIONS = [
  ['--from <time>', 'earliest event time, such as -7d, 14:00 or 2026-11-20'],
  ['--to <time>', 'latest event time'],
] as const;

const FILTER_OPTIONS = [
  ...TIME_OPTIONS,
  ['--user <name>', 'user name'],
  ['--name <event>', 'event name, such as DeleteBucket'],
  ['--source <service>', 'event source, such as s3 or s3.amazonaws.com'],
  ['--resource <resource>', 'ARN, name, or s3://bucket/key'],
  ['--ip <address>', 'source IP address'],
  ['--access-key <id>', 'access key id'],
  ['--error [code]', 'failed calls, or those with this code'],
  ['--write', 'calls that changed something'],
  ['--category <names>', 'management, data, network, insight'],
  ['--accounts <ids>', 'accounts, separated by commas (default: all that the key may see)'],
  ['--regions <regions>', 'Regions, separated by commas (default: all)'],
] as const;

/** The filters in a few lines, so that a page of help stays short. */
const FILTER_HELP = `
Filters, all of which must hold; as words, too: user:alice error:AccessDenied
  --from, --to <time>  such as -7d, 14:00, yesterday, 2026-11-20T14:00:00Z (UTC)
  --user, --name, --source, --resource, --ip, --access-key <value>
  --error [code]       failed calls, or those with this code
  --write              calls that changed something
  --category, --accounts, --regions <list>  separated by commas`;

export function addTimeOptions(command: Command): Command {
  for (const [flags, description] of TIME_OPTIONS) command.option(flags, description);
  return command;
}

export function addFilterOptions(command: Command): Command {
  return addInBrief(command, FILTER_OPTIONS).addHelpText('after', FILTER_HELP);
}

/** The input members of flags and query words together. @throws UsageError */
export function filterInput(options: FilterOptions, words: readonly string[], nowMs: number): FilterInput {
  const input: FilterInput = {};
  for (const [flag, member] of TEXT_FLAGS) {
    const value = options[flag];
    if (typeof value === 'string') set(input, member, value, nowMs);
  }
  if (options.error !== undefined) input.Error = options.error === true ? '*' : options.error;
  if (options.write) input.Write = true;
  for (const word of words.flatMap((text) => text.trim().split(/\s+/)).filter((text) => text !== '')) addWord(input, word, nowMs);
  return input;
}

const TEXT_FLAGS = [
  ['from', 'From'],
  ['to', 'To'],
  ['user', 'User'],
  ['name', 'Name'],
  ['source', 'Source'],
  ['resource', 'Resource'],
  ['ip', 'Ip'],
  ['accessKey', 'AccessKeyId'],
  ['category', 'Categories'],
  ['accounts', 'AccountIds'],
  ['regions', 'Regions'],
] as const satisfies readonly (readonly [keyof FilterOptions, keyof FilterInput])[];

/** What may stand before the colon of a query word. */
const QUALIFIERS: ReadonlyMap<string, keyof FilterInput> = new Map([
  ['from', 'From'],
  ['to', 'To'],
  ['user', 'User'],
  ['actor', 'User'],
  ['name', 'Name'],
  ['source', 'Source'],
  ['resource', 'Resource'],
  ['ip', 'Ip'],
  ['key', 'AccessKeyId'],
  ['id', 'EventId'],
  ['error', 'Error'],
  ['category', 'Categories'],
  ['account', 'AccountIds'],
  ['region', 'Regions'],
]);

function addWord(input: FilterInput, word: string, nowMs: number): void {
  if (word === 'is:write') {
    input.Write = true;
    return;
  }
  const colon = word.indexOf(':');
  const member = QUALIFIERS.get(word.slice(0, Math.max(colon, 0)));
  if (member === undefined || colon === word.length - 1) {
    throw new UsageError(
      `\`${safeText(word)}\` is not a filter; expected words such as user:alice or error:AccessDenied, of: ${[...QUALIFIERS.keys()].join(', ')}, is:write`,
    );
  }
  if (input[member] !== undefined) {
    throw new UsageError(`\`${safeText(word)}\` filters a second time by the same thing; all filters must hold, so give it once`);
  }
  set(input, member, word.slice(colon + 1), nowMs);
}

function set(input: FilterInput, member: keyof FilterInput, value: string, nowMs: number): void {
  switch (member) {
    case 'From':
    case 'To':
      input[member] = new Date(parseTime(value, `--${member.toLowerCase()}`, nowMs)).toISOString();
      break;
    case 'Categories':
    case 'AccountIds':
    case 'Regions':
      input[member] = value.split(',').map((item) => item.trim());
      break;
    case 'Source':
      input.Source = value.includes('.') ? value : `${value}.amazonaws.com`;
      break;
    case 'Write':
      break;
    default:
      input[member] = value;
  }
}
