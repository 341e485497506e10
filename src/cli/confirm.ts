/**
 * Asks before something is destroyed: the name is to be typed. Without a terminal nobody can be asked, so `--yes` is needed.
 */
import { createInterface } from 'node:readline/promises';
import { CommandFailed, EXIT, UsageError } from './exit.ts';
import { safeText } from './safe-text.ts';

/**
 * Returns when the caller may go on.
 * @throws UsageError without a terminal; CommandFailed when something else was typed.
 */
export async function confirm(what: string, name: string, isYes: boolean): Promise<void> {
  if (isYes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${what} cannot be undone; pass --yes to do it without being asked`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const typed = await terminal.question(`${what} cannot be undone. Type ${safeText(name)} to go on: `);
    if (typed.trim() !== name) throw new CommandFailed(EXIT.failed, 'something else was typed; nothing was changed');
  } finally {
    terminal.close();
  }
}
