/**
 * Users, roles and sessions, made and used by the stock clients: AWS CLI and boto3 (features.md ID2; reliability.md A07, A10, A18).
 *
 * What the calls leave in the record is read back by LookupEvents, as anybody would.
 */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { totpCode } from '../../src/access/mfa-device.ts';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';

const ACCOUNT = '111111111111';
const OTHER = '222222222222';
const REGION = 'us-east-1';

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface ClientKey {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken?: string;
}

type Told = Readonly<Record<string, unknown>>;

const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);
let server: StartedServer;
let issuer: Server;
let root: Key;
const config = join(tmpdir(), `snowtrail-identities-${process.pid}.yaml`);
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

beforeAll(async () => {
  issuer = await startIssuer();
  await writeFile(config, 'identityProviders:\n  allow: [127.0.0.1]\n');
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--config', config] });
  root = await rootKey(ACCOUNT);
  const { exitCode, stderr } = await runCli(['accounts', 'create', OTHER, '--data-dir', server.dataDir]);
  expect([exitCode, stderr.includes('rror')]).toEqual([0, false]);
});

afterAll(async () => {
  await server.stop();
  issuer.close();
  await rm(server.dataDir, { recursive: true, force: true });
  await rm(config, { force: true });
});

async function rootKey(account: string): Promise<Key> {
  return JSON.parse(await readFile(join(server.dataDir, 'access-keys', `${account}.json`), 'utf8')) as Key;
}

/** An identity provider that shows its one key. */
function startIssuer(): Promise<Server> {
  const started = createServer((request, response) => {
    const url = `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig', alg: 'RS256' };
    const body = request.url === '/keys' ? { keys: [jwk] } : { issuer: url, jwks_uri: `${url}/keys` };
    response.end(JSON.stringify(body));
  });
  return new Promise((resolve) => {
    started.listen(0, '127.0.0.1', () => resolve(started));
  });
}

function environmentOf(key: Key, region = REGION): Record<string, string> {
  const token: Record<string, string> = key.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: key.sessionToken };
  return { ...clientEnvironment(server.url, key, region), ...token };
}

/** Runs the AWS CLI; its answer, or the words of the refusal. */
async function cli(key: Key, ...args: string[]): Promise<{ readonly answer?: Record<string, unknown>; readonly refusal?: string }> {
  const { code, stdout, stderr } = await run(aws!, [...args, '--output', 'json'], { env: environmentOf(key) });
  return code === 0 ? { answer: JSON.parse(stdout === '' ? '{}' : stdout) as Record<string, unknown> } : { refusal: stderr.trim() };
}

/** Runs Python with `client(service)` of this key; what it gives to `tell` comes back. */
async function boto(key: Key, script: string): Promise<Told> {
  const prelude = `
import boto3, json
from botocore.exceptions import ClientError
told = {}
def tell(name, value): told[name] = value
def client(service, keys=None):
    if keys is None: return boto3.client(service)
    return boto3.client(service, aws_access_key_id=keys['AccessKeyId'], aws_secret_access_key=keys['SecretAccessKey'], aws_session_token=keys.get('SessionToken'))
def refused(call, **more):
    try: call(**more)
    except ClientError as error: return error.response['Error']['Code']
    return None
`;
  const { code, stdout, stderr } = await run(python!, ['-c', `${prelude}${script}\nprint(json.dumps(told, default=str))`], {
    env: environmentOf(key),
  });
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Told;
}

function keyOf({ AccessKeyId, SecretAccessKey, SessionToken }: ClientKey): Key {
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
  };
}

/** The records of one kind of call, newest first, once `count` of them are there. */
async function records(key: Key, eventName: string, count: number): Promise<readonly Told[]> {
  for (;;) {
    const told = await boto(
      key,
      `
found = client('cloudtrail').lookup_events(LookupAttributes=[{'AttributeKey': 'EventName', 'AttributeValue': '${eventName}'}])
tell('events', [json.loads(event['CloudTrailEvent']) for event in found['Events']])`,
    );
    const events = told['events'] as readonly Told[];
    if (events.length >= count) return events;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const policy = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const trust = (account: string, ...actions: string[]): string =>
  policy({ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: ['sts:AssumeRole', ...actions] });

describe.skipIf(aws === undefined || python === undefined)('identities', () => {
  test('a user does what its policy allows and nothing else, and its key is refused once it is deleted (A10)', async () => {
    await cli(root, 'iam', 'create-user', '--user-name', 'reader', '--path', '/staff/', '--tags', 'Key=team,Value=blue');
    const made = await cli(root, 'iam', 'create-access-key', '--user-name', 'reader');
    const key = keyOf(made.answer!['AccessKey'] as ClientKey);
    expect((await cli(key, 'sts', 'get-caller-identity')).answer).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:user/staff/reader` });
    const denied = (await cli(key, 'cloudtrail', 'list-trails')).refusal;
    expect(denied).toContain('(AccessDeniedException) when calling the ListTrails operation');
    expect(denied).toContain(`User: arn:aws:iam::${ACCOUNT}:user/staff/reader is not authorized to perform: cloudtrail:ListTrails`);

    await cli(
      root,
      'iam',
      'attach-user-policy',
      '--user-name',
      'reader',
      '--policy-arn',
      'arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess',
    );
    expect((await cli(key, 'cloudtrail', 'list-trails')).answer).toEqual({ Trails: [] });
    expect((await cli(key, 'iam', 'create-user', '--user-name', 'mallory')).refusal).toContain('(AccessDenied)');

    await cli(root, 'iam', 'delete-access-key', '--user-name', 'reader', '--access-key-id', key.accessKeyId);
    expect((await cli(key, 'cloudtrail', 'list-trails')).refusal).toContain('(UnrecognizedClientException)');

    const [refused] = (await records(root, 'ListTrails', 2)).slice(-1);
    expect(refused).toMatchObject({
      errorCode: 'AccessDenied',
      userIdentity: { type: 'IAMUser', userName: 'reader', accountId: ACCOUNT, accessKeyId: key.accessKeyId },
    });
    const [created] = await records(root, 'CreateUser', 2);
    expect(created).toMatchObject({ errorCode: 'AccessDenied', requestParameters: { userName: 'mallory' } });
    const [keyMade] = await records(root, 'CreateAccessKey', 1);
    expect(keyMade).toMatchObject({
      awsRegion: 'us-east-1',
      apiVersion: '2010-05-08',
      responseElements: { accessKey: { userName: 'reader', accessKeyId: key.accessKeyId, status: 'Active' } },
    });
    expect(JSON.stringify(keyMade)).not.toContain(key.secretAccessKey);
  });

  test('tags and source identity go through a chain of roles into every record (ID2)', async () => {
    const told = await boto(
      root,
      `
iam = client('iam')
iam.create_user(UserName='alice')
alice = iam.create_access_key(UserName='alice')['AccessKey']
iam.put_user_policy(UserName='alice', PolicyName='assume', PolicyDocument='''${policy({ Effect: 'Allow', Action: ['sts:*'], Resource: '*' })}''')
roles = {}
for name in ('first', 'second'):
    roles[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument='''${trust(ACCOUNT, 'sts:TagSession', 'sts:SetSourceIdentity')}''')['Role']['Arn']
    iam.put_role_policy(RoleName=name, PolicyName='work', PolicyDocument='''${policy(
      { Effect: 'Allow', Action: ['sts:*'], Resource: '*' },
      {
        Effect: 'Allow',
        Action: 'cloudtrail:LookupEvents',
        Resource: '*',
        Condition: { StringEquals: { 'aws:PrincipalTag/project': 'snow', 'aws:SourceIdentity': 'alice' } },
      },
    )}''')
sts = client('sts', alice)
tags = [{'Key': 'project', 'Value': 'snow'}, {'Key': 'mood', 'Value': 'good'}]
first = sts.assume_role(RoleArn=roles['first'], RoleSessionName='laptop', Tags=tags, TransitiveTagKeys=['project'], SourceIdentity='alice')
second = client('sts', first['Credentials']).assume_role(RoleArn=roles['second'], RoleSessionName='chained')
tell('sourceIdentity', second['SourceIdentity'])
tell('allowed', refused(client('cloudtrail', second['Credentials']).lookup_events, MaxResults=1))
plain = sts.assume_role(RoleArn=roles['second'], RoleSessionName='plain')['Credentials']
tell('withoutTags', refused(client('cloudtrail', plain).lookup_events, MaxResults=1))
tell('tooLong', refused(client('sts', first['Credentials']).assume_role, RoleArn=roles['second'], RoleSessionName='chained', DurationSeconds=7200))
tell('other', refused(client('sts', first['Credentials']).assume_role, RoleArn=roles['second'], RoleSessionName='chained', SourceIdentity='bob'))
tell('root', refused(client('sts').assume_role, RoleArn=roles['first'], RoleSessionName='root'))
tell('absent', refused(sts.assume_role, RoleArn='arn:aws:iam::${ACCOUNT}:role/absent', RoleSessionName='nobody'))
iam.delete_role_policy(RoleName='second', PolicyName='work')
iam.delete_role(RoleName='second')
tell('roleGone', refused(client('sts', second['Credentials']).get_caller_identity))`,
    );
    expect(told).toEqual({
      sourceIdentity: 'alice',
      allowed: null,
      withoutTags: 'AccessDeniedException',
      tooLong: 'ValidationError',
      other: 'AccessDenied',
      root: 'AccessDenied',
      absent: 'AccessDenied',
      roleGone: 'InvalidClientTokenId',
    });

    const assumed = await records(root, 'AssumeRole', 7);
    const of = (session: string) =>
      assumed.find((event) => (event['requestParameters'] as { roleSessionName?: string }).roleSessionName === session);
    expect(of('laptop')).toMatchObject({
      eventSource: 'sts.amazonaws.com',
      readOnly: true,
      userIdentity: { type: 'IAMUser', userName: 'alice' },
      requestParameters: {
        tags: [
          { key: 'project', value: 'snow' },
          { key: 'mood', value: 'good' },
        ],
        transitiveTagKeys: ['project'],
        sourceIdentity: 'alice',
      },
      responseElements: {
        credentials: {
          accessKeyId: expect.stringMatching(/^ASIA/),
          expiration: expect.stringMatching(/^[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M$/),
        },
        assumedRoleUser: { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/first/laptop` },
        sourceIdentity: 'alice',
      },
      resources: [{ accountId: ACCOUNT, type: 'AWS::IAM::Role', ARN: `arn:aws:iam::${ACCOUNT}:role/first` }],
    });
    const chained = assumed
      .filter((event) => (event['requestParameters'] as { roleSessionName?: string }).roleSessionName === 'chained')
      .at(-1);
    expect(chained).toMatchObject({
      requestParameters: { incomingTransitiveTags: { project: 'snow' } },
      userIdentity: {
        type: 'AssumedRole',
        arn: `arn:aws:sts::${ACCOUNT}:assumed-role/first/laptop`,
        sessionContext: {
          sessionIssuer: { type: 'Role', userName: 'first', arn: `arn:aws:iam::${ACCOUNT}:role/first` },
          attributes: { mfaAuthenticated: 'false' },
          sourceIdentity: 'alice',
        },
      },
    });
    const looked = (await records(root, 'LookupEvents', 1)).find(
      (event) => (event['userIdentity'] as { arn: string }).arn === `arn:aws:sts::${ACCOUNT}:assumed-role/second/chained`,
    );
    expect(looked).toMatchObject({ userIdentity: { sessionContext: { sourceIdentity: 'alice' } } });
    expect(JSON.stringify(assumed)).not.toContain('SecretAccessKey');
  });

  test('what needs a second factor is open to who shows one, and a code is good once', async () => {
    const made = await boto(
      root,
      `
iam = client('iam')
iam.create_user(UserName='mia')
tell('key', iam.create_access_key(UserName='mia')['AccessKey'])
iam.put_user_policy(UserName='mia', PolicyName='mfa', PolicyDocument='''${policy({
        Effect: 'Allow',
        Action: 'cloudtrail:ListTrails',
        Resource: '*',
        Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
      })}''')
device = iam.create_virtual_mfa_device(VirtualMFADeviceName='mia')['VirtualMFADevice']
tell('serial', device['SerialNumber']); tell('seed', device['Base32StringSeed'].decode())`,
    );
    const bits = [...(made['seed'] as string)]
      .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
      .join('');
    const secret = Uint8Array.from(bits.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2));
    const step = Math.floor(Date.now() / 30_000);
    const [before, now, next] = [-1, 0, 1].map((offset) => totpCode(secret, step + offset));
    const enabled = await boto(
      root,
      `client('iam').enable_mfa_device(UserName='mia', SerialNumber='${made['serial']}', AuthenticationCode1='${before}', AuthenticationCode2='${now}')`,
    );
    expect(enabled).toEqual({});
    const used = await boto(
      keyOf(made['key'] as ClientKey),
      `
sts = client('sts')
tell('lasting', refused(client('cloudtrail').list_trails))
tell('plain', refused(client('cloudtrail', sts.get_session_token()['Credentials']).list_trails))
tell('usedCode', refused(sts.get_session_token, SerialNumber='${made['serial']}', TokenCode='${now}'))
keys = sts.get_session_token(SerialNumber='${made['serial']}', TokenCode='${next}')['Credentials']
tell('withMfa', refused(client('cloudtrail', keys).list_trails))
tell('again', refused(sts.get_session_token, SerialNumber='${made['serial']}', TokenCode='${next}'))`,
    );
    expect(used).toEqual({
      lasting: 'AccessDeniedException',
      plain: 'AccessDeniedException',
      usedCode: 'AccessDenied',
      withMfa: null,
      again: 'AccessDenied',
    });
    const seen = await records(root, 'GetSessionToken', 4);
    expect(JSON.stringify(seen)).not.toContain(next!);
  });

  test('a role of another account is assumed where both allow it, and both accounts have the record', async () => {
    const theirs = await rootKey(OTHER);
    await boto(theirs, `client('iam').create_role(RoleName='shared', AssumeRolePolicyDocument='''${trust(ACCOUNT)}''')`);
    const told = await boto(
      root,
      `
iam = client('iam')
iam.create_user(UserName='visitor')
visitor = iam.create_access_key(UserName='visitor')['AccessKey']
role = 'arn:aws:iam::${OTHER}:role/shared'
tell('before', refused(client('sts', visitor).assume_role, RoleArn=role, RoleSessionName='visit'))
iam.put_user_policy(UserName='visitor', PolicyName='visit', PolicyDocument='''${policy({ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' })}''')
keys = client('sts', visitor).assume_role(RoleArn=role, RoleSessionName='visit')['Credentials']
tell('account', client('sts', keys).get_caller_identity()['Account'])
tell('absent', refused(client('sts', visitor).assume_role, RoleArn='arn:aws:iam::${OTHER}:role/absent', RoleSessionName='visit'))`,
    );
    expect(told).toEqual({ before: 'AccessDenied', account: OTHER, absent: 'AccessDenied' });
    const [copy] = await records(theirs, 'AssumeRole', 1);
    const own = (await records(root, 'AssumeRole', 3)).find((event) => event['sharedEventID'] !== undefined)!;
    expect(copy).toMatchObject({
      userIdentity: { type: 'AWSAccount', accountId: ACCOUNT },
      recipientAccountId: OTHER,
      sharedEventID: own['sharedEventID'],
    });
    expect(Object.keys(copy!['userIdentity'] as object).sort()).toEqual(['accountId', 'principalId', 'type']);
    expect(copy).not.toHaveProperty('additionalEventData');
    expect(own).toMatchObject({ userIdentity: { type: 'IAMUser', userName: 'visitor' }, recipientAccountId: ACCOUNT });
    expect(own['eventID']).not.toBe(copy!['eventID']);
  });

  test('a session token that is absent, changed or of another key is refused in the words of each protocol (A07)', async () => {
    const told = await boto(
      root,
      `
keys = client('sts').get_session_token()['Credentials']
other = client('sts').get_session_token()['Credentials']
def codes(token):
    mine = dict(keys, SessionToken=token)
    return [refused(client('sts', mine).get_caller_identity), refused(client('cloudtrail', mine).list_trails), refused(client('s3', mine).list_buckets)]
tell('right', codes(keys['SessionToken']))
tell('absent', codes(None))
tell('foreign', codes(other['SessionToken']))
tell('changed', codes('A' + keys['SessionToken'][1:-4] + 'AAAA'))`,
    );
    const wrong = ['InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidToken'];
    expect(told).toEqual({
      right: [null, null, null],
      absent: ['InvalidClientTokenId', 'UnrecognizedClientException', 'InvalidAccessKeyId'],
      foreign: wrong,
      changed: wrong,
    });
  });

  test('somebody with a token of a configured provider gets keys of the role that trusts it', async () => {
    const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const host = url.slice('http://'.length);
    const provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/${host}`;
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: url, aud: 'snowtrail', sub: 'repo:snow:main', iat: now, exp: now + 300 };
    const trusts = policy({
      Effect: 'Allow',
      Principal: { Federated: provider },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: { StringEquals: { [`${host}:sub`]: 'repo:snow:main' } },
    });
    const told = await boto(
      root,
      `
iam = client('iam')
role = iam.create_role(RoleName='ci', AssumeRolePolicyDocument='''${trusts}''')['Role']['Arn']
from botocore import UNSIGNED
from botocore.config import Config
sts = boto3.client('sts', config=Config(signature_version=UNSIGNED))
def assume(token): return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName='build', WebIdentityToken=token)
tell('notConfigured', refused(assume, token='${token(claims)}'))
iam.create_open_id_connect_provider(Url='${url}', ClientIDList=['snowtrail'])
answer = assume('${token(claims)}')
tell('subject', answer['SubjectFromWebIdentityToken']); tell('provider', answer['Provider'])
tell('arn', client('sts', answer['Credentials']).get_caller_identity()['Arn'])
tell('expired', refused(assume, token='${token({ ...claims, exp: now - 1 })}'))
tell('audience', refused(assume, token='${token({ ...claims, aud: 'another' })}'))
tell('subjectRefused', refused(assume, token='${token({ ...claims, sub: 'repo:fork:main' })}'))
tell('changed', refused(assume, token='${token(claims).replace(/\.[^.]*$/, `.${'A'.repeat(342)}`)}'))
tell('unsigned', refused(sts.get_caller_identity))`,
    );
    expect(told).toEqual({
      notConfigured: 'InvalidIdentityToken',
      subject: 'repo:snow:main',
      provider,
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/ci/build`,
      expired: 'ExpiredTokenException',
      audience: 'InvalidIdentityToken',
      subjectRefused: 'AccessDenied',
      changed: 'InvalidIdentityToken',
      unsigned: 'MissingAuthenticationToken',
    });
    const events = await records(root, 'AssumeRoleWithWebIdentity', 2);
    // Strangers whose tokens are none leave no record.
    expect(events).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({
      userIdentity: {
        type: 'WebIdentityUser',
        principalId: `${provider}:snowtrail:repo:snow:main`,
        userName: 'repo:snow:main',
        identityProvider: provider,
      },
      requestParameters: { roleArn: `arn:aws:iam::${ACCOUNT}:role/ci`, roleSessionName: 'build' },
      responseElements: { subjectFromWebIdentityToken: 'repo:snow:main', provider, audience: 'snowtrail' },
      recipientAccountId: ACCOUNT,
    });
    expect(events[0]).toMatchObject({ errorCode: 'AccessDenied', userIdentity: { userName: 'repo:fork:main' } });
    expect(JSON.stringify(events)).not.toContain(token(claims));
    const [asked] = (await records(root, 'GetCallerIdentity', 1)).filter(
      (event) => (event['userIdentity'] as { type: string }).type === 'AssumedRole' && JSON.stringify(event).includes('/ci/'),
    );
    expect(asked).toMatchObject({
      userIdentity: { sessionContext: { webIdFederationData: { federatedProvider: provider, attributes: {} } } },
    });
  });
});

/** A token of the issuer. */
function token(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', kid: 'key-1', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`;
}
