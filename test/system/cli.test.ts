/**
 * Every command that looks at a running server, as a person or a program uses it: what stdout holds, and the exit code.
 *
 * The server is the built one, on a data directory of its own. Its events are the records of `test/golden/identity-types`, with
 * their times moved into the last hour, one record that tries to command the terminal, and a thousand of one second.
 * Source: experience.md §6; features.md RC1, RC5, EV12; reliability.md A56.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { readRecordTime, shiftRecordTime } from '../../src/event/shift-time.ts';
import { type CliOptions, type CliRun, runCli } from '../support/run-cli.ts';
import { SNOWTRAIL, type StartedServer, startServer } from '../support/start-server.ts';

const ADMINISTRATOR = '123837392027';
const OTHER = '123456789012';
const TRAIL_ID = 'ad384a22-c03e-4f3c-8520-86a31e79378d';
const POLICY_ID = '988f1043-3e3d-4d84-803b-1b4d00e0df90';
const EVIL_ID = 'evil-0001';
/** What a terminal obeys. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

const encoder = new TextEncoder();

let server: StartedServer;
let client: Client;
/** The records as they were sent, by event id. */
const sent = new Map<string, string>();
/** Event time of the first golden record; the others follow 10 seconds apart. */
let beginMs: number;

beforeAll(async () => {
  const [started, golden] = await Promise.all([
    startServer({ flags: ['--account-id', ADMINISTRATOR, '--flush-interval', '200ms', '--digest-interval', '1s'] }),
    readFile('test/golden/identity-types/records.jsonl'),
  ]);
  server = started;
  client = new Client(await findServer({ dataDir: server.dataDir }));
  beginMs = Math.floor(Date.now() / 1000) * 1000 - 600_000;
  const records = golden
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line, at) => {
      const record = encoder.encode(line);
      return new TextDecoder().decode(shiftRecordTime(record, beginMs + at * 10_000 - readRecordTime(record)!));
    });
  await submit([...records, evilRecord()]);
});

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await rm(server.dataDir, { recursive: true, force: true });
});

/** Submits records and waits until history has them: at most a second later. */
async function submit(records: readonly string[]): Promise<void> {
  const verdicts = await client.submit(encoder.encode(records.join('\n')), { source: 'record', createAccounts: true });
  expect(verdicts.map(({ status }) => status)).toEqual(records.map(() => 'accepted'));
  for (const record of records) sent.set((JSON.parse(record) as { eventID: string }).eventID, record);
  const last = verdicts.at(-1) as { eventID: string };
  await vi.waitFor(async () => {
    const { Events } = await client.call<{ Events: readonly object[] }>('SearchEvents', { EventId: last.eventID });
    expect(Events).toHaveLength(1);
  });
}

/** A record of the administrator's account. `more` is JSON text of further members. */
function smallRecord(eventID: string, timeMs: number, eventName: string, more = ''): string {
  const time = `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
  return `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::${ADMINISTRATOR}:user/tester","accountId":"${ADMINISTRATOR}","userName":"tester"},"eventTime":"${time}","eventSource":"s3.amazonaws.com","eventName":"${eventName}","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.7","userAgent":"test",${more}"eventID":"${eventID}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"${ADMINISTRATOR}","eventCategory":"Management"}`;
}

/** Holds an escape sequence, a raw C1 control, a line end and a mark that turns the reading direction. */
function evilRecord(): string {
  const evil = '\\u001b[2J\u009b31m\\r\\nTIME  forged\u202e';
  return smallRecord(EVIL_ID, beginMs + 90_000, `Evil${evil}`, `"errorCode":"Bad${evil}","errorMessage":"${evil}",`);
}

function cli(words: readonly string[], options?: CliOptions): Promise<CliRun> {
  return runCli([...words, '--data-dir', server.dataDir], options);
}

/** The lines of an answer in NDJSON. */
function lines(run: CliRun): Record<string, unknown>[] {
  // What a failed command said is the best explanation of missing lines.
  if (run.exitCode !== 0 && run.exitCode !== 130) throw new Error(`exit ${run.exitCode}: ${run.stderr}`);
  return run.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function ids(run: CliRun): unknown[] {
  return lines(run).map(({ EventId }) => EventId);
}

describe('snowtrail events', () => {
  test('several filters at once, over accounts and Regions, newest first', async () => {
    const [mine, both, error, writes, window] = await Promise.all([
      cli(['events', '--user', 'bert-jan', '--write', '--name', 'CreateTrail', '--regions', 'us-east-1']),
      cli(['events', '--accounts', `${OTHER},742491224508`, '--name', 'GetCallerIdentity', '--from', '-1h']),
      cli(['events', 'user:tester', 'error:*', 'region:eu-west-1']),
      cli(['events', 'is:write user:bert-jan', '--order', 'oldest']),
      cli(['events', '--from', new Date(beginMs + 10_000).toISOString(), '--to', new Date(beginMs + 10_000).toISOString()]),
    ]);
    expect(ids(mine)).toEqual([TRAIL_ID]);
    expect(ids(both)).toEqual(['91529247-c4c4-4793-afc8-d70bbcfe9d19']);
    expect(ids(error)).toEqual([EVIL_ID]);
    expect(ids(writes)).toEqual([TRAIL_ID, POLICY_ID]);
    expect(ids(window)).toEqual(['7bedbc9f-77d2-5a49-5909-13489b6c3d43']);
    expect([mine, both, error, writes, window].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0]);
  });

  test('`--limit` shows the first ones and says that there are more; pages are put together', async () => {
    const filter = ['--from', '-1h', '--accounts', OTHER];
    const [some, all] = await Promise.all([cli(['events', ...filter, '--limit', '2']), cli(['events', ...filter, '--limit', '0'])]);
    expect(ids(some)).toEqual(ids(all).slice(0, 2));
    expect(ids(all)).toHaveLength(5);
    expect([some.stderr, all.stderr]).toEqual(['these are the first 2; --limit 0 shows all\n', '']);
  });

  test('a table for people, one array as JSON', async () => {
    const [table, json] = await Promise.all([
      cli(['events', '--name', 'CreateTrail', '--user', 'bert-jan', '-o', 'table']),
      cli(['events', '--name', 'CreateTrail', '--user', 'bert-jan', '-o', 'json']),
    ]);
    const [heading, row, end] = table.text.split('\n');
    expect(heading).toMatch(/^TIME +ACCOUNT +REGION +USER +EVENT +RESOURCE +ERROR +EVENT ID$/);
    expect(row).toMatch(new RegExp(`^2\\S+ [0-9:]{8}  ${ADMINISTRATOR}  us-east-1  bert-jan  CreateTrail  .* -  +${TRAIL_ID}$`));
    expect(end).toBe('');
    expect((JSON.parse(json.text) as { EventId: string }[]).map(({ EventId }) => EventId)).toEqual([TRAIL_ID]);
  });

  test('`--fields` shows what was asked for, members and paths into the record, in each form', async () => {
    const search = [
      'events',
      '--name',
      'CreateTrail',
      '--user',
      'bert-jan',
      '--fields',
      'eventname,userIdentity.type,requestParameters.none',
    ];
    const [table, lines, wrong, tail] = await Promise.all([
      cli([...search, '-o', 'table']),
      cli([...search, '-o', 'ndjson']),
      cli(['events', '--fields', 'a b']),
      cli(['tail', 'user:bert-jan', '-n', '1', '--limit', '1', '--fields', 'Username,EventName', '-o', 'table']),
    ]);
    expect(table.text).toBe('EVENTNAME    USERIDENTITY.TYPE  REQUESTPARAMETERS.NONE\nCreateTrail  IAMUser            -\n');
    expect(lines.text).toBe('{"eventname":"CreateTrail","userIdentity.type":"IAMUser"}\n');
    expect([wrong.exitCode, wrong.stderr]).toEqual([64, expect.stringContaining('`a b` is not a field')]);
    expect(tail.text).toMatch(/^bert-jan {2}[A-Z][A-Za-z]+\n$/);
  });

  test('no match is an empty answer; with `--fail-empty` it is exit 5', async () => {
    const [empty, json, failing] = await Promise.all([
      cli(['events', 'user:nobody']),
      cli(['events', 'user:nobody', '-o', 'json']),
      cli(['events', 'user:nobody', '--fail-empty']),
    ]);
    expect([empty.exitCode, empty.text, json.text, failing.exitCode]).toEqual([0, '', '[]\n', 5]);
    expect(empty.stderr).toMatch(/^no event matches; widen/);
  });

  test('no form lets a record command the terminal', async () => {
    const runs = await Promise.all([
      ...['table', 'json', 'ndjson'].map((form) => cli(['events', `id:${EVIL_ID}`, '-o', form])),
      cli(['event', EVIL_ID, '-o', 'table']),
      cli(['tail', `id:${EVIL_ID}`, '-n', '1', '--limit', '1', '-o', 'table']),
      cli(['export', `id:${EVIL_ID}`]),
      cli(['events', 'region:eu-west-1', 'user:\u001b[2J']),
      cli(['event', '\u001b[2J']),
    ]);
    for (const run of runs) expect(run.text + run.stderr).not.toMatch(OBEYED);
    expect(runs.slice(0, 6).every((run) => run.text.includes('Evil\\u001b'))).toBe(true);
  });
});

describe('snowtrail event', () => {
  test('the sentence comes first, then what is known beside the bytes', async () => {
    const { exitCode, text } = await cli(['event', TRAIL_ID, '-o', 'table']);
    const [sentence, blank, ...facts] = text.split('\n');
    expect(exitCode).toBe(0);
    expect(sentence).toMatch(/^bert-jan created trail .* \(succeeded\)$/);
    expect(blank).toBe('');
    const hash = createHash('sha256').update(sent.get(TRAIL_ID)!).digest('hex');
    expect(facts).toEqual(
      expect.arrayContaining([
        `Event id    ${TRAIL_ID}`,
        expect.stringMatching(/^Received {4}20.*, submitted$/),
        expect.stringMatching(
          new RegExp(
            `^Sent by {5}arn:aws:iam::${ADMINISTRATOR}:root with key AKIA[A-Z2-7]{16} from 127\\.0\\.0\\.1 \\(entry [0-9]+ of the journal says so\\)$`,
          ),
        ),
        expect.stringMatching(/^Committed {3}sequence [0-9]+ of the journal$/),
        `Account     ${ADMINISTRATOR}`,
        `SHA-256     ${hash}`,
      ]),
    );
  });

  test('`--json` prints the bytes exactly as they were received', async () => {
    const [trail, evil] = await Promise.all([cli(['event', TRAIL_ID, '--json']), cli(['event', EVIL_ID, '--json'])]);
    expect(trail.stdout.equals(Buffer.from(sent.get(TRAIL_ID)!))).toBe(true);
    expect(evil.stdout.equals(Buffer.from(sent.get(EVIL_ID)!))).toBe(true);
  });

  test('`--proof` proves it against the signed checkpoint, or against a key that was pinned', async () => {
    const own = await cli(['event', TRAIL_ID, '--proof', '-o', 'json']);
    const proof = JSON.parse(own.text) as { IsVerified: boolean; SignedBy: string[]; Sequence: string };
    expect([own.exitCode, proof.IsVerified, proof.SignedBy.length]).toEqual([0, true, 1]);
    const [pinned, bySequence, stranger, unreadable] = await Promise.all([
      cli(['event', TRAIL_ID, '--proof', '--public-key', proof.SignedBy[0]!, '-o', 'table']),
      cli(['event', proof.Sequence, '--sequence', '--proof']),
      cli([
        'event',
        TRAIL_ID,
        '--proof',
        '--public-key',
        'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
        '-o',
        'table',
      ]),
      cli(['event', TRAIL_ID, '--proof', '--public-key', 'nonsense']),
    ]);
    expect([pinned, bySequence, stranger, unreadable].map(({ exitCode }) => exitCode)).toEqual([0, 0, 1, 64]);
    expect(pinned.text).toContain('Verdict     proved: these bytes are in the signed record\n');
    expect(stranger.stderr).toMatch(/the proof does not hold: none of the trusted keys signed the checkpoint/);
  });

  test('an event that is not there is exit 5; foreign events look the same', async () => {
    const [missing, foreign] = await Promise.all([cli(['event', 'no-such-id']), cli(['event', TRAIL_ID, '--account', OTHER])]);
    expect([missing.exitCode, missing.text, foreign.exitCode]).toEqual([5, '', 5]);
    expect(foreign.stderr).toBe(missing.stderr);
  });
});

describe('snowtrail who', () => {
  test('the sentences of those who touched a resource, newest first', async () => {
    const { resources } = JSON.parse(sent.get(POLICY_ID)!) as { resources: { ARN: string }[] };
    const bucket = resources[0]!.ARN.split(':::')[1]!;
    const [byName, byArn, reads] = await Promise.all([
      cli(['who', bucket, '--write', '-o', 'table']),
      cli(['who', `arn:aws:s3:::${bucket}`, '--from', '-1h']),
      cli(['who', 'nothing-has-this-name', '--fail-empty']),
    ]);
    expect(byName.text.split('\n')[0]).toMatch(/^EVENT ID +WHO DID WHAT$/);
    expect(byName.text).toMatch(new RegExp(`^${POLICY_ID}  bert-jan `, 'm'));
    expect(ids(byArn)).toContain(POLICY_ID);
    expect(reads.exitCode).toBe(5);
  });
});

describe('snowtrail export', () => {
  test('two runs give the same bytes, in the order of event time, then of acceptance', async () => {
    const second = beginMs + 120_000;
    const many = Array.from({ length: 1_000 }, (_, at) => smallRecord(`same-second-${at * 7919}`, second, 'PutBucketTagging'));
    await submit([...many, smallRecord('late-one', beginMs - 3_000_000, 'PutBucketTagging')]);
    const words = ['export', '--to', new Date(second).toISOString(), '--name', 'PutBucketTagging', '-o', 'ndjson'];
    const file = join(server.dataDir, 'out.ndjson');
    const [first, again, toFile] = [await cli(words), await cli(words), await cli([...words, '--out', file])];
    expect(ids(first)).toEqual(['late-one', ...many.map((record) => (JSON.parse(record) as { eventID: string }).eventID)]);
    expect(again.stdout.equals(first.stdout)).toBe(true);
    expect([toFile.text, (await readFile(file)).equals(first.stdout), existsSync(`${file}.partial`)]).toEqual(['', true, false]);
    expect(first.stderr).toContain(`SHA-256 ${createHash('sha256').update(first.stdout).digest('hex')}`);
    const [late, ...others] = lines(first);
    expect([late!['IsLate'], others.some(({ IsLate }) => IsLate)]).toEqual([true, false]);
    expect(others.map(({ Record }) => Record)).toEqual(many);
  });

  test('a sequence bounds it, so that what came in later changes nothing', async () => {
    const before = await cli(['export', '--from', '-3h', '--accounts', ADMINISTRATOR]);
    const sequence = /--to-sequence ([0-9]+)/.exec(before.stderr)![1]!;
    const bounded = [
      'export',
      '--from',
      new Date(beginMs - 7_200_000).toISOString(),
      '--accounts',
      ADMINISTRATOR,
      '--to-sequence',
      sequence,
    ];
    const first = await cli(bounded);
    await submit([smallRecord('after-the-export', beginMs, 'PutBucketAcl')]);
    const second = await cli(bounded);
    expect(first.stdout.length).toBeGreaterThan(0);
    expect(second.stdout.equals(first.stdout)).toBe(true);
  });

  test('other forms than NDJSON are refused, and a file that cannot be written is named', async () => {
    const [csv, nowhere] = await Promise.all([cli(['export', '-o', 'json']), cli(['export', '--out', '/no/such/folder/a'])]);
    expect([csv.exitCode, nowhere.exitCode]).toEqual([64, 64]);
    expect(nowhere.stderr).toContain('`--out /no/such/folder/a` cannot be written');
  });
});

describe('snowtrail tail', () => {
  test('shows the newest, then each event as it comes in, until Ctrl-C (exit 130)', async () => {
    let submitted: Promise<void> | undefined;
    const run = await cli(['tail', 'user:tester', 'name:TailMe', '-n', '1', '-o', 'ndjson'], {
      onStderr: (text) => {
        if (text.includes('waiting for events')) submitted ??= submit([smallRecord('tailed-1', Date.now(), 'TailMe')]);
      },
      interruptAfter: 'tailed-1',
    });
    await submitted;
    expect(run.exitCode).toBe(130);
    expect(ids(run)).toEqual(['tailed-1']);
  });

  test('`--limit` ends it; the newest of the past come in their order', async () => {
    const run = await cli(['tail', 'user:bert-jan', '-n', '2', '--limit', '2', '-o', 'table']);
    expect([run.exitCode, run.text.split('\n').length]).toEqual([0, 3]);
    expect(run.text).toMatch(/^\S+ \S+ {2}[0-9]{12} {2}bert-jan created trail .*\n.* bert-jan set bucket policy /);
  });
});

describe('snowtrail accounts and keys', () => {
  const NEW = '111122223333';

  test('an account is made with a key that `--account` finds, once', async () => {
    const created = await cli(['accounts', 'create', NEW, '--name', 'staging', '-o', 'table']);
    expect([created.exitCode, created.text.split('\n')[0]]).toEqual([0, `Account     ${NEW}`]);
    const [again, list, asNew, refused] = await Promise.all([
      cli(['accounts', 'create', NEW]),
      cli(['accounts', 'list']),
      cli(['accounts', 'list', '--account', NEW]),
      cli(['accounts', 'create', '999999999999', '--account', NEW]),
    ]);
    expect([again.exitCode, again.text]).toEqual([1, '']);
    expect(lines(list)).toContainEqual(expect.objectContaining({ Account: NEW, Name: 'staging' }));
    expect(lines(asNew).map(({ Account }) => Account)).toEqual([NEW]);
    expect(refused.exitCode).toBe(6);
  });

  test('a user is made with a policy and a key, shown, and deleted with all that it has', async () => {
    expect(await cli(['users', 'create', 'zoe', '--policy', 'AdministratorAccess', '--tag', 'team=blue'])).toMatchObject({
      exitCode: 0,
      stderr: 'next: snowtrail keys create --user zoe; undo: snowtrail users delete zoe\n',
    });
    const key = JSON.parse((await cli(['keys', 'create', '--user', 'zoe', '-o', 'json'])).text) as Record<string, string>;
    const withKey = { AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: key['AccessKeyId'], AWS_SECRET_ACCESS_KEY: key['SecretAccessKey'] };
    const asZoe = { env: { PATH: process.env['PATH'], ...withKey } };
    expect(lines(await runCli(['users', 'list', '-o', 'ndjson'], asZoe))).toMatchObject([{ UserName: 'zoe' }]);
    expect(JSON.parse((await cli(['users', 'show', 'zoe', '-o', 'json'])).text)).toMatchObject({
      AttachedPolicies: ['arn:aws:iam::aws:policy/AdministratorAccess'],
      AccessKeys: [{ AccessKeyId: key['AccessKeyId'], Status: 'Active' }],
      Groups: [],
    });
    expect((await cli(['keys', 'deactivate', key['AccessKeyId']!, '--user', 'zoe'])).exitCode).toBe(0);
    expect((await runCli(['users', 'list'], asZoe)).exitCode).toBe(6);
    expect((await cli(['users', 'delete', 'zoe'])).exitCode).toBe(64);
    expect((await cli(['users', 'delete', 'zoe', '--yes'])).exitCode).toBe(0);
    expect((await cli(['users', 'show', 'zoe'])).exitCode).toBe(5);
    expect((await cli(['keys', 'list', '--user', 'zoe', '--for', OTHER])).exitCode).toBe(64);
  });

  test('a role is made for an account or by a trust policy, shown and deleted', async () => {
    expect((await cli(['roles', 'create', 'audit', '--trust-account', OTHER, '--policy', 'SecurityAudit'])).exitCode).toBe(0);
    const shown = JSON.parse((await cli(['roles', 'show', 'audit', '-o', 'json'])).text) as Record<string, string>;
    expect(shown).toMatchObject({ AttachedPolicies: ['arn:aws:iam::aws:policy/SecurityAudit'], MaxSessionDuration: 3_600 });
    expect(JSON.parse(shown['AssumeRolePolicyDocument']!)).toMatchObject({
      Statement: [{ Principal: { AWS: `arn:aws:iam::${OTHER}:root` } }],
    });
    expect((await cli(['roles', 'create', 'nobody'])).exitCode).toBe(64);
    expect((await cli(['roles', 'delete', 'audit', '--yes'])).exitCode).toBe(0);
    expect((await cli(['roles', 'list', '-o', 'ndjson'])).text).toBe('');
  });

  test('a key is made, deactivated, activated and deleted; deleting without a terminal needs `--yes`', async () => {
    const created = JSON.parse((await cli(['keys', 'create', '--for', OTHER, '-o', 'json'])).text) as Record<string, string>;
    const key = created['AccessKeyId']!;
    const statusOf = async () =>
      lines(await cli(['keys', 'list', '--for', OTHER])).find(({ AccessKeyId }) => AccessKeyId === key)?.['Status'];
    expect((await cli(['keys', 'deactivate', key, '--for', OTHER])).stderr).toBe(
      `key ${key} is inactive; undo: snowtrail keys activate ${key} --for ${OTHER}\n`,
    );
    expect(await statusOf()).toBe('Inactive');
    const withKey = { AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: created['SecretAccessKey'] };
    const env = { PATH: process.env['PATH'], ...withKey };
    expect((await runCli(['keys', 'list'], { env })).exitCode).toBe(6);
    expect((await cli(['keys', 'activate', key, '--for', OTHER])).exitCode).toBe(0);
    await vi.waitFor(async () => expect((await runCli(['keys', 'list'], { env })).exitCode).toBe(0), { timeout: 20_000, interval: 200 });
    expect((await cli(['keys', 'delete', key, '--for', OTHER])).exitCode).toBe(64);
    expect(await statusOf()).toBe('Active');
    expect((await cli(['keys', 'delete', key, '--for', OTHER, '--yes'])).exitCode).toBe(0);
    expect(await statusOf()).toBe(undefined);
    expect((await cli(['keys', 'delete', key, '--for', OTHER, '--yes'])).exitCode).toBe(5);
  });
});

describe('snowtrail evidence', () => {
  test('shows the checkpoint, checked, and the keys; a rotated key stays listed', async () => {
    const before = JSON.parse((await cli(['evidence', 'show', '-o', 'json'])).text) as {
      Keys: { Use: string }[];
      IsSignatureRight: boolean;
    };
    expect([before.IsSignatureRight, before.Keys.map(({ Use }) => Use)]).toEqual([true, ['digest', 'checkpoint']]);
    for (const use of ['digest', 'checkpoint']) {
      const rotated = lines(await cli(['evidence', 'rotate-key', use]));
      expect(rotated.map(({ Use, IsCurrent }) => [Use, IsCurrent])).toEqual([
        [use, false],
        [use, true],
      ]);
    }
    const [table, wrong, refused, proof] = await Promise.all([
      cli(['evidence', 'show', '-o', 'table']),
      cli(['evidence', 'rotate-key', 'other']),
      cli(['evidence', 'rotate-key', 'digest', '--account', OTHER]),
      cli(['event', TRAIL_ID, '--proof', '-o', 'json']),
    ]);
    expect(table.text).toContain('Signature  right, by a key that this server lists\n');
    expect([table.exitCode, wrong.exitCode, refused.exitCode, proof.exitCode]).toEqual([0, 64, 6, 0]);
  });
});

describe('snowtrail trails and doctor', () => {
  const BUCKET = 'cli-trail-bucket';
  const s3 = (method: string, path: string, body?: string) =>
    client.send('s3', method, path, body === undefined ? {} : { body: encoder.encode(body) });
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 's3:GetBucketAcl',
        Resource: `arn:aws:s3:::${BUCKET}`,
      },
      {
        Effect: 'Allow',
        Principal: { Service: 'cloudtrail.amazonaws.com' },
        Action: 's3:PutObject',
        Resource: `arn:aws:s3:::${BUCKET}/AWSLogs/${ADMINISTRATOR}/*`,
        Condition: { StringEquals: { 's3:x-amz-acl': 'bucket-owner-full-control' } },
      },
    ],
  });

  test('a trail is listed, shown, started and stopped, by name and in its home Region', async () => {
    expect((await cli(['trails', 'list'])).text).toBe('');
    expect((await s3('PUT', `/${BUCKET}`)).status).toBe(200);
    expect((await s3('PUT', `/${BUCKET}?policy=`, policy)).status).toBeLessThan(300);
    const home = new Client({ ...client.access, region: 'eu-west-1' });
    const trail = { Name: 'abroad', S3BucketName: BUCKET, IsMultiRegionTrail: true, EnableLogFileValidation: true };
    const { TrailARN } = await home.cloudtrail<{ TrailARN: string }>('CreateTrail', trail);

    expect((await cli(['trails', 'start', 'abroad'])).stderr).toBe('trail abroad logs; undo: snowtrail trails stop abroad\n');
    const [list, table, show, status, missing] = await Promise.all([
      cli(['trails', 'list']),
      cli(['trails', 'list', '-o', 'table']),
      cli(['trails', 'show', TrailARN, '-o', 'table']),
      cli(['trails', 'status', 'abroad', '-o', 'json']),
      cli(['trails', 'status', 'abroat']),
    ]);
    expect(lines(list)).toEqual([expect.objectContaining({ TrailARN, IsLogging: true, S3BucketName: BUCKET })]);
    expect(table.text).toMatch(new RegExp(`^abroad +eu-west-1 +yes +all +yes +s3://${BUCKET} +management +- +-$`, 'm'));
    expect(show.text).toMatch(new RegExp(`^ARN +${TrailARN}$`, 'm'));
    expect(show.text).toMatch(/^What it causes itself +logged$/m);
    expect([list, table, show, status].map(({ stderr }) => stderr)).toEqual(['', '', '', '']);
    expect((JSON.parse(status.text) as { IsLogging: boolean }).IsLogging).toBe(true);
    expect([missing.exitCode, missing.stderr]).toEqual([5, 'snowtrail: no trail is called `abroat`; there are: abroad\n']);
  });

  test('the books of every follower add up: nothing is unexplained', async () => {
    const [json, table, quick] = await Promise.all([
      cli(['doctor', '-o', 'json']),
      cli(['doctor', '-o', 'table']),
      cli(['doctor', '--quick']),
    ]);
    const report = JSON.parse(json.text) as {
      Unexplained: number;
      Findings: unknown[];
      Received: Record<string, number>;
      Followers: { Name: string; Books?: { Unexplained: number } }[];
    };
    expect([json.exitCode, report.Unexplained, report.Findings]).toEqual([0, 0, []]);
    expect(report.Received['Accepted']).toBeGreaterThanOrEqual(sent.size);
    expect(report.Followers.map(({ Name }) => Name)).toEqual(
      expect.arrayContaining(['history', 'tree', `trail/${ADMINISTRATOR}/eu-west-1/abroad`]),
    );
    expect(table.text).toMatch(/^Damage {7}none\nReceived {5}[0-9]+ = [0-9]+ accepted \+ 0 repeated \+ 0 rejected\nUnexplained {2}0$/m);
    expect([quick.exitCode, quick.text]).toEqual([0, 'ready\n']);
  });

  test('a trail that cannot deliver makes doctor exit 1 and say what to do', async () => {
    expect((await s3('DELETE', `/${BUCKET}?policy=`)).status).toBeLessThan(300);
    await submit([smallRecord('undeliverable', Date.now(), 'PutBucketAcl')]);
    const sick = await vi.waitFor(
      async () => {
        const run = await cli(['doctor', '-o', 'table']);
        expect(run.exitCode).toBe(1);
        return run;
      },
      { timeout: 30_000, interval: 300 },
    );
    expect(sick.stderr).toMatch(
      new RegExp(`follower trail/${ADMINISTRATOR}/eu-west-1/abroad cannot go on for now: .*\\n {2}it tries again`),
    );
    const checked = await cli(['doctor', 'trail', 'abroad', '-o', 'table']);
    expect([checked.exitCode, checked.text]).toEqual([
      1,
      expect.stringMatching(/^bucket +arn:aws:s3:::cli-trail-bucket +not as it should be$/m),
    ]);
    const corrected = /The corrected policy:\n(.*)$/s.exec(checked.stderr)?.[1] ?? '';
    expect((await s3('PUT', `/${BUCKET}?policy=`, corrected)).status).toBeLessThan(300);
    expect((await cli(['doctor', 'trail', 'abroad'])).exitCode).toBe(0);
    expect((await s3('PUT', `/${BUCKET}?policy=`, policy)).status).toBeLessThan(300);
    await vi.waitFor(async () => expect((await cli(['doctor'])).exitCode).toBe(0), { timeout: 60_000, interval: 500 });
    expect((await cli(['trails', 'stop', 'abroad'])).stderr).toBe(
      'trail abroad logs no more, and the record says so; undo: snowtrail trails start abroad\n',
    );
    expect((await cli(['trails', 'status', 'abroad', '-o', 'table'])).text).toMatch(/^Logging +no$/m);
  });
});

describe('snowtrail verify', () => {
  test('what cannot be reached, read or found is exit 2, never the 1 of tampered evidence (P13)', async () => {
    const refused = {
      PATH: process.env['PATH'],
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'A',
      AWS_SECRET_ACCESS_KEY: 'b',
    };
    const wrongKey = { ...refused, AWS_ENDPOINT_URL: server.url };
    const runs = await Promise.all([
      runCli(['verify', './not-there', '--offline']),
      runCli(['verify'], { env: refused }),
      runCli(['verify'], { env: wrongKey }),
      cli(['verify', 'no-such-trail']),
      runCli(['verify', '--data-dir', join(server.dataDir, 'nothing-here')]),
    ]);
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([2, 2, 2, 2, 2]);
    for (const { stderr } of runs) expect(stderr).toMatch(/^snowtrail: ./);
    const typos = await Promise.all([cli(['verify', '--jobs', 'many']), cli(['verify', '--from', 'soon'])]);
    expect(typos.map(({ exitCode }) => exitCode)).toEqual([64, 64]);
  });
});

describe('words and help', () => {
  test('a wrong word is answered with the right one, and exit 64', async () => {
    const [command, verb, flag, filter, form, time] = await Promise.all([
      cli(['evnts']),
      cli(['trails', 'shw']),
      cli(['events', '--usr', 'a']),
      cli(['events', 'alice']),
      cli(['events', '-o', 'csv']),
      cli(['events', '--from', 'soon']),
    ]);
    const values = await Promise.all([
      cli(['events', '--category', 'managment']),
      cli(['events', '--from', '-1h', '--to', '-2h']),
      cli(['event', 'abc', '--sequence']),
      cli(['accounts', 'create', '12']),
      cli(['events', '--account', OTHER, '--endpoint', server.url]),
    ]);
    const runs = [command, verb, flag, filter, form, time, ...values];
    expect(runs.map(({ exitCode, text }) => [exitCode, text])).toEqual(runs.map(() => [64, '']));
    expect([command.stderr, verb.stderr, flag.stderr].map((text) => /Did you mean (\S+)\?/.exec(text)?.[1])).toEqual([
      'events',
      'show',
      '--user',
    ]);
    expect(form.stderr).toBe('snowtrail: `--output csv` is none of: table, json, ndjson\n');
    for (const words of [['verify'], ['record', 'no-file']]) {
      const { exitCode, stderr } = await cli([...words, '-o', 'csv']);
      expect([exitCode, stderr]).toEqual([64, form.stderr]);
    }
    expect((await cli(['events', '--accounts', '12'])).exitCode).toBe(64);
    const [category, backwards] = values.map(({ stderr }) => stderr);
    expect(category).toMatch(/category `managment` is unknown; expected `management`, /);
    expect(backwards).toMatch(/`From` is later than `To`; expected the earlier time in `From`/);
  });

  test.each([
    [['event'], 64, /^snowtrail: missing required argument 'id'\n+ *`--help` tells what is expected\n$/],
    [['events', '--region', 'EU West'], 64, /`--region EU West` is not a Region; expected one such as us-east-1/],
    [['event', 'no-such-id'], 5, /EventNotFoundException: .*\n {2}look for it with `snowtrail events/],
    [['record', '-', '--resume', '/dev/null/state'], 64, /`--resume \/dev\/null\/state` cannot be read: /],
    [['record', '-', '--resume', '/no-such-folder/state'], 64, /`--resume \/no-such-folder\/state` cannot be written: /],
    [['export', '--out', tmpdir()], 64, /is a folder; give the name of a file in it/],
    [['verify', 'no-such-trail', '--from', 'soon'], 64, /`--from soon` is not a time/],
    [['verify', 'no-such-trail', '--public-key', './no-such-file'], 64, /`--public-key \.\/no-such-file` cannot be used: /],
    [['verify', './no-such-folder', '--offline'], 2, /cannot be read: .*; give the folder that holds AWSLogs/],
  ] as const)('%j is answered with what to do next, and nothing is done', async (words, exitCode, said) => {
    const run = await cli([...words]);
    expect([run.exitCode, run.text, run.stderr]).toEqual([exitCode, '', expect.stringMatching(said)]);
  });

  test.each(['--help', 'events --help', 'env', 'events 2>&1'])('`snowtrail %s | true` ends quietly', async (words) => {
    const env = { ...process.env, SNOWTRAIL_DATA_DIR: server.dataDir };
    const run = `"${process.execPath}" "${SNOWTRAIL}" ${words} | true; exit \${PIPESTATUS[0]}`;
    const child = spawn('bash', ['-c', run], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [exitCode] = (await once(child, 'close')) as [number];
    expect([exitCode, stderr]).toEqual([0, '']);
  });

  const COMMANDS = [
    ...['start', 'demo', 'env', 'record', 'import', 'verify', 'events', 'tail', 'event', 'who', 'export'],
    ...['trails', 'evidence', 'accounts', 'keys', 'doctor'],
  ];
  test.each(COMMANDS)('`%s --help` begins with examples, and ends with where there is more', async (name) => {
    const { exitCode, text } = await runCli([name, '--help']);
    expect([exitCode, text.startsWith(`Examples:\n  snowtrail ${name}`)]).toEqual([0, true]);
    expect(text).toMatch(/\nLearn more: docs\/cli\.md\n+$/);
  });

  test('a wrong key is answered with where the right one is, and exit 6', async () => {
    const environment = { PATH: process.env['PATH'], AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'b' };
    const run = await runCli(['events'], { env: environment });
    expect([run.exitCode, run.stderr]).toEqual([6, expect.stringMatching(/UnrecognizedClientException: .*\n {2}.*pass --data-dir/)]);
  });

  test('doctor with the key of another account shows its books, and says whose key shows the rest (exit 6)', async () => {
    const run = await cli(['doctor', '--account', OTHER, '-o', 'table']);
    expect(run.exitCode).toBe(6);
    expect(run.text).toMatch(/^history +- +/m);
    expect(run.stderr).toMatch(/^snowtrail: the health may not be looked at with this key: .*\n.* a key of the first account\n$/);
  });

  test('a reader that leaves early changes nothing of what doctor found', async () => {
    const child = spawn(process.execPath, [SNOWTRAIL, 'doctor', '--account', OTHER, '-o', 'table', '--data-dir', server.dataDir]);
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([6, null]);
  });

  test('without a server the answer says how to start one', async () => {
    const [noFolder, noAnswer] = await Promise.all([
      runCli(['events', '--data-dir', join(server.dataDir, 'nothing-here')]),
      runCli(['events'], {
        env: { PATH: process.env['PATH'], AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'b' },
      }),
    ]);
    expect([noFolder.exitCode, noAnswer.exitCode]).toEqual([1, 1]);
    expect(noFolder.stderr).toMatch(/start one with `snowtrail start --data-dir /);
    expect(noAnswer.stderr).toMatch(/is the server running\?$/m);
  });
});
