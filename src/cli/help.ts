/**
 * Help texts: examples come first, because they are what people look for.
 */
import type { Command } from 'commander';

/** Puts examples before a command's options. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('before', `Examples:\n${examples.map((example) => `  snowtrail ${example}\n`).join('')}`);
}
