/**
 * Help texts: examples come first, because they are what people look for.
 */
import type { Command } from 'commander';

/** The last line of every help. */
export const LEARN_MORE = '\nLearn more: docs/cli.md';

/** Puts examples before a command's options. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('before', `Examples:\n${examples.map((example) => `  snowtrail ${example}\n`).join('')}`);
}
