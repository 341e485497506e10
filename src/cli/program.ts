/**
 * All commands, with the options and the last line of help that each of them has.
 */
import { Command } from 'commander';
import { addAccess } from './commands/access.ts';
import { addAccounts } from './commands/accounts.ts';
import { addApprovals } from './commands/approvals.ts';
import { addDemo } from './commands/demo.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEnv } from './commands/env.ts';
import { addEvent } from './commands/event.ts';
import { addEvents, addWho } from './commands/events.ts';
import { addEvidence } from './commands/evidence.ts';
import { addExport } from './commands/export.ts';
import { addKeys } from './commands/keys.ts';
import { addRoles } from './commands/roles.ts';
import { addStart } from './commands/start.ts';
import { addImport, addRecord } from './commands/submit.ts';
import { addTail } from './commands/tail.ts';
import { addTrails } from './commands/trails.ts';
import { addTrailsTest } from './commands/trails-test.ts';
import { addUsers } from './commands/users.ts';
import { addVerify } from './commands/verify.ts';
import { addGlobalOptions } from './global-options.ts';
import { HELP_LAYOUT, LEARN_MORE, nameInBrief } from './help.ts';
import { writeOut } from './output.ts';

const VERSION = '0.1.0';

/** The whole command line, which has read nothing yet. */
export function makeProgram(): Command {
  const program = new Command('snowtrail')
    .description('the CloudTrail that anyone can run')
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp(HELP_LAYOUT)
    // The same beginning as all that the command line says, and what to do next.
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'snowtrail: ')) })
    .showHelpAfterError('  `--help` tells what is expected');
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
    (to: Command) => addTrailsTest(addTrails(to)),
    addEvidence,
    addAccounts,
    addKeys,
    addUsers,
    addRoles,
    addAccess,
    addApprovals,
    addDoctor,
  ])
    add(program);
  program
    .command('version')
    .description('print the version')
    .action(() => writeOut(`${VERSION}\n`));
  for (const command of program.commands) {
    if (['start', 'demo', 'version'].includes(command.name())) command.addHelpText('afterAll', LEARN_MORE);
    else addGlobalOptions(command);
  }
  nameInBrief(program, 'Who may do what', ['accounts', 'keys', 'users', 'roles', 'access', 'approvals']);
  program.addHelpText('after', LEARN_MORE.trimStart());
  return program;
}
