/**
 * The filters of `events`, `tail`, `who` and `export`: as flags, or typed as `user:alice error:AccessDenied` in the query.
 *
 * All of them must hold; a list (`--accounts`, `--regions`) holds when one of its values does. The server decides what an event
 * matches: here words are only turned into the members of its input.
 */
import type { Command } from 'commander';
import { UsageError } from './exit.ts';
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

export function addTimeOptions(command: Command): Command {
  return command
    .option('--from <time>', 'earliest event time, such as -7d, 14:00 or 2026-11-20T14:00:00Z')
    .option('--to <time>', 'latest event time');
}

export function addFilterOptions(command: Command): Command {
  return addTimeOptions(command)
    .option('--user <name>', 'user name')
    .option('--name <event>', 'event name, such as DeleteBucket')
    .option('--source <service>', 'event source, such as s3 or s3.amazonaws.com')
    .option('--resource <resource>', 'ARN, name, or s3://bucket/key')
    .option('--ip <address>', 'source IP address')
    .option('--access-key <id>', 'access key id')
    .option('--error [code]', 'failed calls, or those with this code')
    .option('--write', 'calls that changed something')
    .option('--category <names>', 'management, data, network, insight')
    .option('--accounts <ids>', 'accounts, separated by commas (default: all that the key may see)')
    .option('--regions <regions>', 'Regions, separated by commas (default: all)');
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
  if (input.From !== undefined && input.To !== undefined && Date.parse(input.From) > Date.parse(input.To)) {
    throw new UsageError(`the search ends (${input.To}) before it begins (${input.From}); swap --from and --to`);
  }
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

const CATEGORIES: readonly string[] = ['management', 'data', 'network', 'insight'];

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
      input.Categories = value.split(',').map((item) => categoryOf(item.trim()));
      break;
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

function categoryOf(text: string): string {
  if (CATEGORIES.includes(text)) return text;
  throw new UsageError(`\`${safeText(text)}\` is no category of events; expected ${CATEGORIES.join(', ')}`);
}
