import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { makeProgram } from './program.ts';

/** A command and all that are within it. */
function withCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withCommands)];
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** What `--help` prints on a terminal of 80 columns. */
function helpOf(command: Command): string {
  let text = '';
  const print = (more: string) => {
    text += more;
  };
  command.configureOutput({ writeOut: print, getOutHelpWidth: () => 80, getOutHasColors: () => false });
  command.outputHelp();
  return text;
}

describe('every page of help', () => {
  const pages = withCommands(makeProgram()).map((command) => [nameOf(command), helpOf(command)] as const);

  test('is looked at', () => {
    expect(pages.map(([name]) => name)).toEqual(expect.arrayContaining(['snowtrail', 'snowtrail events', 'snowtrail trails status']));
  });

  test.each(pages)('`%s --help` fits on a terminal of 24 lines and 80 columns, and says where there is more', (_, text) => {
    const lines = text.trimEnd().split('\n');
    expect(lines.length, text).toBeLessThanOrEqual(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.at(-1)).toBe('Learn more: docs/cli.md');
  });

  test('names each option that its command takes', () => {
    for (const command of withCommands(makeProgram())) {
      const text = helpOf(command);
      const options = command.options.filter(({ long }) => !EVERYWHERE.has(long ?? ''));
      for (const { long } of options) expect(text, nameOf(command)).toContain(long);
    }
  });
});

/** Options that the last lines name in words. */
const EVERYWHERE: ReadonlySet<string> = new Set(['--output', '--quiet']);
