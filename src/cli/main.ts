/**
 * The command line. Data goes to stdout, talk to stderr; exit codes are in `exit.ts`.
 */
import { CommanderError } from 'commander';
import { CommandFailed, EXIT, UsageError } from './exit.ts';
import { endWithReader } from './output.ts';
import { makeProgram } from './program.ts';

async function main(words: readonly string[]): Promise<number> {
  endWithReader();
  const program = makeProgram();
  try {
    await program.parseAsync([...words], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof UsageError) return say(EXIT.usage, error.message);
    if (error instanceof CommandFailed) return say(error.exitCode, error.message);
    return say(EXIT.failed, error instanceof Error ? error.message : String(error));
  }
}

function say(exitCode: number, message: string): number {
  process.stderr.write(`snowtrail: ${message}\n`);
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
