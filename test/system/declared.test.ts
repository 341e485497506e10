/**
 * Accounts, users, roles and policies that `snowtrail.yaml` names: made at each start where they are missing, used by the AWS CLI
 * and boto3, changed by changing the file (features.md ID2).
 */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AwsCli, awsCli, rootCli, untilSaid } from '../support/aws-cli.ts';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '111111111111';
const AUDIT = '222222222222';
const REGION = 'us-east-1';
const ROLE = `arn:aws:iam::${AUDIT}:role/auditor`;

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface Found {
  readonly Events: readonly { readonly EventId: string; readonly EventName: string; readonly CloudTrailEvent: string }[];
}

const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);
const config = join(tmpdir(), `snowtrail-declared-${process.pid}.yaml`);
const flags = ['--account-id', ACCOUNT, '--config', config];
let server: StartedServer;

const fileAllowing = (action: string): string => `
accounts:
  - id: "${AUDIT}"
    name: audit
identities:
  "${ACCOUNT}":
    policies:
      trails:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Action: [${action}, sts:AssumeRole]
            Resource: "*"
    groups:
      staff:
        policies: [trails]
    users:
      alice:
        groups: [staff]
        tags: { team: blue }
        accessKey: true
  "${AUDIT}":
    roles:
      auditor:
        trust: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::${ACCOUNT}:user/alice"},"Action":"sts:AssumeRole"}]}'
        policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
`;

beforeAll(async () => {
  await writeFile(config, fileAllowing('cloudtrail:ListTrails'));
  server = await startServer({ flags });
});

afterAll(async () => {
  await server.stop();
  await rm(server.dataDir, { recursive: true, force: true });
  await rm(config, { force: true });
});

async function restart(text: string): Promise<void> {
  await server.stop();
  await writeFile(config, text);
  server = await startServer({ flags, dataDir: server.dataDir });
}

function keyFile(): string {
  return join(server.dataDir, 'access-keys', 'users', `${ACCOUNT}.alice.json`);
}

async function aliceEnvironment(): Promise<Record<string, string>> {
  return clientEnvironment(server.url, JSON.parse(await readFile(keyFile(), 'utf8')) as Key, REGION);
}

async function alice(): Promise<AwsCli> {
  return awsCli(aws!, await aliceEnvironment());
}

/** The calls of the file that the first account's record has, oldest first, once all events to now are found. */
async function callsOfFile(): Promise<readonly string[]> {
  const root = await rootCli(aws!, server, REGION);
  // An event of now, which is found after all that came before it.
  const marker = `marker-${Date.now()}`;
  await root.refusal('iam', 'get-user', '--user-name', marker);
  const lookUp = (key: string, value: string) =>
    root<Found>('cloudtrail', 'lookup-events', '--lookup-attributes', `AttributeKey=${key},AttributeValue=${value}`);
  await untilSaid('the marker', async () =>
    (await lookUp('EventName', 'GetUser')).Events.find(({ CloudTrailEvent }) => CloudTrailEvent.includes(marker)),
  );
  const { Events } = await lookUp('AccessKeyId', 'snowtrail.yaml');
  return Events.map(({ EventName }) => EventName).reverse();
}

const MADE = ['CreateAccount', 'CreatePolicy', 'CreateGroup', 'AttachGroupPolicy', 'CreateUser', 'AddUserToGroup', 'CreateAccessKey'];

describe.skipIf(aws === undefined || python === undefined)('what snowtrail.yaml names', () => {
  test('is there after the first start: the user does what its policy allows and nothing else, with a key that the operator alone can read', async () => {
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    const cli = await alice();
    expect(await cli('sts', 'get-caller-identity')).toMatchObject({ Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:user/alice` });
    expect(await cli('cloudtrail', 'list-trails')).toEqual({ Trails: [] });
    expect(await cli.refusal('cloudtrail', 'describe-trails')).toContain('(AccessDeniedException)');
    expect((await callsOfFile()).toSorted()).toEqual(MADE.toSorted());
  });

  test('a role of another account is assumed by the user that it trusts', async () => {
    const script = `
import boto3, json
keys = boto3.client('sts').assume_role(RoleArn='${ROLE}', RoleSessionName='look')['Credentials']
session = boto3.Session(keys['AccessKeyId'], keys['SecretAccessKey'], keys['SessionToken'])
print(json.dumps([session.client('sts').get_caller_identity()['Arn'], session.client('cloudtrail').describe_trails()['trailList']]))`;
    const { code, stdout, stderr } = await run(python!, ['-c', script], { env: await aliceEnvironment() });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual([`arn:aws:sts::${AUDIT}:assumed-role/auditor/look`, []]);
  });

  test('is left as it is by a second start, which leaves no event and makes no key', async () => {
    const before = [await callsOfFile(), await readFile(keyFile(), 'utf8')];
    await restart(fileAllowing('cloudtrail:ListTrails'));
    expect([await callsOfFile(), await readFile(keyFile(), 'utf8')]).toEqual(before);
    expect(await (await alice())('cloudtrail', 'list-trails')).toEqual({ Trails: [] });
  });

  test('is changed with the file at the next start: the policy decides otherwise, and an event tells of it', async () => {
    await restart(fileAllowing('cloudtrail:DescribeTrails'));
    const cli = await alice();
    expect(await cli('cloudtrail', 'describe-trails')).toEqual({ trailList: [] });
    expect(await cli.refusal('cloudtrail', 'list-trails')).toContain('(AccessDeniedException)');
    const calls = await callsOfFile();
    expect([calls.at(-1), calls.length]).toEqual(['CreatePolicyVersion', MADE.length + 1]);
  });

  test('stays when the file is empty: nothing is taken away that nobody deletes', async () => {
    await restart('{}');
    expect(await (await alice())('cloudtrail', 'describe-trails')).toEqual({ trailList: [] });
    expect(await callsOfFile()).toHaveLength(MADE.length + 1);
  });

  test('stops the start where it cannot be, and says where and what to do', async () => {
    const wrong = fileAllowing('cloudtrail:ListTrails').replace('name: audit', 'name: another');
    await expect(restart(wrong)).rejects.toThrow(/cannot be applied at `accounts\.0\.name`: account 222222222222 is called `audit`/);
    await restart('{}');
  });
});
