/**
 * `snowtrail record` and `snowtrail import`: send records to the server.
 */
import type { Command } from 'commander';
import { Client } from '../client.ts';
import { CommandFailed, EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { jsonLine, outputForm, say, writeOut } from '../output.ts';
import { safeText } from '../safe-text.ts';
import { type SubmitReport, submitFiles } from '../submit-files.ts';

/** Refused records that a table names. */
const SHOWN_MAX = 20;

interface Options {
  readonly shiftTo?: string;
  readonly createAccounts?: boolean;
  readonly resume?: string;
}

export function addRecord(program: Command): void {
  const command = program
    .command('record')
    .description('submit events from files, folders or - (standard input)')
    .argument('<path...>', 'NDJSON or {"Records":[…]}, plain or gzip')
    .option('--shift-to <time>', '`now`: move the newest event to now by rewriting eventTime, before sending')
    .option('--create-accounts', 'make accounts that do not exist yet')
    .option('--resume <file>', 'remember in this file what is done, and go on from it')
    .action((paths: string[], options: Options, self: Command) => submit('record', paths, options, self));
  addExamples(command, ['record events.ndjson', 'record ./AWSLogs --shift-to now', 'record - < a.json.gz']);
}

export function addImport(program: Command): void {
  const command = program
    .command('import')
    .description('take in older log files, for history and evidence, not trails')
    .argument('<source...>', 'folders or files')
    .option('--create-accounts', 'make accounts that do not exist yet')
    .option('--resume <file>', 'remember in this file what is done, and go on from it')
    .action((paths: string[], options: Options, self: Command) => submit('import', paths, options, self));
  addExamples(command, ['import ./AWSLogs --create-accounts', 'import ./AWSLogs --resume import.state']);
}

async function submit(source: 'record' | 'import', paths: readonly string[], options: Options, command: Command): Promise<void> {
  const isS3 = paths.find((path) => path.startsWith('s3://'));
  if (isS3 !== undefined) throw new UsageError(`\`${isS3}\`: reading from a bucket is not built yet; copy it first with \`aws s3 sync\``);
  if (options.shiftTo !== undefined && options.shiftTo !== 'now') throw new UsageError('--shift-to knows `now` only');
  const shared = globalOptions(command);
  const form = outputForm(shared);
  const client = new Client(await findServer(shared));
  const log = options.resume === undefined ? undefined : (await client.call<{ readonly Origin: string }>('ListEvidenceKeys')).Origin;
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once('SIGINT', interrupt);
  try {
    const report = await submitFiles(client, paths, {
      source,
      createAccounts: options.createAccounts ?? false,
      isQuiet: shared.quiet ?? false,
      signal: interrupted.signal,
      ...(options.shiftTo === undefined ? {} : { shiftToMs: Date.now() }),
      ...(options.resume === undefined ? {} : { resume: options.resume }),
      ...(log === undefined ? {} : { log }),
    });
    if (report.rejected > 0 || report.failedFiles.length > 0) process.exitCode = EXIT.partial;
    await print(report, form);
    if (report.isInterrupted) {
      const hint =
        options.resume === undefined
          ? 'what was sent stays; send it all again, repeats are recognised'
          : `go on with --resume ${options.resume}`;
      throw new CommandFailed(EXIT.interrupted, `interrupted; ${hint}`);
    }
    if (report.rejected > 0)
      say(
        shared,
        `refused: ${report.rejected}; correct what is named and run this again: a file that changed is sent again, also with --resume`,
      );
    if (report.rejected + report.failedFiles.length + report.accepted + report.repeated + report.skipped === 0)
      say(
        shared,
        'nothing was sent: no events were found; in folders, files of events end with .json, .ndjson, .jsonl or .log, with or without .gz',
      );
  } finally {
    process.removeListener('SIGINT', interrupt);
  }
}

async function print(report: SubmitReport, form: string): Promise<void> {
  if (form !== 'table') {
    await writeOut(jsonLine(report));
    return;
  }
  const lines = [
    `files      ${report.files}${report.skipped > 0 ? ` (${report.skipped} done before)` : ''}${report.passedOver > 0 ? `, ${report.passedOver} passed over` : ''}`,
    ...Object.entries(report.passedOverKinds).map(([kind, count]) => `  passed over ${count} ${kind}`),
    `events     ${report.accepted + report.repeated + report.rejected - report.rejectedBefore}`,
    `accepted   ${report.accepted}${report.conflicting > 0 ? ` (${report.conflicting} repeat an id with other bytes)` : ''}`,
    `repeated   ${report.repeated}`,
    `rejected   ${report.rejected}${report.rejectedBefore > 0 ? ` (${report.rejectedBefore} in files done before)` : ''}`,
    ...Object.entries(report.reasons).map(([code, count]) => `  ${code}: ${count}`),
    ...report.rejections.slice(0, SHOWN_MAX).map(({ file, number, code, reason }) => `  ${file}:${number}: ${code}: ${reason}`),
    ...moreRejections(report),
    ...report.failedFiles.map(({ file, reason }) => `unreadable ${file}: ${reason}`),
  ];
  await writeOut(`${lines.map(safeText).join('\n')}\n`);
}

function moreRejections({ rejected, rejectedBefore, rejections }: SubmitReport): readonly string[] {
  const shown = Math.min(rejections.length, SHOWN_MAX);
  if (rejected === shown) return [];
  const isMoreNamed = rejections.length > shown;
  const advice = [
    ...(isMoreNamed ? [`\`-o json\` names ${rejections.length.toLocaleString('en')} of all`] : []),
    ...(rejected > rejections.length && rejectedBefore > 0 ? ['a file sent without --resume names its own again'] : []),
  ];
  return [`  and ${rejected - shown} more${advice.length === 0 ? '' : `: ${advice.join('; ')}`}`];
}
