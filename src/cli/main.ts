/**
 * The command line. Data goes to stdout, talk to stderr; exit codes are in `exit.ts`.
 */
import { Command, CommanderError } from 'commander';
import { addAccounts } from './commands/accounts.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEnv } from './commands/env.ts';
import { addEvent } from './commands/event.ts';
import { addEvents, addWho } from './commands/events.ts';
import { addEvidence } from './commands/evidence.ts';
import { addExport } from './commands/export.ts';
import { addKeys } from './commands/keys.ts';
import { addStart } from './commands/start.ts';
import { addImport, addRecord } from './commands/submit.ts';
import { addTail } from './commands/tail.ts';
import { addTrails } from './commands/trails.ts';
import { addVerify } from './commands/verify.ts';
import { CommandFailed, EXIT, UsageError } from './exit.ts';
import { addGlobalOptions } from './global-options.ts';
import { LEARN_MORE } from './help.ts';
import { writeOut } from './output.ts';

const VERSION = '0.1.0';

async function main(words: readonly string[]): Promise<number> {
  const program = new Command('snowtrail')
    .description('the CloudTrail that anyone can run')
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false });
  addStart(program);
  addDemo(program);
  for (const add of [
    addEnv,
    addRecord,
    addImport,
    addVerify,
    addEvents,
    addTail,
    addEvent,
    addWho,
    addExport,
    addTrails,
    addEvidence,
    addAccounts,
    addKeys,
    addDoctor,
  ])
    add(program);
  for (const command of program.commands) {
    if (['start', 'demo'].includes(command.name())) command.addHelpText('afterAll', LEARN_MORE);
    else addGlobalOptions(command);
  }
  program
    .command('version')
    .description('print the version')
    .action(() => writeOut(`${VERSION}\n`));
  program.addHelpText('after', LEARN_MORE);
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
