/**
 * `snowtrail demo`: a server with a sample incident in it, and the commands to try.
 *
 * History covers 90 days and three accounts; the last seven days of the first account are delivered by a trail, hour by
 * hour, on a clock that is moved. That waits for the disk most of the time, so all the rest is sent meanwhile. Without a
 * terminal, or with `--once`, it prints everything and exits.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AccountId, EpochMs } from '../../event/types.ts';
import type { SnowtrailServer } from '../../server/start.ts';
import { folderSource } from '../../verify/folder-source.ts';
import { verify } from '../../verify/verify.ts';
import { Client } from '../client.ts';
import { programPath } from '../demo/program-path.ts';
import { DEMO_ACCOUNTS, type SampleEvent, sampleEvents } from '../demo/sample-events.ts';
import { CommandFailed, EXIT, UsageError } from '../exit.ts';
import { findServer } from '../find-server.ts';
import { addExamples } from '../help.ts';

interface Options {
  readonly dataDir: string;
  readonly listen: string;
  readonly events: string;
  readonly seed: string;
  readonly once?: boolean;
}

const BUCKET = 'demo-trail';
const TRAIL = 'main';
const HOUR_MS = 3_600_000;
/** Hours whose digests are made. */
const DIGEST_HOURS = 168;
/** Written by the demo, so that a folder of somebody's own is never cleared. */
const MARK = 'snowtrail-demo';

export function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('start with a sample incident and print what to try')
    .option('--data-dir <folder>', 'made anew each time', './snowtrail-demo')
    .option('--listen <host:port>', 'address', '127.0.0.1:4620')
    .option('--events <count>', 'events of the sample', '25000')
    .option('--seed <text>', 'the same seed gives the same sample', 'winterday')
    .option('--once', 'print everything and exit')
    .option('--no-open', 'open no browser (there is no console yet: nothing is opened either way)')
    .action(async (options: Options) => demo(options));
  addExamples(command, ['demo', 'demo --once --listen 127.0.0.1:0']);
}

async function demo(options: Options): Promise<void> {
  // Loaded here, so that every other command starts without the server's code.
  const { endProcess, MovedClock, readSettings, removeDataDir, startServer } = await import('../../server/start.ts');
  const count = Number(options.events);
  if (!Number.isInteger(count) || count < 1_000 || count > 1_000_000)
    throw new UsageError('--events takes a whole number from 1000 to 1000000');
  if (isOwnFolder(options.dataDir)) await removeDataDir(options.dataDir);
  const settings = readSettings({ dataDir: options.dataDir, listen: options.listen, accountId: DEMO_ACCOUNTS[0] }, {});
  const nowMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const clock = new MovedClock();
  // Before anything is opened: a key is valid from a day before it is made.
  clock.moveTo(nowMs - DIGEST_HOURS * HOUR_MS);
  const startedMs = performance.now();
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const step = (text: string, tookMs: number) => say(`  ✔ ${text.padEnd(58)} ${(tookMs / 1_000).toFixed(1)} s`);
  say(`  snowtrail 0.1.0 · data in ${options.dataDir} · no account, no cloud, no telemetry\n`);

  const isAttended = !options.once && process.stdin.isTTY === true;
  const running = await startServer(settings, {
    clock,
    prepare: async (server, url) => {
      const client = new Client(await findServer({ dataDir: options.dataDir }));
      await makeTrail(client);
      step('key, trail and bucket ready', performance.now() - startedMs);

      const beganMs = performance.now();
      const events = sampleEvents({ seed: options.seed, count, nowMs });
      const fromMs = nowMs - DIGEST_HOURS * HOUR_MS;
      // Sent within its hour, since nothing is received before it happens.
      const isRecent = ({ timeMs }: SampleEvent) => timeMs >= fromMs;
      let sentMs = beganMs;
      const sending = submit(
        client,
        events.filter((event) => !isRecent(event)),
        'import',
      ).then(() => {
        sentMs = performance.now();
      });
      await Promise.all([sending, deliverByHour({ server, client, clock, recent: events.filter(isRecent), fromMs })]);
      step(`${events.length.toLocaleString('en')} sample events, 3 accounts, 90 days (one incident)`, sentMs - beganMs);
      clock.reset();
      await server.trails.flushNow();
      const digests = await verifyTrail(client, options.dataDir);
      step(`${digests} digests signed (last 7 days), chain verified`, performance.now() - sentMs);
      sayNext(say, options, isAttended ? url : undefined);
    },
  });

  const exitCode = isAttended ? await untilQuit() : EXIT.ok;
  if (!(await running.stop())) endProcess(exitCode, false);
  process.exitCode = exitCode;
}

/** Whether the folder is there and the demo's own, which is made anew. @throws UsageError for any other folder that is there. */
function isOwnFolder(dataDir: string): boolean {
  if (!existsSync(dataDir)) return false;
  if (!existsSync(`${dataDir}/VERSION`) || !dataDir.includes(MARK)) {
    throw new UsageError(
      `\`${dataDir}\` is there already; the demo clears only folders with \`${MARK}\` in their name. Choose another --data-dir`,
    );
  }
  return true;
}

async function makeTrail(client: Client): Promise<void> {
  const account = DEMO_ACCOUNTS[0]!;
  const put = async (path: string, body?: string) => {
    const answer = await client.send('s3', 'PUT', path, body === undefined ? {} : { body: new TextEncoder().encode(body) });
    if (answer.status >= 300)
      throw new CommandFailed(EXIT.failed, `the demo could not put \`${path}\`: ${new TextDecoder().decode(answer.body)}`);
  };
  await put(`/${BUCKET}`);
  await put(`/${BUCKET}?policy=`, bucketPolicy(account));
  await client.cloudtrail('CreateTrail', { Name: TRAIL, S3BucketName: BUCKET, IsMultiRegionTrail: true, EnableLogFileValidation: true });
  await client.cloudtrail('StartLogging', { Name: TRAIL });
  for (const other of DEMO_ACCOUNTS.slice(1)) await client.call('CreateAccount', { Account: other });
}

/** The policy that CloudTrail's guide asks for. */
function bucketPolicy(account: AccountId): string {
  const principal = { Service: 'cloudtrail.amazonaws.com' };
  const arn = `arn:aws:cloudtrail:us-east-1:${account}:trail/${TRAIL}`;
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'AclCheck',
        Effect: 'Allow',
        Principal: principal,
        Action: 's3:GetBucketAcl',
        Resource: `arn:aws:s3:::${BUCKET}`,
        Condition: { StringEquals: { 'aws:SourceArn': arn } },
      },
      {
        Sid: 'Write',
        Effect: 'Allow',
        Principal: principal,
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${account}/*`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control', 'aws:SourceArn': arn } },
      },
    ],
  });
}

async function submit(client: Client, events: readonly SampleEvent[], source: 'record' | 'import'): Promise<void> {
  for (let from = 0; from < events.length; from += 2_000) {
    const lines = events.slice(from, from + 2_000).map(({ record }) => JSON.stringify(record));
    const verdicts = await client.submit(new TextEncoder().encode(`${lines.join('\n')}\n`), { source, createAccounts: false });
    const bad = verdicts.find(({ status }) => status !== 'accepted');
    if (bad !== undefined) throw new CommandFailed(EXIT.failed, `an event of the sample was not accepted: ${JSON.stringify(bad)}`);
  }
}

interface Replay {
  readonly server: SnowtrailServer;
  readonly client: Client;
  readonly clock: { moveTo(timeMs: EpochMs): void };
  readonly recent: readonly SampleEvent[];
  readonly fromMs: EpochMs;
}

/** Lets the last seven days pass hour by hour; an hour without events has a digest all the same. */
async function deliverByHour({ server, client, clock, recent, fromMs }: Replay): Promise<void> {
  const byHour = Array.from({ length: DIGEST_HOURS }, (): SampleEvent[] => []);
  for (const event of recent) byHour[Math.floor((event.timeMs - fromMs) / HOUR_MS)]?.push(event);
  for (const [hour, events] of byHour.entries()) {
    const endMs = fromMs + (hour + 1) * HOUR_MS;
    if (events.length > 0) {
      clock.moveTo(endMs - 1_000);
      await submit(client, events, 'record');
      await server.trails.flushNow();
    }
    clock.moveTo(endMs + 1_000);
    while (await server.trails.tick());
  }
}

/** Verifies all of the demo's evidence, where it lies and beside what the server says, and returns the number of its digests. */
async function verifyTrail(client: Client, dataDir: string): Promise<number> {
  const report = await verify({
    source: await folderSource(join(dataDir, 'objects', BUCKET)),
    callServer: (operation, input) => client.call(operation, input),
  });
  if (report.exitCode !== 0) throw new CommandFailed(EXIT.failed, `the demo's own evidence did not verify: ${report.summary}`);
  return report.counts.digest.valid + report.counts['backfill-digest'].valid;
}

/** What to try. Without a `url` the server ends with the demo, and has to be started first. */
function sayNext(say: (text: string) => void, options: Options, url: string | undefined): void {
  const program = programPath(process.argv[1]!, process.cwd());
  const at = `--data-dir ${options.dataDir}`;
  if (url !== undefined) say(`\n  Server    ${url}        (q to quit)`);
  else say(`\n  Start     ${program} start ${at} --listen ${options.listen}        (first, in another terminal)`);
  say(`  AWS CLI   eval "$(${program} env ${at})"  then  aws cloudtrail lookup-events --max-items 3`);
  say(`  Next      ${program} who blizzard-exports --write ${at}    "who made this bucket public?"`);
  say(`            ${program} events --user alice --from -2d ${at}`);
  say(`            ${program} verify ${at}`);
  say(`            ${program} doctor ${at}`);
}

/** Resolves with the exit code when the person at the terminal presses q, Ctrl-D or Ctrl-C, which alone is an interruption. */
function untilQuit(): Promise<number> {
  return new Promise((resolve) => {
    process.stdin.setRawMode(true);
    process.stdin.resume();
    const quit = (exitCode: number) => {
      process.stdin.setRawMode(false);
      process.stdin.pause();
      resolve(exitCode);
    };
    process.stdin.on('data', (keys: Buffer) => {
      if (keys.includes(3)) quit(EXIT.interrupted);
      else if (keys.includes('q') || keys.includes(4)) quit(EXIT.ok);
    });
    process.once('SIGTERM', () => quit(EXIT.ok));
  });
}
