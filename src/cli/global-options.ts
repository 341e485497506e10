/**
 * Options that every command knows: where the server is, who asks, and how the answer looks.
 */
import type { Command } from 'commander';
import type { ServerOptions } from './find-server.ts';

export type OutputForm = 'table' | 'json' | 'ndjson';

export interface GlobalOptions extends ServerOptions {
  readonly output?: OutputForm;
  readonly quiet?: boolean;
}

/** Adds the options to a command. */
export function addGlobalOptions(command: Command): Command {
  return command
    .option('--endpoint <url>', 'URL of the server')
    .option('--data-dir <folder>', 'data directory of a server on this machine')
    .option('--account <digits>', 'use the key of this account, with --data-dir')
    .option('--region <region>', 'Region of the calls')
    .option('--profile <name>', 'profile of the AWS credentials file')
    .option('-o, --output <form>', 'table, json or ndjson (default: table on a terminal, else ndjson)')
    .option('-q, --quiet', 'no progress');
}

/** The global options as they stand for a command, its own over its parents'. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}
