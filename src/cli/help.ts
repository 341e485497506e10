/**
 * Help texts: examples come first, because they are what people look for. A page fits into 24 lines of 80 characters; what does
 * not fit is in `docs/cli.md`.
 */
import { type Command, type Help, type HelpConfiguration, Option } from 'commander';

/** The last line of every help. */
export const LEARN_MORE = '\nLearn more: docs/cli.md';

const WIDTH_MAX = 80;
const IN_BRIEF = 'in brief';

/** Puts examples before a command's options. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('before', `Examples:\n${examples.map((example) => `  snowtrail ${example}\n`).join('')}`);
}

/**
 * Adds options that a page names in a few lines of its own in place of a line each. They are not hidden from the parser,
 * which names the right one to who mistypes it.
 */
export function addInBrief(command: Command, options: readonly (readonly [flags: string, description: string])[]): Command {
  for (const [flags, description] of options) command.addOption(new Option(flags, description).helpGroup(IN_BRIEF));
  return command;
}

/** Names commands in one line in place of a line each. */
export function nameInBrief(program: Command, heading: string, names: readonly string[]): void {
  for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(IN_BRIEF);
  program.addHelpText('after', `\n${heading}: ${names.join(', ')}`);
}

/** How a page is laid out: usage, what the command does, then one list of what it takes. */
export const HELP_LAYOUT: HelpConfiguration = { formatHelp };

function formatHelp(command: Command, helper: Help): string {
  const rows = [
    ...helper.visibleArguments(command).map((each) => [helper.argumentTerm(each), helper.argumentDescription(each)] as const),
    ...helper.visibleOptions(command).flatMap((each) => {
      // Who reads this found `--help`.
      return each.long === '--help' || each.helpGroupHeading === IN_BRIEF
        ? []
        : [[helper.optionTerm(each), helper.optionDescription(each)] as const];
    }),
    ...helper.visibleCommands(command).flatMap((each) => {
      const words = [each.name(), ...each.registeredArguments.map((argument) => helper.argumentTerm(argument)).map((term) => `<${term}>`)];
      return each.name() === 'help' || each.helpGroup() === IN_BRIEF
        ? []
        : [[command.parent === null ? each.name() : words.join(' '), each.description()] as const];
    }),
  ];
  const termWidth = Math.max(0, ...rows.map(([term]) => term.length));
  helper.helpWidth = Math.min(helper.helpWidth ?? WIDTH_MAX, WIDTH_MAX);
  const lines = [
    `Usage: ${helper.commandUsage(command)}`,
    helper.boxWrap(command.description(), helper.helpWidth),
    ...(rows.length === 0 ? [] : ['']),
    ...rows.map(([term, description]) => helper.formatItem(term, termWidth, description, helper)),
  ];
  return `${lines.join('\n')}\n`;
}
