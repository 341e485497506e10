/**
 * `snowtrail doctor trail NAME`: whether a trail may deliver where it is to deliver, and what its bucket's policy lacks.
 *
 * Exit 1 when anything is in the way. The corrected policy goes to standard output as JSON with `-o json`, so that it can be put.
 * Source: features.md EN3.
 */
import type { Command } from 'commander';
import { EXIT } from '../exit.ts';
import type { GlobalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { outputForm, printFacts, writeOut } from '../output.ts';
import { safeText } from '../safe-text.ts';
import { type Column, formatTable } from '../table.ts';
import { findTrail } from './trails.ts';

interface Check {
  readonly Check: string;
  readonly Resource: string;
  readonly Holds?: string;
  readonly Problem?: string;
  readonly CorrectedPolicy?: string;
}

const COLUMNS: readonly Column<Check>[] = [
  { heading: 'check', cell: (check) => check.Check },
  { heading: 'resource', cell: (check) => check.Resource },
  { heading: 'state', cell: (check) => (check.Problem === undefined ? check.Holds : 'not as it should be') },
];

export function addDoctorTrail(doctor: Command): void {
  const command = doctor
    .command('trail')
    .argument('<name>', 'name or ARN of the trail')
    .description('check that a trail may deliver, and print each policy that would let it');
  addExamples(command, ['doctor trail main', "doctor trail main -o json | jq -r '.Checks[0].CorrectedPolicy'"]);
  command.action(async (name: string, _: object, self: Command) => {
    const options = self.optsWithGlobals<GlobalOptions>();
    const form = outputForm(options);
    const { arn, home } = await findTrail(options, name);
    const answer = await home.call<{ readonly TrailARN: string; readonly Checks: readonly Check[] }>('CheckTrail', { Name: arn });
    const problems = answer.Checks.filter(({ Problem }) => Problem !== undefined);
    if (problems.length > 0) process.exitCode = EXIT.failed;
    if (form !== 'table') return printFacts(options, [], { ...answer });
    await writeOut(formatTable(COLUMNS, answer.Checks));
    for (const { Problem, CorrectedPolicy } of problems) {
      process.stderr.write(`snowtrail: ${safeText(Problem!)}\n`);
      if (CorrectedPolicy !== undefined)
        process.stderr.write(`The corrected policy:\n${JSON.stringify(JSON.parse(CorrectedPolicy), null, 2)}\n`);
    }
  });
}
