/**
 * `snowtrail verify`: holds evidence against its receipts, offline or beside a running server.
 *
 * Exit codes are a verdict (reliability.md P13): 0 complete and consistent, 1 tampered, 2 incomplete or nothing to hold
 * it against; 64 for wrong use.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { bucketSource } from '../../verify/bucket-source.ts';
import { folderSource } from '../../verify/folder-source.ts';
import { formatReport } from '../../verify/format-report.ts';
import type { OpenPlace } from '../../verify/open-places.ts';
import type { Finding, VerifyReport } from '../../verify/report.ts';
import { type PinnedKeys, parsePinnedKeys } from '../../verify/trust.ts';
import { type VerifyOptions, verify } from '../../verify/verify.ts';
import { Client } from '../client.ts';
import { CommandFailed, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { type GlobalOptions, globalOptions } from '../global-options.ts';
import { addExamples } from '../help.ts';
import { findJournalDamage } from '../journal-findings.ts';
import { outputForm, writeOut } from '../output.ts';
import { parseTime } from '../parse-time.ts';
import { s3Request } from '../s3-request.ts';
import { safeText } from '../safe-text.ts';

interface Options {
  readonly publicKey?: readonly string[];
  readonly state?: string;
  readonly from?: string;
  readonly to?: string;
  readonly offline?: boolean;
  readonly relocated?: boolean;
  readonly jobs?: string;
  readonly verbose?: boolean;
}

/** A folder, or a bucket with all that its trails lead to. */
interface Target {
  readonly title: string;
  readonly options: Pick<VerifyOptions, 'source' | 'openPlace' | 'callServer' | 'trails'>;
}

/** The exit code of a check that could not be made whole. */
const INCOMPLETE = 2;

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('check log files, digests and receipts (no target: all trails)')
    .argument('[target]', 'trail (name or ARN), s3://BUCKET[/PREFIX], or folder')
    .option('--public-key <file...>', 'trusted: C2SP lines, PEM, JSON of list-public-keys')
    .option('--state <file>', 'what the last run knew; written after a verdict of 0')
    .option('--from <time>', 'only files of this time on, such as -7d or 2026-11-20')
    .option('--to <time>', 'only files up to this time')
    .option('--offline', 'ask no server')
    .option('--relocated', 'the files were copied from another bucket or prefix')
    .option('--jobs <count>', 'reads at once')
    .option('--verbose', 'name valid files, too')
    .addHelpText('after', '\nExit: 0 complete and consistent, 1 tampered, 2 incomplete or nothing to compare');
  addExamples(command, ['verify', 'verify s3://trail-bucket --public-key keys.txt', 'verify ./copy --offline --public-key keys.txt']);
  command.action(async (target: string | undefined, options: Options, command: Command) => {
    try {
      const shared = globalOptions(command);
      outputForm(shared);
      await run(target, options, shared);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      // No failure is a verdict of tampering: whatever could not be reached, read or written leaves the check incomplete.
      throw new CommandFailed(INCOMPLETE, error instanceof Error ? error.message : String(error));
    }
  });
}

async function run(target: string | undefined, options: Options, shared: GlobalOptions): Promise<void> {
  // What was typed wrongly is told before anything is asked, also where there is nothing to verify.
  const given = await givenOptions(options, shared);
  const { targets, findings } = await workOf(target, options, shared);
  const reports = await runAll(targets, findings, given, shared);
  // Tampered says more than incomplete, and both say more than consistent. Known before it is printed: a reader may leave early.
  const codes = reports.map(({ report }) => report.exitCode);
  process.exitCode = codes.includes(1) || findings.length > 0 ? 1 : codes.includes(INCOMPLETE) || codes.length === 0 ? INCOMPLETE : 0;
  await print(reports, shared, options);
  // Without a trail there is no report to hold them.
  if (reports.length === 0) for (const { message } of findings) process.stderr.write(`snowtrail: ${safeText(message)}\n`);
}

/** What is to be verified, and what the server says of its journal when all of it is. */
interface Work {
  readonly targets: readonly Target[];
  readonly findings: readonly Finding[];
}

async function workOf(target: string | undefined, options: Options, shared: GlobalOptions): Promise<Work> {
  if (target?.startsWith('s3://')) return { targets: [await bucketTarget(target, options, shared)], findings: [] };
  const isFolder = target !== undefined && (options.offline || target.includes('/') || target === '.') && !target.startsWith('arn:');
  if (isFolder) {
    const server = options.offline ? {} : await serverOf(shared);
    return { targets: [{ title: target, options: { source: await folderSource(target), ...server } }], findings: [] };
  }
  const clients = await clientsOf(shared);
  const targets = await Promise.all(clients.map((client) => trailTargets(client, target)));
  if (target !== undefined && targets.flat().length === 0) {
    const isThere = (await stat(target).catch(() => undefined)) !== undefined;
    throw new CommandFailed(
      INCOMPLETE,
      `no trail that the key may see is called \`${target}\`; ${isThere ? `write ./${target} to verify the folder` : '`snowtrail trails list` names them'}`,
    );
  }
  // Of several keys only the administrator's is told of damage.
  const findings = target === undefined ? await Promise.all(clients.map(findJournalDamage)) : [];
  return { targets: targets.flat(), findings: findings.flat() };
}

/** The server's word beside a folder, when one was named; a folder alone is verified offline. */
async function serverOf(shared: GlobalOptions): Promise<Pick<VerifyOptions, 'callServer'>> {
  if (shared.endpoint === undefined && shared.dataDir === undefined) return {};
  const client = new Client(await findServer(shared));
  return { callServer: (operation, input) => client.call(operation, input) };
}

async function bucketTarget(target: string, options: Options, shared: GlobalOptions): Promise<Target> {
  const [bucket = '', ...rest] = target.slice('s3://'.length).split('/');
  if (bucket === '') throw new UsageError(`\`${target}\` names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX`);
  const client = new Client(await findServer(shared));
  const openPlace = placesOf(client);
  const source = openPlace({ bucket, prefix: rest.join('/') });
  const callServer = options.offline ? {} : { callServer: (operation: string, input: object) => client.call(operation, input) };
  return { title: target, options: { source, openPlace, ...callServer } };
}

/** Buckets at the client's endpoint, read with its key. */
function placesOf({ access }: Client): OpenPlace {
  return ({ bucket, prefix }) => bucketSource({ bucket, prefix, request: s3Request(access, bucket) });
}

/** A client for each account whose key the data directory keeps; the one key of an endpoint otherwise. */
async function clientsOf(shared: GlobalOptions): Promise<readonly Client[]> {
  const access = await findServer(shared);
  const dataDir = shared.dataDir ?? process.env['SNOWTRAIL_DATA_DIR'] ?? './snowtrail-data';
  if (access.account === undefined || shared.account !== undefined) return [new Client(access)];
  const accounts = (await readdir(join(dataDir, 'access-keys'))).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, 12));
  return Promise.all(accounts.sort().map(async (account) => new Client(await findServer({ ...shared, dataDir, account }))));
}

interface TrailEvidence {
  readonly TrailARN: string;
  readonly Account: string;
  readonly S3BucketName: string;
  readonly S3KeyPrefix?: string;
  readonly Places: readonly Pick<TrailEvidence, 'S3BucketName' | 'S3KeyPrefix'>[];
}

/** The account's trails, all or those of this name or ARN: one target for each set of them that share a place, now or before a move. */
async function trailTargets(client: Client, wanted: string | undefined): Promise<readonly Target[]> {
  const { Trails } = await client.call<{ Trails: readonly TrailEvidence[] }>('GetTrailEvidence');
  // Found here and not by the server, which refuses a name that the account has none of: the trail may be another account's.
  const trails = Trails.filter(({ TrailARN }) => wanted === undefined || TrailARN === wanted || TrailARN.endsWith(`:trail/${wanted}`));
  const openPlace = placesOf(client);
  return trailsByPlaces(trails).map((together) => {
    const { S3BucketName: bucket, S3KeyPrefix, Account } = together[0]!;
    const prefix = `${S3KeyPrefix === undefined ? '' : `${S3KeyPrefix}/`}AWSLogs/${Account}/`;
    return {
      title: `s3://${bucket}/${prefix}`,
      options: {
        source: openPlace({ bucket, prefix }),
        openPlace,
        callServer: (operation, input) => client.call(operation, input),
        ...(wanted === undefined ? {} : { trails: together.map(({ TrailARN }) => TrailARN) }),
      },
    };
  });
}

function trailsByPlaces(trails: readonly TrailEvidence[]): readonly (readonly TrailEvidence[])[] {
  let sets: readonly { readonly places: ReadonlySet<string>; readonly trails: readonly TrailEvidence[] }[] = [];
  for (const trail of trails) {
    const names = [trail, ...trail.Places].map(({ S3BucketName, S3KeyPrefix = '' }) => `${S3BucketName}/${S3KeyPrefix}`);
    const shared = sets.filter(({ places }) => names.some((name) => places.has(name)));
    const places = new Set([...names, ...shared.flatMap((set) => [...set.places])]);
    const together = { places, trails: [...shared.flatMap((set) => set.trails), trail] };
    sets = [...sets.filter((set) => !shared.includes(set)), together];
  }
  return sets.map((set) => set.trails);
}

/** What the flags say to every verification. @throws UsageError */
async function givenOptions(options: Options, shared: GlobalOptions): Promise<Partial<VerifyOptions>> {
  const pinnedKeys = await readKeys(options.publicKey ?? []);
  return {
    ...(pinnedKeys === undefined ? {} : { pinnedKeys }),
    ...(options.state === undefined ? {} : { statePath: options.state }),
    ...(options.from === undefined ? {} : { from: timeOf(options.from, '--from') }),
    ...(options.to === undefined ? {} : { to: timeOf(options.to, '--to') }),
    ...(shared.region === undefined ? {} : { regions: [shared.region] }),
    ...(options.relocated ? { isRelocated: true } : {}),
    ...(options.jobs === undefined ? {} : { jobs: countOf(options.jobs) }),
  };
}

async function runAll(
  targets: readonly Target[],
  findings: readonly Finding[],
  given: Partial<VerifyOptions>,
  shared: GlobalOptions,
): Promise<readonly { readonly title: string; readonly report: VerifyReport }[]> {
  const isShown = process.stderr.isTTY === true && shared.quiet !== true;
  const reports = [];
  for (const [place, target] of targets.entries()) {
    const report = await verify({
      ...target.options,
      // The journal is one: said once.
      ...(place === 0 ? { findings } : {}),
      ...given,
      ...(isShown
        ? {
            onProgress: ({ phase, done, total }) =>
              process.stderr.write(`\r\u001b[K  ${phase} ${done}${total === undefined ? '' : `/${total}`}`),
          }
        : {}),
    });
    if (isShown) process.stderr.write('\r\u001b[K');
    reports.push({ title: target.title, report });
  }
  return reports;
}

async function print(
  reports: readonly { readonly title: string; readonly report: VerifyReport }[],
  shared: GlobalOptions,
  options: Options,
): Promise<void> {
  if (shared.output === 'json' || shared.output === 'ndjson') {
    const values = reports.map(({ report }) => report);
    await writeOut(
      shared.output === 'json'
        ? `${JSON.stringify(values.length === 1 ? values[0] : values, null, 2)}\n`
        : values.map((value) => `${JSON.stringify(value)}\n`).join(''),
    );
    return;
  }
  for (const { report } of reports) await writeOut(formatReport(report, { isVerbose: options.verbose ?? false }));
  if (reports.length === 0)
    await writeOut('no trail delivers anything: there is nothing to verify. `aws cloudtrail create-trail` makes one.\n');
}

async function readKeys(paths: readonly string[]): Promise<PinnedKeys | undefined> {
  if (paths.length === 0) return undefined;
  const keys = await Promise.all(
    paths.map(async (path) => {
      try {
        return parsePinnedKeys(await readFile(path, 'utf8'));
      } catch (cause) {
        throw new UsageError(`\`--public-key ${path}\` cannot be used: ${(cause as Error).message}`);
      }
    }),
  );
  return { checkpoint: keys.flatMap(({ checkpoint }) => checkpoint), digest: keys.flatMap(({ digest }) => digest) };
}

function timeOf(text: string, flag: string): Date {
  return new Date(parseTime(text, flag, Date.now()));
}

function countOf(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError('--jobs takes a whole number from 1 to 9999');
  return Number(text);
}
