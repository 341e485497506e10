/**
 * Options that every command knows: where the server is, who asks, and how the answer looks.
 *
 * A command's help names them in two lines, so that it stays one short page; `docs/cli.md` says the rest.
 */
import type { Command } from 'commander';
import type { ServerOptions } from './find-server.ts';
import { addInBrief, LEARN_MORE } from './help.ts';

export type OutputForm = 'table' | 'json' | 'ndjson';

export interface GlobalOptions extends ServerOptions {
  readonly output?: OutputForm;
  readonly quiet?: boolean;
}

const OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--endpoint <url>', 'URL of the server'],
  ['--data-dir <folder>', 'data directory of a server on this machine'],
  ['--account <digits>', 'use the key of this account, with --data-dir'],
  ['--region <region>', 'Region of the calls'],
  ['--profile <name>', 'profile of the AWS credentials file'],
  ['-o, --output <form>', 'table, json or ndjson (default: table on a terminal, else ndjson)'],
  ['-q, --quiet', 'no progress'],
];

const HELP = `
Every command: --data-dir <folder> or --endpoint <url>, --account, --region,
  --profile, -o table|json|ndjson, -q${LEARN_MORE}`;

/** Adds the options to a command. */
export function addGlobalOptions(command: Command): Command {
  return addInBrief(command, OPTIONS).addHelpText('afterAll', HELP);
}

/** The global options as they stand for a command, its own over its parents'. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}
